"""What the page gets of a map, and maps of visitors' own photos."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.server.cleanup import delete_old_files
from app.session import latent_map as maps
from app.session.session import open_example, open_photo
from app.widgets import latent_map as widget
from core.errors import FaceNotFound, MapUnreadable
from core.latent_map.map import LatentMap
from tests.core.latent_map.maps import small_map

EXAMPLES = sorted((Path(__file__).parents[3] / "assets" / "examples").glob("*.jpg"))


@pytest.fixture(scope="module")
def gallery() -> LatentMap:
    return maps.gallery(renders=True)


def test_the_drawing_is_json_with_unknown_values_and_hostile_names_as_data(gallery, monkeypatch):
    monkeypatch.setattr(widget, "sprite", lambda shown, across: "data:")
    drawing = json.loads(json.dumps(widget.drawing(small_map()), allow_nan=False))
    assert [kind["key"] for kind in drawing["kinds"]] == ["identity", "expression", "code"]
    yaw, source = drawing["columns"]
    assert yaw["numbers"][3] is None and yaw["label"] == "yaw, °"
    assert source["words"][0] == "" and [source["words"][i] for i in source["index"][:2]] == ["London", ""]
    assert len(drawing["kinds"][0]["x"]) == len(drawing["names"]) == 40


def test_a_chosen_face_is_not_its_own_neighbour_and_names_are_escaped(monkeypatch):
    shown = small_map()
    html = widget.neighbours(shown, shown.codes[0], 4)
    assert html.count("<h4>") == 3 and html.count("<button") == 3 * widget.NEAREST
    assert 'data-index="4"' not in html and "face <" not in html and "face &lt;" in html
    assert "<4>" not in widget.description(shown, 4)
    near = widget.marks(shown, shown.codes[2], None)["near"].values()
    assert "<small>0." in html and not any(2 in numbers for numbers in near)


def test_photos_alone_are_shown_unless_renders_are_wanted(gallery):
    photos = maps.gallery()
    assert set(photos.columns["source"]) == {"London Set"} and len(photos) == 204 < len(gallery)
    assert all(np.abs(places).max(0).min() > 0.99 for places in photos.positions.values())
    nearest, _ = photos.nearest(photos.codes[7], "code", 1)
    assert nearest[0] == 7 and photos.names[7] == gallery.names[7]


def test_found_directions_color_and_place_the_faces(gallery, monkeypatch):
    monkeypatch.setattr(widget, "sprite", lambda shown, across: "data:")
    found = maps.found_directions(gallery)
    assert set(found) == {one.name for one in maps.model().semantics if one.unit == "sigma"}
    columns = {column["label"]: column for column in widget.drawing(gallery, found)["columns"]}
    assert set(columns) >= {*found, "smile"} and np.abs(columns["red lips"]["numbers"]).max() < 20


def test_a_saved_map_opens_and_one_without_images_does_not(gallery, tmp_path):
    photos = maps.gallery()
    photos.write(tmp_path / "map.npz")
    assert maps.read_map(tmp_path / "map.npz").names.tolist() == photos.names.tolist()
    replace(photos, thumbnails=[b"none"] * len(photos)).write(tmp_path / "damaged.npz")
    with pytest.raises(MapUnreadable, match="images"):
        maps.read_map(tmp_path / "damaged.npz")


def test_the_sprite_holds_every_face_in_its_place(gallery):
    import base64
    import io

    from PIL import Image

    across = widget.drawing(gallery)["across"]
    url = widget.sprite(gallery, across)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))), float)
    number = len(gallery) - 3
    size = widget.tile_size(gallery)
    top, left = number // across * size, number % across * size
    tile = Image.fromarray(maps.face_image(gallery, number)).resize((size,) * 2, Image.Resampling.BILINEAR)
    assert np.abs(sheet[top : top + size, left : left + size] - np.asarray(tile)).mean() < 6


@pytest.mark.parametrize("number", [3, -1], ids=["photo", "render"])
def test_a_face_of_the_gallery_opens_near_its_own_point(gallery, number):
    number %= len(gallery)
    session = maps.open_face(gallery, number)
    order, _ = gallery.nearest(session.codes, "code", 3)
    assert number in order


def test_every_position_decodes_to_a_face(gallery):
    subject = open_example(0).split()
    faces = [maps.render_at(gallery, place, kind, subject) for kind in gallery.kinds
             for place in ((-0.5, 0.3), (0.6, -0.2))]
    assert all(face.shape == (64, 64, 3) and face.std() > 15 for face in faces)
    assert np.abs(faces[0].astype(float) - faces[1]).mean() > 2


@pytest.fixture
def quick(monkeypatch):
    """Layouts at once, and a map of very few faces."""
    monkeypatch.setattr("core.latent_map.builder.umap_layout", lambda rows: np.tanh(rows[:, :2]))
    monkeypatch.setattr("core.latent_map.builder.FEWEST", 2)
    monkeypatch.setattr(maps, "warm_up", lambda: None)


@pytest.fixture
def uploads(tmp_path) -> list[Path]:
    """Two photos and a text, as uploaded."""
    for path in EXAMPLES[:2]:
        shutil.copy(path, tmp_path)
    (tmp_path / "notes.jpg").write_text("no photo")
    return sorted(tmp_path.iterdir())


def test_a_folder_becomes_a_map_and_is_deleted(quick, uploads):
    *messages, (made, refused) = maps.map_photos(uploads)
    assert messages[0].startswith("0 of 3 photos") and "2 faces" in messages[-1]
    assert refused == [("notes.jpg", "A text file is not a photo that can be read")]
    assert made.names.tolist() == [path.name for path in EXAMPLES[:2]] and "folder" not in made.columns
    assert not any(path.exists() for path in uploads)
    order, _ = made.nearest(open_photo(EXAMPLES[1]).codes, "code")
    assert order[0] == 1


def test_cancelled_work_leaves_no_file(quick, uploads):
    work = maps.map_photos(uploads)
    next(work)
    work.close()
    assert not any(path.exists() for path in uploads)


def test_two_visitors_can_map_the_same_files(quick, uploads, tmp_path, monkeypatch):
    (tmp_path / "taken").mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "taken"))
    first, second = maps.take_files(map(str, uploads)), maps.take_files(map(str, uploads))
    assert [path.name for path in second] == [path.name for path in uploads]
    begun = maps.map_photos(second)
    next(begun), next(begun)
    *_, (made, _) = maps.map_photos(first)
    *_, (others, _) = begun
    assert len(made) == len(others) == 2 and not any(path.exists() for path in first + second)
    third = maps.take_files(map(str, uploads))  # the originals are still there
    assert all(path.exists() for path in third)


def test_photos_that_wait_for_their_turn_are_not_deleted(quick, uploads):
    for path in uploads:
        os.utime(path, (0, 0))
    work = maps.map_photos(uploads)
    next(work), next(work)
    delete_old_files(uploads[0].parent, 60)
    assert [path.exists() for path in uploads] == [False, True, True]
    work.close()


def test_left_out_files_are_listed_by_reason():
    html = widget.left_out([("<b>.jpg", "No face"), ("notes.txt", "No photo"), ("wall.jpg", "No face")])
    assert "Left out: 3" in html and "<dt>No face</dt><dd>&lt;b&gt;.jpg<br>wall.jpg</dd>" in html
    assert widget.left_out([]) == ""


def test_a_folder_without_faces_is_refused_with_a_message(quick, uploads):
    with pytest.raises(FaceNotFound, match="more photos"):
        list(maps.map_photos(uploads[-1:]))
