"""Milliseconds that each rasterizer takes, forward and backward, on this machine's CPU and on a CUDA device if any.

    python -m benchmarks.rasterizers [--repeat 5] [--threads 2]

Each figure is the median of the repeated runs after one that is not counted. PyTorch3D is measured where it is
installed (requirements-pytorch3d.txt).
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from core.errors import BackendMissing
from core.geometry.camera import backproject, transform
from core.geometry.rasterizer import RASTERIZERS, rasterize_depth, use_rasterizer
from core.types import View

CASES = ((64, 8), (64, 32), (128, 8), (128, 32))
"""Sides of the grids in pixels, and how many at once."""


def turned_heads(count: int, size: int, device: str) -> torch.Tensor:
    """(count, size, size, 3) points of bumpy heads, each in another view."""
    generator = torch.Generator().manual_seed(0)
    axis = torch.linspace(-1, 1, size)
    bump = 0.08 * torch.exp(-(axis[:, None] ** 2 + axis**2) * 2)
    depth = 1.05 - bump + 0.002 * torch.rand(count, size, size, generator=generator)
    view = View(torch.rand(count, 3, generator=generator) * 1.2 - 0.6, torch.zeros(count, 2))
    return transform(backproject(depth), view).to(device)


def times(points: torch.Tensor, repeat: int) -> tuple[float, float]:
    """Median milliseconds of the forward and of the backward pass."""
    forward, backward = [], []
    for _ in range(repeat + 1):
        leaf = points.clone().requires_grad_()
        start = _now(points)
        depth, _ = rasterize_depth(leaf, points.shape[1])
        middle = _now(points)
        depth.sum().backward()
        backward.append(_now(points) - middle)
        forward.append(middle - start)
    return statistics.median(forward[1:]) * 1000, statistics.median(backward[1:]) * 1000


def _now(points: torch.Tensor) -> float:
    if points.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter()


def main() -> None:
    """Print one row for each rasterizer, device, size and count."""
    parser = argparse.ArgumentParser(description="Milliseconds of the rasterizers, forward and backward.")
    parser.add_argument("--repeat", type=int, default=5, help="runs of which the median is taken (default: 5)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| rasterizer | device | grid | count | forward, ms | backward, ms |\n|---|---|---|---|---|---|")
    for name in RASTERIZERS:
        try:
            with use_rasterizer(name):
                for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
                    for size, count in CASES:
                        forward, backward = times(turned_heads(count, size, device), options.repeat)
                        print(f"| {name} | {device} | {size} × {size} | {count} | {forward:.1f} | {backward:.1f} |")
        except BackendMissing as error:
            print(f"| {name} | not installed | | | | |")
            print(f"\n{error}")


if __name__ == "__main__":
    main()
