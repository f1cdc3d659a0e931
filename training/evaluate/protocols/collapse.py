"""Whether a training has collapsed: wrong factors can explain a photo as well as the right ones.

    python -m training.evaluate collapse --renders packs/heldout.npz --photos fairface \
        --weights runs/0001-self_supervised/model.safetensors runs/0002-hybrid/model.safetensors

Three ways are known: a face that is flat, folded or inside out; light that is painted on the albedo; a turn of the head
that is told as another shape. None shows in the loss. Here each has a figure.
"""

from __future__ import annotations

from argparse import Namespace

import numpy as np
import torch
from torch import Tensor

from core.geometry.camera import backproject
from core.pipeline import LatentFace
from training.data.augment import SIDE_LIGHT
from training.data.face_pack import FacePack
from training.evaluate.comparison import Row, finish
from training.evaluate.metrics import correlation
from training.evaluate.protocols.geometry import mean_head
from training.evaluate.renders import NECK_DEPTH

PART = 128
"""Photos that are analysed at once."""
DARKEST = 0.01
"""Least albedo whose logarithm counts."""

ROWS = {
    "depth.head": Row("depth: correlation of the mean shape with the mean head (< 0: inside out)", 2),
    "depth.relief": Row("depth: relief, as a part of the mean head's (0: flat)", better="neither"),
    "albedo.light": Row("albedo: part of a light from the side that is painted on it (1: all)", better="low"),
    "depth.faces": Row("depth: differences between faces, as a part of the relief (0: one for all)", 3, "neither"),
    "shape.turn": Row("shape: lean to one side, as a part of the turn by MediaPipe's yaw", 3, "neither"),
    "pose.yaw": Row("pose: slope of yaw against MediaPipe's (0: no turn is found)"),
}


def run(options: Namespace) -> dict:
    """Measure every file of weights, print the table, write the report.

    Returns:
        What is written with --out.

    Raises:
        ConfigError: a file or folder is not there, or is not what it should be.
    """
    head, figures = mean_head(options.renders), {key: {} for key in ROWS}
    names = {str(path): path.parent.name for path in options.weights}
    for path in options.weights:
        model = LatentFace.from_pretrained(path)
        photos = FacePack(options.photos, model.config.image_size, "val", options.val_limit)
        for key, value in measure(model, photos[:], photos.columns["yaw_deg"], head).items():
            figures[key][str(path)] = value
    return finish(ROWS, figures, f"{len(photos)} photos", options, names)


def measure(model: LatentFace, photos: Tensor, yaw: np.ndarray, head: Tensor) -> dict[str, float]:
    """The figures of `ROWS`.

    Args:
        model: under test.
        photos: (N, 3, H, W), [0, 1].
        yaw: (N,) of the heads in them, degrees.
        head: (H, W) mean canonical depth of rendered heads.
    """
    face = head < NECK_DEPTH
    side = torch.linspace(-1, 1, photos.shape[-1]).sign().expand_as(head)[face] / face.sum()
    from_right = 1 + SIDE_LIGHT * torch.linspace(-1, 1, photos.shape[-1])
    lights = from_right, from_right.flip(0)
    depth, turn, painted = [], [], []
    for part in photos.split(PART):
        found, *lit = (model.analyze((part * light).clamp(0, 1)) for light in (torch.ones_like(from_right), *lights))
        depth.append(found.canon_depth[:, face])
        turn.append(torch.rad2deg(found.view.rotation[:, 1]))
        right, left = (one.canon_albedo.mean(1)[:, face].clamp(min=DARKEST).log() @ side for one in lit)
        painted.append(right - left)
    depth, turn, painted = map(torch.cat, (depth, turn, painted))
    # A turned head's far side lies deeper: how much, per radian, its distance from the middle says.
    across = backproject(head[None])[0, ..., 0][face]
    lean = torch.rad2deg((depth - depth.mean(0)) @ across / across.square().sum())
    right, left = (light.log().expand_as(head)[face] @ side for light in lights)
    shape, mean_shape = depth.mean(0), head[face]
    return {"depth.head": correlation(shape.numpy(), mean_shape.numpy())[0],
            "depth.relief": (shape.std() / mean_shape.std()).item(),
            "depth.faces": (depth.std(0).mean() / mean_shape.std()).item(),
            "albedo.light": (painted.mean() / (right - left)).item(),
            "shape.turn": -correlation(lean.numpy(), yaw)[1],
            "pose.yaw": correlation(turn.numpy(), yaw)[1]}
