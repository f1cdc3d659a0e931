"""LatentFace: from a photo of a face to depth, albedo, light, pose and expression, and back to images.

    from core import LatentFace, View

The names below are imported when they are first used, so that `import core` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.pipeline import LatentFace
    from core.types import Codes, ExpressionWeights, Factors, Light, SplitCodes, TexturedFace, View

__all__ = ["Codes", "ExpressionWeights", "Factors", "LatentFace", "Light", "SplitCodes", "TexturedFace", "View"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("core.pipeline" if name == "LatentFace" else "core.types"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
