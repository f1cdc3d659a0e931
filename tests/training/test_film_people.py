"""From a film to photos of one person, and from those to codes that train the diffusion model."""

from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image

from core.config import ASSETS
from core.errors import ConfigError
from core.video.reader import read_film
from tests.core.video.films import quadrants, write_film
from training.data.code_frames import people_frames
from training.film_people import prepare_film
from training.prepare import main


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Folder of one person, made of half a second of the example film."""
    folder = tmp_path_factory.mktemp("film")
    frames = [frame.pixels for frame in islice(read_film(ASSETS / "film" / "example.mp4"), 0, 60, 12)]
    film = write_film(folder / "ann.mp4", frames, times=[0.1 * index for index in range(len(frames))])
    main([str(film), "--out", str(folder / "people"), "--rate", "5", "--size", "64"])
    return folder / "people"


def test_photos_of_one_person_lie_in_a_folder_called_like_the_film(people):
    photos = sorted(path for path in people.glob("ann/*.jpg"))
    assert [path.name for path in photos] == ["00000.jpg", "00001.jpg", "00002.jpg"]
    assert {Image.open(path).size for path in photos} == {(128, 128)}


def test_the_photos_are_frames_of_one_person_for_the_diffusion_model(model, people):
    frames = list(people_frames(str(people), 64, 2, torch.Generator().manual_seed(0)))
    assert len(frames) == 3 and all(len(part) == 2 and not part.person.any() for part in frames)
    codes = torch.cat([model.encode(part.data).pair.rows for part in frames]).numpy()
    assert np.linalg.norm(codes.std(0)) > 0


def test_a_film_without_a_face_and_a_rate_that_is_none_are_refused(tmp_path):
    film = write_film(tmp_path / "film.mp4", [quadrants()])
    with pytest.raises(ConfigError, match="No face"):
        prepare_film(film, tmp_path / "people", quiet=True)
    with pytest.raises(ConfigError, match="rate"):
        prepare_film(film, tmp_path / "people", rate=0, quiet=True)
    assert not (tmp_path / "people").exists()
