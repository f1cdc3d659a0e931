"""Held-out renders: the same seed makes the same file, and an image is albedo times shading."""

import numpy as np
import pytest
import torch

from core.geometry.shading import shade
from core.types import Light
from training.render_validation import PER_PERSON, main, render_all, render_image
from training.rig.rig import FAR_DEPTH, Rig


def test_same_seed_makes_the_same_arrays():
    first, second = (render_all(people=1, size=32, seed=5) for _ in range(2))
    assert set(first) == {"im", "cd", "cm", "ca", "zin", "mi", "view", "light", "id", "ex"}
    assert len(first["im"]) == PER_PERSON and first["cd"].max() <= np.float32(FAR_DEPTH)
    assert all(np.array_equal(first[key], second[key]) for key in first)


def test_an_image_is_albedo_times_shading():
    rig, rng = Rig.load(split="heldout"), np.random.default_rng(0)
    sample = rig.render(rig.sample_person(rng), rig.sample_expression(rng), rig.sample_view(rng), 64)
    light = Light.of(0.4, 0.5, 0.6, -0.2)
    image = render_image(sample, light, torch.Generator().manual_seed(0)) / 255
    expected = sample.albedo / 255 * shade(torch.from_numpy(sample.normal)[None], light)[0, 0, ..., None].numpy()
    assert np.abs(image - expected)[sample.mask].mean() < 0.03


def test_the_command_keeps_the_name_and_replaces_its_own_file_alone(tmp_path):
    arguments = ["--people", "1", "--size", "16", "--out", str(tmp_path / "heldout")]
    main(arguments)
    main(arguments)
    with np.load(tmp_path / "heldout") as arrays:
        assert len(arrays["im"]) == PER_PERSON
    (tmp_path / "heldout").write_text("precious")
    with pytest.raises(SystemExit, match="--overwrite"):
        main(arguments)
    assert (tmp_path / "heldout").read_text() == "precious"
