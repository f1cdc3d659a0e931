"""Maps and numbers of one face as files: images, depth with 16 bits, codes as arrays and as JSON."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.export.provenance import FAR, NEAR, SYNTHETIC
from core.export.report import report
from core.export.visualize import to_uint8
from core.types import Codes, Factors, SplitCodes

if TYPE_CHECKING:
    from core.faces import Face


def depth16(canon_depth: Tensor) -> Image.Image:
    """Depth (H, W) of one face as a 16-bit gray image, see `core.export.provenance.DEPTH16`; nearer is darker."""
    part = ((canon_depth.cpu().numpy() - NEAR) / (FAR - NEAR)).clip(0, 1)
    return Image.fromarray((part * 65535).round().astype(np.uint16))


def map_image(maps: Tensor, size: int) -> Image.Image:
    """Maps (1, 1 or 3, H, W) in [0, 1] of one face as an image; small ones are enlarged to `size`."""
    maps = maps.float().cpu()
    if maps.shape[-1] < size:
        maps = F.interpolate(maps, size=(size, size), mode="bicubic")
    array = to_uint8(maps[0])
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def code_arrays(codes: Codes | SplitCodes) -> dict[str, np.ndarray]:
    """Codes of one face by name, (256,) each; with identity and expression where they are split."""
    whole = codes.codes if isinstance(codes, SplitCodes) else codes
    parts = {"identity": codes.identity, "expression": codes.expression} if isinstance(codes, SplitCodes) else {}
    arrays = {"depth_code": whole.depth_code, "albedo_code": whole.albedo_code}
    for kind, part in parts.items():
        arrays |= {f"{kind}_depth": part.depth, f"{kind}_albedo": part.albedo}
    return {name: array[0].cpu().numpy() for name, array in arrays.items()}


def codes_npz(factors: Factors, codes: Codes | SplitCodes) -> bytes:
    """Codes, light and pose of one face as a NumPy archive; angles in radians, axes as in core.geometry.camera."""
    light, view, file = factors.light, factors.view, io.BytesIO()
    numbers = {"ambient": light.ambient, "diffuse": light.diffuse, "direction": light.direction,
               "rotation": view.rotation, "translation": view.translation}
    arrays: dict[str, Any] = {**code_arrays(codes),
                              **{name: value[0].cpu().numpy() for name, value in numbers.items()},
                              **{name: np.array(value) for name, value in SYNTHETIC.items()}}
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def codes_json(factors: Factors, face: Face, codes: Codes | SplitCodes) -> bytes:
    """`core.export.report.report` and the codes as JSON."""
    arrays = {name: array.tolist() for name, array in code_arrays(codes).items()}
    return json.dumps({**report(factors, face), "codes": arrays}, indent=1, ensure_ascii=False).encode()
