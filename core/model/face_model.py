"""The trained networks: from aligned images to factors and codes, and from codes to other faces (paper section 3).

Photos, rendering at display size and export are added by its only subclass, core.pipeline.LatentFace.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from core.arguments import (
    check_boolean,
    check_choice,
    check_images,
    check_integer,
    check_number,
    check_same_count,
    check_seed,
    check_strength,
)
from core.config import BATCH, SemanticsConfig
from core.errors import WeightsMissing
from core.geometry.camera import depth_to_normal
from core.geometry.displacement import motion_flow
from core.geometry.rasterizer import use_rasterizer
from core.geometry.shading import shade
from core.lazy import lazy_property
from core.model import code_ops
from core.model.diffusion import SAMPLES, SEED, Diffusion
from core.model.expression_basis import EXPRESSION_NAMES, ExpressionBasis
from core.model.fine import move_detail
from core.model.pretrained import PretrainedModel
from core.model.refine import refine as refine_factors
from core.model.semantics import (
    Semantic,
    SemanticBasis,
    check_amounts,
    code_changes,
    expression_semantics,
)
from core.types import CodePair, Codes, ExpressionWeights, Factors, Light, SplitCodes, Uncertainty

if TYPE_CHECKING:
    import numpy as np

    from core.faces import Face

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def inference(method: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run a method without gradients, in full precision whatever surrounds it, with the model's rasterizer."""
    @functools.wraps(method)
    def run(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
        model = cast(FaceModel, args[0])
        with torch.no_grad(), torch.autocast(model.device.type, enabled=False), use_rasterizer(model.rasterizer):
            return method(*args, **options)

    return run


class FaceModel(PretrainedModel):
    """Everything that the networks do with images and codes. All methods raise ArgumentInvalid for wrong arguments."""

    # --- From images to factors and codes -----------------------------------------------------------------------------

    @inference
    def analyze(self, images: Tensor | np.ndarray | Sequence[Face], refine: bool = False,
                fine: bool = True) -> Factors:
        """Factors of aligned photos (paper section 3.1).

        Args:
            images: faces of `find_faces`, or (B, 3, H, W) in [0, 1] with H = W = `config.image_size`, or that of the
                fine stage.
            refine: optimise codes, light and view on each photo, about a second a face (core.model.refine).
            fine: add the photo's detail at 128 pixels (core.model.fine), where the images have it; `Factors.coarse` is
                then what the codes alone give.

        Returns:
            Factors of the B photos, float32.
        """
        refine, fine = check_boolean("refine", refine), check_boolean("fine", fine)
        find = functools.partial(refine_factors, self.autoencoder) if refine else self.autoencoder
        factors = Factors.cat([find(part) for part in self._batches(images)])
        photos = self._detailed(images) if fine else None
        if self.fine is None or photos is None:
            return factors
        return Factors.cat([self.fine(factors[k:k + BATCH], photos[k:k + BATCH].to(self.device))
                            for k in range(0, len(factors), BATCH)])

    @inference
    def encode(self, images: Tensor | np.ndarray | Sequence[Face]) -> Codes:
        """Codes of aligned photos; arguments as in `analyze`."""
        return Codes.cat([self.autoencoder.encode(part) for part in self._batches(images)])

    @inference
    def split(self, codes: Codes, seed: int = SEED,
              callback: Callable[[int, CodePair], None] | None = None) -> SplitCodes:
        """Split codes into identity and expression by the diffusion model; their sum is the code (paper section 3.2).

        Args:
            codes: of B faces.
            seed: of the noise from which the identity is sampled; the same seed gives the same identity.
            callback: called as callback(step, identity) after each denoising step, with the identity reached so far.

        Raises:
            WeightsMissing: the model has no diffusion weights.
        """
        identity = self._require_diffusion().identity(codes, check_seed(seed), callback)
        return SplitCodes(identity, codes.pair - identity)

    @inference
    def sample_identities(self, codes: Codes, count: int = SAMPLES, seed: int = SEED) -> CodePair:
        """Samples (count, B, 256) of the identity from different noise; errors as of `split`."""
        return self._require_diffusion().sample(codes, check_integer("count", count, 1, 1024), check_seed(seed))

    @inference
    def features(self, images: Tensor | np.ndarray | Sequence[Face],
                 kind: Literal["expression", "identity", "code"], seed: int = SEED) -> Tensor:
        """The papers' features for classifiers, depth first, then albedo (paper section 4).

        Args:
            images: as in `analyze`.
            kind: "expression": [expression, code] of each, for expression recognition; "identity": [identity, code] of
                each, to compare people; "code": the codes alone.
            seed: as in `split`.

        Returns:
            (B, 1024), or (B, 512) for "code".

        Raises:
            WeightsMissing: the model has no diffusion weights and `kind` is not "code".
        """
        check_choice("kind", kind, code_ops.KINDS)
        codes = self.encode(images)
        if kind == "code":
            return codes.pair.rows
        part = code_ops.select(self.split(codes, seed), kind)
        return torch.cat([part.depth, codes.depth_code, part.albedo, codes.albedo_code], 1)

    @inference
    def expressions(self, factors: Factors) -> ExpressionWeights:
        """Named expression weights of B faces, 0 and more, read from their codes.

        Raises:
            WeightsMissing: the model has no diffusion weights, or they hold no expression basis.
        """
        basis = self.require_basis()
        return ExpressionWeights(basis.read(factors.codes.pair) * basis.gain, EXPRESSION_NAMES)

    @inference
    def uncertainty(self, factors: Factors, seed: int = SEED) -> Uncertainty:
        """How much identities sampled from different noise differ, decoded; errors as of `split`."""
        samples = self.sample_identities(factors.codes, SAMPLES, seed)
        found = [self.decode(Codes.of(samples.apply(lambda rows, k=k: rows[:, k])), factors[k])
                 for k in range(len(factors))]
        return Uncertainty(torch.stack([one.canon_image.mean(0) for one in found]),
                           torch.stack([one.canon_albedo.std(0).mean(0) for one in found]),
                           torch.stack([one.canon_depth.std(0) for one in found]))

    # --- From codes to other faces ------------------------------------------------------------------------------------

    @inference
    def decode(self, codes: Codes, like: Factors) -> Factors:
        """Decode codes into the pose, light and confidence of a photo.

        Args:
            codes: B codes.
            like: B faces or one for all, whose image, view, light and confidence are taken.

        Returns:
            Factors of the B faces, without the fine stage's detail; `image` is still that of `like`.
        """
        count = check_same_count(codes=codes, like=like)
        codes, like = codes.expand(count), like.of_codes.expand(count)
        return self.autoencoder.render(like.image, codes, *self.autoencoder.decode(codes), like.light, like.view,
                                       like.confidence)

    @inference
    def decode_image(self, codes: Codes, light: Light) -> Tensor:
        """Canonical images (B, 3, H, W), [0, 1], of B codes under one light: the fastest way to see codes."""
        depth, albedo = self.autoencoder.decode(codes)
        return (albedo * shade(depth_to_normal(depth), light)).clamp(0, 1)

    @inference
    def swap(self, identity_from: Factors, expression_from: Factors, depth: float = 1.0,
             albedo: float = 1.0) -> Factors:
        """The face of one photo with the expression of another, decoded, in the first photo's pose and light.

        For the same with the photo's own detail see `reenact`.

        Args:
            identity_from: B faces of `analyze`, or one for all.
            expression_from: B faces, or one for all.
            depth: strength of the expression's shape: 0 none, 1 all, up to 1.5 exaggerated.
            albedo: strength of its albedo.

        Raises:
            WeightsMissing: the model has no diffusion weights.
        """
        check_same_count(identity_from=identity_from, expression_from=expression_from)
        strengths = check_strength("depth", depth), check_strength("albedo", albedo)
        first, second, basis = identity_from.codes, expression_from.codes, self._basis
        if basis is None:
            return self.decode(code_ops.swap_parts(self.split(first), self.split(second), *strengths), identity_from)
        swapped = self.decode(code_ops.swap(first, second, *strengths, project=basis.project), identity_from)
        if identity_from.coarse is None:
            return swapped
        weights = basis.predict(second.pair - first.pair) * basis.photo_motion * strengths[0]
        before, motion = identity_from.expand(len(swapped)), basis.displace(weights).expand(len(swapped), -1, -1, -1)
        return move_detail(before, swapped, motion_flow(before.of_codes.canon_depth, motion))

    @inference
    def interpolate(self, a: Factors, b: Factors, t: float, what: code_ops.Kind = "code", seed: int = SEED) -> Factors:
        """A face between `a` (t = 0) and `b` (t = 1), decoded, in the pose and light of `a`.

        Args:
            a: B faces, or one for all.
            b: B faces, or one for all.
            t: 0 … 1.
            what: what is interpolated: "identity", "expression" (it ends where `swap` does) or "code", both.
            seed: as in `split`; errors as there.
        """
        check_choice("what", what, code_ops.KINDS)
        t = check_number("t", t, 0, 1)
        if what == "expression":
            return self.swap(a, b, t, t)
        return self.decode(code_ops.interpolate(self.split(a.codes, seed), self.split(b.codes, seed), t, what), a)

    @inference
    def neutral(self, factors: Factors, seed: int = SEED) -> Factors:
        """The faces without their expression, decoded from the identity alone; seed and errors as of `split`."""
        return self.decode(Codes.of(self.split(factors.codes, seed).identity), factors)

    # --- Edits by name ------------------------------------------------------------------------------------------------

    @lazy_property
    def semantics(self) -> tuple[Semantic, ...]:
        """What a face can be edited by: found directions, then expression weights; each family where there is one."""
        found = self.semantic_basis.list() if self.semantic_basis else []
        return (*found, *(expression_semantics(self._basis) if self._basis else []))

    @inference
    def edit(self, factors: Factors, amounts: Mapping[str, float], identity_locked: bool = True) -> Factors:
        """Faces changed by named amounts, decoded, in their own pose and light.

        Args:
            factors: of B faces.
            amounts: by name (`semantics`): sigma of found directions, weights of expressions; added to the face's own.
            identity_locked: changes of the expression leave the identity coordinates of the codes as they are.

        Returns:
            Factors of the B faces; the fine stage's detail moves with the expression.

        Raises:
            ArgumentInvalid: an unknown name (the nearest ones are named), or an amount beyond the semantic's limit.
        """
        identity, expression, weights = self.code_changes(amounts, identity_locked)
        after = self.decode(Codes.of(factors.codes.pair + identity + expression), factors)
        if factors.coarse is None:
            return after
        motion = self._basis.displace(weights) if self._basis else torch.zeros_like(factors.canon_normal).movedim(-1, 1)
        motion = motion.expand(len(factors), -1, -1, -1)
        return move_detail(factors, after, motion_flow(factors.coarse.canon_depth, motion))

    def code_changes(self, amounts: Mapping[str, float],
                     identity_locked: bool) -> tuple[CodePair, CodePair, Tensor]:
        """What `edit` changes of the codes: identity, expression, and the expression as weights (1, 57)."""
        amounts, locked = check_amounts(amounts, self.semantics), check_boolean("identity_locked", identity_locked)
        found = self.semantic_basis or SemanticBasis(SemanticsConfig(
            self.config.code_size, self.config.albedo_code_size)).to(self.device)
        return code_changes(amounts, found, self._basis, self.diffusion if locked else None)

    # --- Inside -------------------------------------------------------------------------------------------------------

    @property
    def _basis(self) -> ExpressionBasis | None:
        """The expression basis, where there is one."""
        basis = self.diffusion and self.diffusion.expression_basis
        return basis if basis and basis.is_fitted else None

    def require_basis(self) -> ExpressionBasis:
        """The expression basis. Raises WeightsMissing where there is none."""
        self._require_diffusion()
        if self._basis is None:
            raise WeightsMissing("These diffusion weights were trained without renders and hold no expression basis: "
                                 "use the bundled weights, or train with renders.")
        return self._basis

    def _require_diffusion(self) -> Diffusion:
        if self.diffusion is None:
            raise WeightsMissing("There are no diffusion weights beside these autoencoder weights, so codes cannot be "
                                 "split into identity and expression: train them with "
                                 "`python -m training.train_diffusion`, or use the bundled weights.")
        return self.diffusion

    def _batches(self, images: Tensor | np.ndarray | Sequence[Face]) -> Iterator[Tensor]:
        size = self.config.image_size
        images = check_images(images, size, self.fine and self.fine.config.image_size)
        images = images if images.shape[-1] == size else F.interpolate(images, (size, size), mode="area")
        return (part.to(self.device) for part in images.split(BATCH))

    def _detailed(self, images: Tensor | np.ndarray | Sequence[Face]) -> Tensor | None:
        """The images (B, 3, H, W) at the fine stage's size; None where they have no such detail."""
        if self.fine is None:
            return None
        size = self.fine.config.image_size
        if isinstance(images, Sequence):
            return torch.cat([_resized(face.full[None], size) for face in images])
        found = torch.as_tensor(images)
        return found.float() if found.shape[-1] == size else None


def _resized(images: Tensor, size: int) -> Tensor:
    """Images (B, 3, N, N) at another size."""
    if images.shape[-1] >= size:
        return F.interpolate(images, (size, size), mode="area")
    return F.interpolate(images, (size, size), mode="bicubic").clamp(0, 1)
