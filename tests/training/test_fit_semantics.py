"""The command that finds semantics: names, and the file that the model loads."""

import pytest
import torch

from core.config import DiffusionConfig, ModelConfig
from core.errors import ConfigError
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.model.weights import autoencoder_fingerprint, load_semantics
from core.pipeline import LatentFace
from training.fit_semantics import main, read_names, save, suggest_names
from training.fitting.semantics import Directions


def found(kinds: list[str]) -> Directions:
    """Directions that act in the upper left and in the lower right corner of maps of 32 px, in turn."""
    count = len(kinds)
    influence = torch.zeros(count, 32, 32)
    influence[::2, :4, :4], influence[1::2, -4:, -4:] = 1, 1
    figures = (torch.rand(count) for _ in range(3))
    return Directions(torch.randn(count, 512), influence, torch.tensor([[-1.0, 3.0]]).expand(count, 2), *figures, kinds)


def corners() -> dict[str, torch.Tensor]:
    regions = torch.zeros(2, 32, 32)
    regions[0, :4, :4], regions[1, -4:, -4:] = 1, 1
    return {"brows": regions[0], "chin": regions[1]}


def test_directions_are_named_by_part_kind_and_region():
    names = suggest_names({"identity": found(["shape", "albedo", "shape"]), "expression": found(["shape"])}, corners())
    assert names == {"identity shape brows 1": ("identity", 0), "identity albedo chin 1": ("identity", 1),
                     "identity shape brows 2": ("identity", 2), "expression shape brows 1": ("expression", 0)}


def test_a_file_of_names_keeps_and_turns_directions(tmp_path):
    directions = {"identity": found(["shape", "albedo"])}
    suggested = suggest_names(directions, corners())
    names = tmp_path / "names.yaml"
    names.write_text("low brow: -identity shape brows 1\n")
    kept = read_names(names, suggested)
    assert kept == {"low brow": ("identity shape brows 1", -1)}
    model = LatentFace(Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8)),
                       Diffusion(DiffusionConfig(width=32, blocks=1)))
    save(tmp_path / "semantics.safetensors", model, directions, kept, suggested, False)
    basis = load_semantics(tmp_path / "semantics.safetensors",
                           autoencoder_fingerprint(model.autoencoder.state_dict()))
    assert torch.allclose(basis.directions, -directions["identity"].rows[:1], atol=2e-3)
    assert [(one.name, one.range) for one in basis.list()] == [("low brow", (-3.0, 1.0))]


@pytest.mark.parametrize(("text", "match"), [
    ("a: no such direction", "no such direction"), ("smile: identity shape brows 1", "expression weight"),
    ("[1, 2]", "suggested name"), (": :", "YAML")])
def test_wrong_names_are_refused(tmp_path, text, match):
    names = tmp_path / "names.yaml"
    names.write_text(text)
    with pytest.raises(ConfigError, match=match):
        read_names(names, {"identity shape brows 1": ("identity", 0)})


def test_too_few_faces_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="--count"):
        main(["--photos", str(tmp_path), "--renders", str(tmp_path), "--count", "5", "--out", str(tmp_path / "out")])
