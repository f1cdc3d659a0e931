"""The numbers of one face as files: codes as arrays and as JSON, depth with 16 bits."""

from __future__ import annotations

import io
import json

import numpy as np
from PIL import Image
from torch import Tensor

from core.errors import WeightsMissing
from core.files import SYNTHETIC
from core.report import report
from core.types import Codes, Factors

NEAR, FAR = 0.9, 1.1
"""Depths that 0 and 65535 stand for."""
DEPTH16 = (f"canonical depth, 16 bit: {NEAR} + value / 65535 · {FAR - NEAR:.1f} camera distances, at the model's "
           "resolution")


def depth16(canon_depth: Tensor) -> Image.Image:
    """Depth (H, W) of one face as a 16-bit grey picture, see `DEPTH16`; nearer is darker."""
    part = ((canon_depth.cpu().numpy() - NEAR) / (FAR - NEAR)).clip(0, 1)
    return Image.fromarray((part * 65535).round().astype(np.uint16))


def code_arrays(codes: Codes) -> dict[str, np.ndarray]:
    """Codes of one face by name, (256,) each; with identity and expression where the model tells them apart."""
    arrays = {"depth_code": codes.depth_code, "albedo_code": codes.albedo_code}
    try:
        for kind, part in (("identity", codes.identity), ("expression", codes.expression)):
            arrays |= {f"{kind}_depth": part.depth, f"{kind}_albedo": part.albedo}
    except WeightsMissing:
        pass  # codes as they are still serve
    return {name: array[0].cpu().numpy() for name, array in arrays.items()}


def codes_npz(factors: Factors) -> bytes:
    """Codes, light and pose of one face as a NumPy archive; angles in radians, axes as in core.geometry."""
    light, view, file = factors.light, factors.view, io.BytesIO()
    numbers = {"ambient": light.ambient, "diffuse": light.diffuse, "direction": light.direction,
               "rotation": view.rotation, "translation": view.translation}
    np.savez_compressed(file, **code_arrays(factors.codes),
                        **{name: value[0].cpu().numpy() for name, value in numbers.items()},
                        **{name: np.array(value) for name, value in SYNTHETIC.items()})
    return file.getvalue()


def codes_json(factors: Factors, face) -> bytes:
    """`core.report.report` and the codes as JSON."""
    codes = {name: array.tolist() for name, array in code_arrays(factors.codes).items()}
    return json.dumps({**report(factors, face), "codes": codes}, indent=1, ensure_ascii=False).encode()
