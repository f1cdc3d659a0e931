"""LatentFace: the public interface, from a photo to its factors and back to pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.autoencoder import Autoencoder
from core.config import ModelConfig
from core.errors import WeightsDamaged
from core.hub import load_weights, weights_path
from core.types import Codes, Factors, Light, View

if TYPE_CHECKING:
    import numpy as np

    from core.faces import Face

BATCH = 32
"""Pictures that go through the networks at once."""


class LatentFace:
    """The trained model with everything around it.

    model = LatentFace.from_pretrained()
    face = model.find_faces("photo.jpg")[0]
    factors = model.analyze([face])
    turned = model.render(factors, view=View.of(yaw=0.4), photo=face.full)
    """

    def __init__(self, autoencoder: Autoencoder):
        self.autoencoder = autoencoder.eval().requires_grad_(False)

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None) -> LatentFace:
        """Load weights: `path`, else the environment variable LATENTFACE_WEIGHTS, else the bundled ones. No network.

        Raises:
            WeightsMissing: there is no such file.
            WeightsDamaged: the file cannot be read, or belongs to another version of the model.
        """
        path = weights_path(path)
        config, state = load_weights(path)
        autoencoder = Autoencoder(config)
        try:
            autoencoder.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsDamaged(f"The weights {path} belong to another version of the model: fetch the file that "
                                 "comes with this one.") from error
        return cls(autoencoder.to(memory_format=torch.channels_last))

    @property
    def config(self) -> ModelConfig:
        """Sizes and ranges of the model."""
        return self.autoencoder.config

    def find_faces(self, photo) -> list[Face]:
        """Detect and align every face of a photo, largest first; see core.faces.find_faces.

        Raises:
            FaceNotFound, ImageTooSmall, ImageTooLarge, ImageUnreadable: with a sentence that says what to do.
        """
        from core.faces import find_faces

        return find_faces(photo, self.config.image_size)

    @torch.inference_mode()
    def analyze(self, images: Tensor | np.ndarray | list[Face]) -> Factors:
        """Factors of aligned pictures.

        Args:
            images: (B, 3, H, W) in [0, 1] with H = W = `config.image_size`, or faces.

        Returns:
            Factors of the B pictures, float32.

        Raises:
            ValueError: wrong shape, or values outside [0, 1].
        """
        parts = [self.autoencoder(part) for part in self._batches(images)]
        return parts[0] if len(parts) == 1 else Factors.join(parts)

    @torch.inference_mode()
    def encode(self, images: Tensor | np.ndarray | list[Face]) -> Codes:
        """Depth and albedo codes of aligned pictures; arguments and errors as in `analyze`."""
        return Codes.join([self.autoencoder.encode(part) for part in self._batches(images)])

    @torch.inference_mode()
    def render(self, factors: Factors, view: View | None = None, light: Light | None = None, size: int = 256,
               photo: Tensor | None = None) -> Tensor:
        """Picture of the faces in a pose and a light.

        Args:
            factors: of B faces.
            view: B poses or one for all; the photo's own by default.
            light: B lights or one for all; the photo's own by default.
            size: side of the picture in pixels.
            photo: (B, 3, N, N) or (3, N, N) `Face.full`: its detail is carried over (method: detail transfer).

        Returns:
            (B, 3, size, size), [0, 1].
        """
        from core.detail import decode, transfer
        from core.render import draw

        count = len(factors.image)
        view = _repeat(view or factors.view, count)
        light = _repeat(light or factors.light, count)
        if photo is None:
            return draw(decode(factors), view, light, size)
        return draw(transfer(factors, photo[None] if photo.dim() == 3 else photo), view, light, size)

    def _batches(self, images: Tensor | np.ndarray | list[Face]):
        images = torch.stack([face.image for face in images]) if isinstance(images, list) else torch.as_tensor(images)
        size = self.config.image_size
        if images.dim() != 4 or tuple(images.shape[1:]) != (3, size, size):
            raise ValueError(f"images must be (B, 3, {size}, {size}), got {tuple(images.shape)}")
        if not len(images) or not (images.min() >= 0 and images.max() <= 1):
            raise ValueError("images must be one picture at least, with values in [0, 1]")
        device = next(self.autoencoder.parameters()).device
        return (part.to(device, torch.float32) for part in images.split(BATCH))


def _repeat(values, count: int):
    """One view or light for all faces."""
    return values.map(lambda tensor: tensor.expand(count, *tensor.shape[1:]))
