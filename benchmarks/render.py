"""Milliseconds of analysis and rendering on this machine.

    python -m benchmarks.render [--threads 2] [--repeat 20] [--weights FILE | --image-size 128]

Each figure is the median of the repeated runs after one that is not counted.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from core import LatentFace, Light, TexturedFace, View
from core.config import ModelConfig
from core.geometry.camera import backproject, transform
from core.geometry.rasterizer import rasterize_depth
from core.model.autoencoder import Autoencoder

PHOTO = Path(__file__).parents[1] / "tests" / "data" / "001_smiling.jpg"


def milliseconds(function: Callable[[], object], repeat: int) -> float:
    """Median time of a call."""
    function()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def turned_grids(count: int, size: int) -> torch.Tensor:
    """(count, size, size, 3) points of bumpy heads, each in another view."""
    axis = torch.linspace(-1, 1, size)
    ball = 0.08 * torch.exp(-(axis[:, None] ** 2 + axis**2) * 2)
    depth = 1.05 - ball + 0.002 * torch.rand(count, size, size)
    view = View(torch.empty(count, 3).uniform_(-0.6, 0.6), torch.zeros(count, 2))
    return transform(backproject(depth), view)


def train_step(points: torch.Tensor) -> None:
    """Forward and backward pass of the rasterizer."""
    points = points.detach().requires_grad_()
    rasterize_depth(points, points.shape[1])[0].sum().backward()


def cases(model: LatentFace) -> dict[str, Callable[[], object]]:
    """Name of each figure and the call that it times."""
    torch.manual_seed(0)
    many, one = turned_grids(32, 64), turned_grids(1, 256)
    faces = model.find_faces(PHOTO)[:1]
    factors = model.analyze(faces)
    decoded, textured = model.texture(factors), model.texture(factors, faces)
    view, light = View.of(0.1, 0.4), Light.of(0.4, 0.6, 0.8, 0.2)
    found: dict[str, Callable[[], object]] = {
        "rasterize 32 grids of 64², forward + backward": lambda: train_step(many),
        "rasterize one grid of 256², forward": lambda: rasterize_depth(one, 256),
        "find_faces": lambda: model.find_faces(PHOTO),
        "analyze": lambda: model.analyze(faces),
        "texture, decoded (once per photo)": lambda: model.texture(factors),
        "texture, photo (once per photo)": lambda: model.texture(factors, faces),
    }
    for size in (64, 256, 512):
        found[f"render decoded, {size} px"] = lambda size=size: model.render(decoded, view, light, size)
        found[f"render photo detail, {size} px"] = lambda size=size: model.render(textured, view, light, size)
    return found | (reenactment(model, textured) if model.diffusion else {})


def reenactment(model: LatentFace, face: TexturedFace) -> dict[str, Callable[[], object]]:
    """`cases` of a model with a diffusion model: each call with another strength, so that nothing is reused but the
    change of expression."""
    codes, small, strengths = face.factors.codes, model.preview(face), itertools.cycle((0.4, 0.6, 0.8))
    return {
        "split": lambda: model.split(codes),
        "reenact": lambda: model.reenact(face, {}, next(strengths)),
        "reenact and render a preview, 256 px": lambda: model.render(model.reenact(small, {}, next(strengths))),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Milliseconds of analysis and rendering on this machine.")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch (default: all cores)")
    parser.add_argument("--repeat", type=int, default=20, help="runs per figure (default: 20)")
    parser.add_argument("--weights", help="weights file (default: untrained, which takes as long)")
    parser.add_argument("--image-size", type=int, default=ModelConfig.image_size,
                        help="side in pixels of the untrained model (default: that of the bundled one)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    untrained = LatentFace(Autoencoder(ModelConfig(image_size=options.image_size)))
    model = LatentFace.from_pretrained(options.weights) if options.weights else untrained
    print(f"{'':48} ms, {options.threads} thread{'s' * (options.threads > 1)}")
    for name, function in cases(model).items():
        print(f"{name:48} {milliseconds(function, options.repeat):6.1f}")


if __name__ == "__main__":
    main()
