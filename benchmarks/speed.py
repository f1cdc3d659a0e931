"""Milliseconds of every step on this machine, beside what its multiplications would take at the machine's peak, and
beside networks of the papers' layer tables (benchmarks.reference_networks) in the same run.

    python -m benchmarks.speed [--threads 1 2] [--repeat 9] [--only analyze render] [--out speed.json]

With one thread the processor's time stands beside the wall clock's: on a busy machine it is the one to compare. The
floor counts the networks' multiplications and additions, at the speed that one large convolution reaches (`peak`).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.reference_networks import ReferenceNetworks
from benchmarks.render import PHOTO
from core import LatentFace, Light, View
from core.files import write_bytes
from core.model.networks import channels_last

Cases = dict[str, Callable[[], object]]
SIZES = 64, 128, 256, 512
"""Sides of the renders, pixels."""
BATCH = 32
RATIOS = {"analyze, codes alone": "reference, factors", "analyze, with the fine stage": "reference, factors",
          "analyze and split, codes alone": "reference, factors and identity"}
"""Steps and what they are compared with, for one photo and for `BATCH`."""


def clock(function: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Median milliseconds of a call, by the wall clock and of the processor, after one call that is not counted."""
    function()
    wall, processor = [], []
    for _ in range(repeat):
        start = time.perf_counter(), time.process_time()
        function()
        wall.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return statistics.median(wall) * 1000, statistics.median(processor) * 1000


def billions(function: Callable[[], object]) -> float:
    """Billions of multiplications and additions in matrix products and convolutions of a call."""
    packed = {torch.ops.mkldnn._convolution_pointwise: _packed_flops}
    with FlopCounterMode(display=False, custom_mapping=packed) as counter:
        function()
    return counter.get_total_flops() / 1e9


def _packed_flops(maps: torch.Size, kernel: torch.Size, *_, out_shape: torch.Size, **__) -> int:
    """Of a convolution of core.model.networks.PackedConv2d, from the shapes of its arguments and of its result."""
    return 2 * math.prod(out_shape) * math.prod(kernel[1:])


@torch.no_grad()
def peak(repeat: int) -> float:
    """Billions of multiplications and additions a second, of processor time of one thread."""
    torch.set_num_threads(1)
    layer, maps = channels_last(nn.Conv2d(256, 256, 3, 1, 1)), torch.rand(4, 256, 32, 32)
    maps = maps.contiguous(memory_format=torch.channels_last)
    return billions(lambda: layer(maps)) / clock(lambda: layer(maps), repeat)[1] * 1000


def cases(model: LatentFace) -> Cases:
    """Name of each step and the call that does it."""
    faces = model.find_faces(PHOTO)[:1]
    factors, reference = model.analyze(faces), ReferenceNetworks()
    face, small, codes = model.texture(factors, faces), torch.rand(1, 3, 64, 64), factors.codes
    half, head, view, light = model.preview(face), model.head(face), View.of(0.1, 0.4), Light.of(0.4, 0.6, 0.8, 0.2)
    strengths = itertools.cycle((0.4, 0.6, 0.8))
    found: Cases = {"align: find faces": lambda: model.find_faces(PHOTO)}
    for count in (1, BATCH):
        many, of = small.expand(count, -1, -1, -1).contiguous(), f", {count} photo{'s' * (count > 1)}"
        fine = torch.rand(count, 3, 128, 128)
        found |= {
            "encode" + of: lambda many=many: model.encode(many),
            "analyze, codes alone" + of: lambda many=many: model.analyze(many, fine=False),
            "analyze, with the fine stage" + of: lambda fine=fine: model.analyze(fine),
            "split" + of: lambda count=count: model.split(codes.expand(count)),
            "analyze and split, codes alone" + of:
                lambda many=many: model.split(model.analyze(many, fine=False).codes),
            "reference, factors" + of: lambda many=many: reference.factors(many),
            "reference, factors and identity" + of: lambda many=many: reference(many)}
    found["texture"] = lambda: model.texture(factors, faces)
    for size in SIZES:
        found[f"render, {size} px"] = lambda size=size: model.render(face, view, light, size)
    return found | {
        "redraw (preview), 256 px": lambda: model.render(half, view, light, 256),
        "reenact": lambda: model.reenact(face, {}, next(strengths)),
        "reenact and redraw, 256 px": lambda: model.render(model.reenact(half, {}, next(strengths)), size=256),
        "head": lambda: model.head(face),
        "head as GLB": lambda: head.mesh(),
        "face as GLB": lambda: model.mesh(face)}


def measure(found: Cases, threads: list[int], repeat: int) -> dict[str, dict[str, float]]:
    """Figures of each step: `processor`, `wall 1`, `wall 2`, …, and `flops`, in milliseconds and billions."""
    rows: dict[str, dict[str, float]] = {name: {"flops": billions(call)} for name, call in found.items()}
    for count in threads:
        torch.set_num_threads(count)
        for name, call in found.items():
            wall, processor = clock(call, repeat)
            rows[name] |= {f"wall {count}": wall} | ({"processor": processor} if count == 1 else {})
    return rows


def table(rows: dict[str, dict[str, float]], speed: float) -> str:
    """The figures as Markdown; `speed` is that of `peak`."""
    columns = sorted({name for row in rows.values() for name in row} - {"flops"})
    lines = [f"Peak of one thread: {speed:.0f} GFLOP/s of float32.\n",
             f"| ms | floor, 1 thread | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
    for name, row in rows.items():
        floor = f"{row['flops'] / speed * 1000:.1f}" if row["flops"] > 0.005 else "-"
        lines.append(f"| {name} | {floor} | {' | '.join(f'{row[column]:.1f}' for column in columns)} |")
    ratios = ratio_lines(rows, columns)
    return "\n".join([*lines, *(["", f"| part of | | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
                                if ratios else []), *ratios])


def ratio_lines(rows: dict[str, dict[str, float]], columns: list[str]) -> list[str]:
    """Steps as parts of the reference networks' time."""
    lines = []
    for (step, other), of in itertools.product(RATIOS.items(), (", 1 photo", f", {BATCH} photos")):
        if step + of in rows and other + of in rows:
            parts = [f"{rows[step + of][column] / rows[other + of][column]:.2f}" for column in columns]
            lines.append(f"| {step}{of} | {other} | {' | '.join(parts)} |")
    return lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description="Milliseconds of every step.")
    add = parser.add_argument
    add("--threads", type=int, nargs="+", default=[1, 2], help="of torch (default: 1 2)")
    add("--repeat", type=int, default=9, help="runs of which the median is taken (default: 9)")
    add("--only", nargs="+", metavar="TEXT", help="steps whose names begin so")
    add("--weights", help="weights file, folder or name on the Hub (default: the bundled weights)")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")
    options = parser.parse_args()
    speed = peak(options.repeat)
    found = cases(LatentFace.from_pretrained(options.weights))
    chosen = {name: call for name, call in found.items() if not options.only or name.startswith(tuple(options.only))}
    rows = measure(chosen, options.threads, options.repeat)
    print(table(rows, speed))
    if options.out:
        write_bytes(options.out, json.dumps({"peak": speed, "steps": rows}, indent=1).encode())


if __name__ == "__main__":
    main()
