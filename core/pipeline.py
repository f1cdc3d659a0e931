"""LatentFace: the public interface, from a photo to its factors and back to pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from core.config import ModelConfig
from core.errors import WeightsDamaged, WeightsMissing
from core.model import code_ops
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.model.refine import refine as refined
from core.model.weights import diffusion_path, load_diffusion, load_weights, weights_path
from core.types import CodePair, Codes, Factors, Light, View

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from core.faces import Face
    from core.model.expression_basis import Expressions

BATCH = 32
"""Pictures that go through the networks at once."""


class LatentFace:
    """The trained model with everything around it.

    model = LatentFace.from_pretrained()
    face = model.find_faces("photo.jpg")[0]
    factors = model.analyze([face])
    turned = model.render(factors, view=View.of(yaw=0.4), photo=face.full)
    """

    def __init__(self, autoencoder: Autoencoder, diffusion: Diffusion | None = None):
        self.autoencoder = autoencoder.eval().requires_grad_(False)
        self.diffusion = diffusion and diffusion.eval().requires_grad_(False)

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None) -> LatentFace:
        """Load weights: `path`, else the environment variable LATENTFACE_WEIGHTS, else the bundled ones. No network.

        `diffusion.safetensors` beside them, made for them, is loaded too; without it codes have no identity.

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
        diffusion = load_diffusion(diffusion_path(path), state)
        return cls(autoencoder.to(memory_format=torch.channels_last), diffusion)

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
    def analyze(self, images: Tensor | np.ndarray | list[Face], refine: bool = False) -> Factors:
        """Factors of aligned pictures.

        Args:
            images: (B, 3, H, W) in [0, 1] with H = W = `config.image_size`, or faces.
            refine: move what was found to where it explains the pictures better, about a second a face (core.model.refine).

        Returns:
            Factors of the B pictures, float32.

        Raises:
            ValueError: wrong shape, or values outside [0, 1].
        """
        find = partial(refined, self.autoencoder) if refine else self.autoencoder
        parts = [find(part) for part in self._batches(images)]
        factors = parts[0] if len(parts) == 1 else Factors.cat(parts)
        factors.codes.find_identity = self._find_identity
        return factors

    @torch.inference_mode()
    def encode(self, images: Tensor | np.ndarray | list[Face]) -> Codes:
        """Codes of aligned pictures, with their identity and expression; arguments and errors as in `analyze`."""
        codes = Codes.cat([self.autoencoder.encode(part) for part in self._batches(images)])
        codes.find_identity = self._find_identity
        return codes

    def features(self, images: Tensor | np.ndarray | list[Face],
                 kind: Literal["expression", "identity", "code"]) -> Tensor:
        """What the papers give to their classifiers, depth first, then albedo.

        Args:
            images: as in `analyze`.
            kind: "expression": [expression, code] of each, to recognise expressions; "identity": [identity, code] of
                each, to compare people; "code": the codes alone.

        Returns:
            (B, 1024), or (B, 512) for "code".

        Raises:
            WeightsMissing: the model has no diffusion weights and `kind` is not "code".
        """
        codes = self.encode(images)
        whole = codes.whole
        if kind == "code":
            return torch.cat([whole.depth, whole.albedo], 1)
        part = {"expression": lambda: codes.expression, "identity": lambda: codes.identity}[kind]()
        return torch.cat([part.depth, whole.depth, part.albedo, whole.albedo], 1)

    @torch.inference_mode()
    def decode(self, codes: Codes, like: Factors) -> Factors:
        """The face of codes in another face's place.

        Args:
            codes: B codes.
            like: B faces or one for all, whose photo, view, light and confidence are taken.

        Returns:
            Factors of the B faces; `image` is still the photo of `like`.
        """
        like = _repeat(like, len(codes.depth_code))
        return self.autoencoder.render(like.image, codes, *self.autoencoder.decode(codes), like.light, like.view,
                                       like.confidence)

    def swap(self, identity_from: Factors, expression_from: Factors, depth: float = 1.0,
             albedo: float = 1.0) -> Factors:
        """The face of one photo with the expression of another, in the first photo's place, pose and light.

        Args:
            identity_from: B faces of `analyze`, or one for all.
            expression_from: B faces, or one for all.
            depth: how much of the expression's shape goes over: 0 nothing, 1 all, up to 1.5 exaggerates.
            albedo: the same for its paint.

        Returns:
            Factors of the B new faces, to be rendered as any.

        Raises:
            WeightsMissing: the model has no diffusion weights.
        """
        codes = code_ops.swap(identity_from.codes, expression_from.codes, depth, albedo, self._expressive)
        return self.decode(codes, identity_from)

    def interpolate(self, a: Factors, b: Factors, t: float, what: code_ops.What = "code") -> Factors:
        """A face on the way from `a` (t = 0) to `b` (t = 1), in the place, pose and light of `a`.

        `what` moves: "identity", "expression" (to what `swap` gives) or, both, "code". Faces and errors as in `swap`.
        """
        return self.decode(code_ops.interpolate(a.codes, b.codes, t, what, self._expressive), a)

    def neutral(self, face: Factors) -> Factors:
        """The faces without their expression; errors as in `swap`."""
        return self.decode(code_ops.neutral(face.codes), face)

    @torch.inference_mode()
    def motion(self, identity_from: Factors, expression_from: Factors,
               landmarks: Tensor | None = None) -> Tensor | None:
        """How the expression of the other moves a face; faces as in `swap`.

        Args:
            identity_from, expression_from: as in `swap`.
            landmarks: (B, 478, 2) where brows, lips and all else are on the first face, `TexturedFace.landmarks`; where
                they are not known, the mean head's count.

        Returns:
            (B, 3, H, W) of the points at the first face's canonical pixels, canonical frame, camera-distance units;
            None where the model knows nothing of expressions.
        """
        known = self._expressions
        return known and known.moves(known.read(expression_from.codes.whole - identity_from.codes.whole), landmarks)

    @property
    def _expressions(self) -> Expressions | None:
        known = self.diffusion and self.diffusion.expressions
        return known if known and known.known else None

    @property
    def _expressive(self) -> Callable[[CodePair], CodePair] | None:
        return self._expressions and self._expressions.part

    @torch.inference_mode()
    def _find_identity(self, codes: Codes) -> CodePair:
        if self.diffusion is None:
            raise WeightsMissing("There are no diffusion weights made for these autoencoder weights, so that identity "
                                 "and expression cannot be told apart: train them with "
                                 "`python -m training.train_diffusion`, or use the bundled weights.")
        return self.diffusion.identity(codes)

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
        from core.rendering.compositor import composite
        from core.rendering.texture_transfer import texture_from_model, texture_from_photo

        count = len(factors.image)
        view = _repeat(view or factors.view, count)
        light = _repeat(light or factors.light, count)
        if photo is None:
            return composite(texture_from_model(factors), view, light, size)
        return composite(texture_from_photo(factors, photo[None] if photo.dim() == 3 else photo), view, light, size)

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
    return values.apply(lambda tensor: tensor.expand(count, *tensor.shape[1:]))
