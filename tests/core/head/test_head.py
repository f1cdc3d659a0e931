"""A whole head from one photo: shape, expression, textures and file."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from core import LatentFace
from core.config import ASSETS
from core.errors import WeightsMismatch, WeightsMissing
from core.export.gltf import glb_bytes
from core.head.fit import OUTLINE, facing, landmark_pull, vertex_normals
from core.head.head import METRES, topology
from core.head.rig import EYES, SCALE, in_camera, load_rig
from core.head.texture import plain_uv
from core.model.expression_basis import EXPRESSION_NAMES
from core.model.head_regression import load_regression
from core.model.weights import autoencoder_fingerprint

PHOTO = ASSETS / "examples" / "038_smiling.jpg"


@pytest.fixture(scope="module")
def face(model):
    found = model.find_faces(PHOTO)[:1]
    return model.texture(model.analyze(found), found)


@pytest.fixture(scope="module")
def head(model, face):
    return model.head(face)


def test_heads_are_life_size_and_upright(head):
    rig = load_rig()
    left, right = (head.neutral[rig.vertices_of(name)].mean(0) for name in EYES)
    assert 0.055 < np.linalg.norm(left - right) < 0.075
    top, bottom = head.neutral[:, 1].max(), head.neutral[:, 1].min()
    assert bottom < left[1] < top and 0.3 < top - bottom < 0.5


def test_a_smile_is_read_as_the_initial_expression(head):
    assert list(head.expression) == list(EXPRESSION_NAMES)
    assert head.expression["mouthSmile_L"] > 0.2
    assert all(0 <= weight <= 1 for weight in head.expression.values())


def test_named_expressions_move_the_head(head):
    moved = head.vertices({"jawOpen": 1.0}) - head.neutral
    assert moved[:, 1].min() < -0.01
    assert np.array_equal(head.vertices({}), head.neutral)


def test_no_triangle_of_the_face_is_turned_over(model):
    _, front = model.head_fit
    points = in_camera(front.rig.neutral.reshape(-1, 3))
    at = points[front.skin[front.row]]
    pull = np.random.default_rng(0).normal(0, 0.006, at.shape).astype(np.float32)
    moved = points + landmark_pull(front, points, pull)
    assert ((facing(points, front.triangles) * facing(moved, front.triangles)).sum(1) > 0).all()


def test_eyes_keep_their_shape(model, face, head):
    regression, front = model.head_fit
    identity, expression = (found[0] for found in regression.predict(face.factors.of_codes.codes))
    plain = front.rig.shape(identity, np.zeros_like(expression)) * (SCALE * METRES)
    for name in EYES:
        moved = (head.neutral - plain)[front.rig.vertices_of(name)]
        assert np.ptp(moved, 0).max() < 1e-5


def test_landmarks_are_reached_and_the_back_stays(model):
    _, front = model.head_fit
    points = in_camera(front.rig.neutral.reshape(-1, 3))
    pull = points[front.skin[front.row]] * np.float32([0.1, 0, 0])
    moved = landmark_pull(front, points, pull)
    inner = front.skin[front.row[:-OUTLINE]]
    assert np.abs(moved[inner] - pull[:-OUTLINE]).mean() < 0.3 * np.abs(pull[:-OUTLINE]).mean()
    assert np.abs(moved[points[:, 2] > 1.15]).max() < 0.001


def test_a_pull_that_all_landmarks_share_shifts_the_whole_head(model):
    _, front = model.head_fit
    shift = np.float32([0.004, -0.002, 0.001])
    moved = landmark_pull(front, in_camera(front.rig.neutral.reshape(-1, 3)), np.tile(shift, (len(front.row), 1)))
    assert np.abs(moved - shift).max() < 1e-5


def test_the_back_has_the_skins_tone_without_a_seam(head):
    skin = np.asarray(head.textures.skin).astype(float)
    u, v = plain_uv()
    tone = np.array(head.textures.tone) * 255
    assert np.abs(skin[int((1 - v) * len(skin)), int(u * len(skin))] - tone).max() <= 1
    rim = np.concatenate([skin[0], skin[-1]])
    assert np.abs(rim - tone).max() <= 3


def test_the_photo_is_on_the_face(face, head):
    skin = torch.from_numpy(np.asarray(head.textures.skin).copy()).float()
    nose = skin[350:450, 480:545].mean((0, 1))
    assert (nose / 255 - torch.tensor(head.textures.tone)).abs().max() < 0.2
    assert skin[200:800, 250:750].std((0, 1)).min() > 10


def test_the_glb_is_small_and_complete(head):
    content = glb_bytes(head.mesh())
    assert len(content) < 6e6
    assert all(name.encode() in content for name in EXPRESSION_NAMES)
    vertex, uv, triangles = topology()
    assert len(vertex) < 65536 and triangles.max() < len(vertex) and 0 <= uv.min() and uv.max() <= 1


def test_heads_without_landmarks_are_made_from_codes_alone(model, face):
    found = model.head(dataclasses.replace(face, landmarks=None))
    assert np.isfinite(found.neutral).all()


def test_normals_point_outwards():
    rig = load_rig()
    vertices = rig.neutral.reshape(-1, 3)
    normals = vertex_normals(vertices, rig.triangles)
    skin = rig.vertices_of("Face", "BackHead") & (vertices[:, 1] > 0)
    assert (np.sum(normals * (vertices - vertices[skin].mean(0)), 1) > 0)[skin].mean() > 0.8


def test_a_regression_of_another_autoencoder_is_refused(model):
    other = LatentFace(type(model.autoencoder)(model.config)).autoencoder
    with pytest.raises(WeightsMismatch, match="fit_head"):
        load_regression(ASSETS / "weights" / "head.safetensors", autoencoder_fingerprint(other.state_dict()))


def test_a_regression_is_read_as_it_was_written(model, tmp_path):
    regression, _ = model.head_fit
    regression.write(tmp_path / "head.safetensors", model.autoencoder)
    found = load_regression(tmp_path / "head.safetensors", autoencoder_fingerprint(model.autoencoder.state_dict()))
    for field in dataclasses.fields(found):
        assert torch.equal(getattr(found, field.name), getattr(regression, field.name))


def test_heads_look_for_their_file_beside_the_weights(tmp_path):
    shutil.copyfile(ASSETS / "weights" / "autoencoder.safetensors", tmp_path / "autoencoder.safetensors")
    with pytest.raises(WeightsMissing, match="fit_head"):
        LatentFace.from_pretrained(tmp_path / "autoencoder.safetensors").head_fit  # noqa: B018
