"""LatentFace: the public interface, from a photo to its factors and back to images.

    from core import LatentFace, View

    model = LatentFace.from_pretrained()
    faces = model.find_faces("photo.jpg")
    factors = model.analyze(faces[:1])
    face = model.texture(factors, faces[:1])
    image = model.render(face, view=View.of(yaw=0.4))
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from core.arguments import (
    check_background,
    check_choice,
    check_expressions,
    check_faces,
    check_images,
    check_integer,
    check_number,
    check_same_count,
    check_seed,
    check_size,
    check_strength,
)
from core.config import BATCH, ModelConfig
from core.errors import ArgumentInvalid, WeightsMissing
from core.geometry.camera import depth_to_normal
from core.geometry.rasterizer import current_rasterizer, use_rasterizer
from core.geometry.shading import shade
from core.lazy import lazy_property
from core.model import code_ops
from core.model.autoencoder import Autoencoder
from core.model.diffusion import SEED, Diffusion
from core.model.expression_basis import BLINKS, EXPRESSION_NAMES, ExpressionBasis
from core.model.refine import refine as refine_factors
from core.model.weights import diffusion_path, load_autoencoder, load_diffusion, model_fingerprint, weights_path
from core.types import (
    CodePair,
    Codes,
    ExpressionWeights,
    Factors,
    Light,
    SplitCodes,
    TensorDataclass,
    TexturedFace,
    Uncertainty,
    View,
)

if TYPE_CHECKING:
    import numpy as np

    from core.export.mesh import Mesh
    from core.faces import Crop, Face
    from core.latent_map.map import LatentMap
    from core.rendering.reenactment import Reenactment

SAMPLES = 16
"""Identities over which uncertainty is measured."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Batch = TypeVar("Batch", bound=TensorDataclass)


def _inference(method: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run a method without gradients, in full precision whatever surrounds it, with the model's rasterizer."""
    @functools.wraps(method)
    def run(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
        model = cast(LatentFace, args[0])
        with torch.no_grad(), torch.autocast(model.device.type, enabled=False), use_rasterizer(model.rasterizer):
            return method(*args, **options)

    return run


class LatentFace:
    """The trained model and everything around it. All methods raise ArgumentInvalid for wrong arguments."""

    def __init__(self, autoencoder: Autoencoder, diffusion: Diffusion | None = None, rasterizer: str | None = None):
        self.autoencoder = autoencoder.eval().requires_grad_(False)
        self.diffusion = diffusion and diffusion.eval().requires_grad_(False)
        self.rasterizer = rasterizer or current_rasterizer()

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None, rasterizer: str | None = None) -> LatentFace:
        """Load weights: `path`, else the environment variable LATENTFACE_WEIGHTS, else the bundled ones. No network.

        `diffusion.safetensors` beside them is loaded too; without it codes cannot be split.

        Args:
            path: file of the autoencoder.
            rasterizer: "grid" (the project's own) or "pytorch3d" (requirements-pytorch3d.txt); None: the one in use
                (core.geometry.rasterizer.use_rasterizer), which is "grid" by default.

        Raises:
            WeightsMissing: there is no such file.
            WeightsDamaged: a file cannot be read, or belongs to another version of the model.
            WeightsMismatch: the diffusion model beside it was made for another autoencoder.
            BackendMissing: PyTorch3D is not installed.
        """
        with use_rasterizer(rasterizer or current_rasterizer()):  # raises early where it is missing
            path = weights_path(path)
            autoencoder, beside = load_autoencoder(path), diffusion_path(path)
            diffusion = load_diffusion(beside, autoencoder) if beside.is_file() else None
        # Torch's overloads of `to` lack the memory format.
        autoencoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return cls(autoencoder, diffusion, rasterizer)

    def to(self, device: torch.device | str) -> LatentFace:
        """Move the whole model, diffusion and expression basis included."""
        self.autoencoder.to(device)
        if self.diffusion:
            self.diffusion.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.autoencoder.parameters()).device

    @property
    def config(self) -> ModelConfig:
        """Sizes and ranges of the model."""
        return self.autoencoder.config

    @lazy_property
    def fingerprint(self) -> str:
        """Short hash of the weights; maps and session files carry that of the model that made them."""
        return model_fingerprint(self.autoencoder, self.diffusion)

    # --- From a photo to factors ------------------------------------------------------------------------------------

    def find_faces(self, photo: Any, full_size: int = 512, quick: bool = False) -> list[Face]:
        """Detect and align every face of a photo.

        Args:
            photo: anything core.faces.load_image.read_photo reads: a path, bytes, an array or a PIL image.
            full_size: side in pixels of `Face.full`, the aligned photo whose detail `texture` uses.
            quick: search at one scale only, for frames of a camera.

        Returns:
            At least one face, largest first.

        Raises:
            FaceNotFound, ImageTooSmall, ImageTooLarge, ImageUnreadable: with a sentence that says what to do.
        """
        from core.faces import find_faces

        return find_faces(photo, self.config.image_size, check_size(full_size), quick)

    def face_from_crop(self, photo: Any, crop: Crop) -> Face:
        """Cut out a face where the user says it is; errors as of `find_faces`, and ConfigError for an unusable crop."""
        from core.faces import face_from_crop

        return face_from_crop(photo, crop, self.config.image_size)

    @_inference
    def analyze(self, images: Tensor | np.ndarray | Sequence[Face], refine: bool = False) -> Factors:
        """Factors of aligned photos (paper section 3.1).

        Args:
            images: faces of `find_faces`, or (B, 3, H, W) in [0, 1] with H = W = `config.image_size`.
            refine: optimise codes, light and view on each photo, about a second a face (core.model.refine).

        Returns:
            Factors of the B photos, float32.
        """
        find = functools.partial(refine_factors, self.autoencoder) if refine else self.autoencoder
        return Factors.cat([find(part) for part in self._batches(images)])

    @_inference
    def encode(self, images: Tensor | np.ndarray | Sequence[Face]) -> Codes:
        """Codes of aligned photos; arguments as in `analyze`."""
        return Codes.cat([self.autoencoder.encode(part) for part in self._batches(images)])

    @_inference
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

    @_inference
    def sample_identities(self, codes: Codes, count: int = SAMPLES, seed: int = SEED) -> CodePair:
        """Samples (count, B, 256) of the identity from different noise; errors as of `split`."""
        return self._require_diffusion().sample(codes, check_integer("count", count, 1, 1024), check_seed(seed))

    @_inference
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
            return torch.cat([codes.depth_code, codes.albedo_code], 1)
        part = code_ops.select(self.split(codes, seed), kind)
        return torch.cat([part.depth, codes.depth_code, part.albedo, codes.albedo_code], 1)

    @_inference
    def expressions(self, factors: Factors, seed: int = SEED) -> ExpressionWeights:
        """Named expression weights of B faces, predicted from the expression part of their codes.

        Raises:
            WeightsMissing: the model has no diffusion weights, or they hold no expression basis.
        """
        basis = self._require_basis()
        return ExpressionWeights(self._own_expression(factors, seed) * basis.gain, EXPRESSION_NAMES)

    @_inference
    def uncertainty(self, factors: Factors, seed: int = SEED) -> Uncertainty:
        """How much identities sampled from different noise differ, decoded; errors as of `split`."""
        samples = self.sample_identities(factors.codes, SAMPLES, seed)
        found = [self.decode(Codes.of(samples.apply(lambda rows, k=k: rows[:, k])), factors[k])
                 for k in range(len(factors))]
        return Uncertainty(torch.stack([one.canon_image.mean(0) for one in found]),
                           torch.stack([one.canon_albedo.std(0).mean(0) for one in found]),
                           torch.stack([one.canon_depth.std(0) for one in found]))

    # --- From codes to other faces ----------------------------------------------------------------------------------

    @_inference
    def decode(self, codes: Codes, like: Factors) -> Factors:
        """Decode codes into the pose, light and confidence of a photo.

        Args:
            codes: B codes.
            like: B faces or one for all, whose image, view, light and confidence are taken.

        Returns:
            Factors of the B faces; `image` is still that of `like`.
        """
        count = check_same_count(codes=codes, like=like)
        codes, like = _expand(codes, count), _expand(like, count)
        return self.autoencoder.render(like.image, codes, *self.autoencoder.decode(codes), like.light, like.view,
                                       like.confidence)

    @_inference
    def decode_image(self, codes: Codes, light: Light) -> Tensor:
        """Canonical images (B, 3, H, W), [0, 1], of B codes under one light: the fastest way to see codes."""
        depth, albedo = self.autoencoder.decode(codes)
        return (albedo * shade(depth_to_normal(depth), light)).clamp(0, 1)

    @_inference
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
        codes = (code_ops.swap(first, second, *strengths, project=basis.project) if basis
                 else code_ops.swap_parts(self.split(first), self.split(second), *strengths))
        return self.decode(codes, identity_from)

    @_inference
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

    @_inference
    def neutral(self, factors: Factors, seed: int = SEED) -> Factors:
        """The faces without their expression, decoded from the identity alone; seed and errors as of `split`."""
        return self.decode(Codes.of(self.split(factors.codes, seed).identity), factors)

    # --- At display size --------------------------------------------------------------------------------------------

    @_inference
    def texture(self, factors: Factors, faces: Sequence[Face] | None = None) -> TexturedFace:
        """Prepare faces for rendering, once per photo (method: detail).

        Args:
            factors: of B faces.
            faces: the same B faces, whose detail is sampled into the canonical frame; None: the decoded maps alone.
        """
        from core.rendering.texture_transfer import texture_from_model, texture_from_photo

        if faces is None:
            return texture_from_model(factors)
        check_faces(faces, len(factors))
        photo = torch.stack([face.full for face in faces])
        found = [face.landmarks for face in faces if face.landmarks is not None]
        landmarks = torch.stack([torch.as_tensor(one) for one in found]) if len(found) == len(faces) else None
        return texture_from_photo(factors, photo, landmarks)

    @_inference
    def preview(self, face: TexturedFace) -> TexturedFace:
        """The same face with half the texture's resolution: renders up to 256 pixels look alike, and are faster."""
        half = {name: F.interpolate(getattr(face, name), scale_factor=0.5, mode="area")
                for name in ("texture", "background")}
        return replace(face, **half)

    @_inference
    def reenact(self, face: TexturedFace, donor: TexturedFace | Mapping[str, float], strength: float = 1.0,
                seed: int = SEED) -> TexturedFace:
        """Faces with another expression at full resolution, in their own pose and light.

        Args:
            face: B faces of `texture`.
            donor: B faces, or one for all, whose expression is taken; or named expression weights (`expressions`), 1 is
                full strength: absolute, so that {} is neutral.
            strength: 0 nothing, 1 all, up to 1.5 exaggerated.
            seed: as in `split`; used with weights only.

        Raises:
            WeightsMissing: the model has no diffusion weights; or `donor` are weights and there is no expression basis.
        """
        from core.rendering import reenactment

        strength = check_strength("strength", strength)
        if not isinstance(donor, TexturedFace | Mapping):
            raise ArgumentInvalid("donor must be a TexturedFace (LatentFace.texture) or a mapping of expression names "
                                  f"to weights, got {type(donor).__name__}.")
        if self._basis is None and isinstance(donor, TexturedFace):
            after = self.swap(face.factors, donor.factors, strength, strength)
            return reenactment.reenact(face, after, None, strength)
        code_change, change = self._change(face, donor, seed)
        after = self.decode(Codes.of(face.factors.codes.pair + code_change.scale(strength, strength)), face.factors)
        return reenactment.reenact(face, after, change, strength)

    def _change(self, face: TexturedFace, donor: TexturedFace | Mapping[str, float],
                seed: int) -> tuple[CodePair, Reenactment]:
        """What turns the expression of a face into the donor's: of its codes, and of its points.

        The last one is kept with the face: a redraw at another strength then starts from it.
        """
        last = face.__dict__.get("_last_change")
        if last and (last[0] is donor if isinstance(donor, TexturedFace) else last[:2] == (dict(donor), seed)):
            return last[2]
        change = (self._change_to_donor(face, donor) if isinstance(donor, TexturedFace)
                  else self._change_to_weights(face, donor, seed))
        face.__dict__["_last_change"] = (donor if isinstance(donor, TexturedFace) else dict(donor), seed, change)
        return change

    def _change_to_donor(self, face: TexturedFace, donor: TexturedFace) -> tuple[CodePair, Reenactment]:
        from core.rendering.mouth_eyes import Contours
        from core.rendering.reenactment import Reenactment

        check_same_count(face=face, donor=donor)
        basis = self._require_basis()
        weights = basis.predict(donor.factors.codes.pair - face.factors.codes.pair)
        motion = basis.displace(weights, face.landmarks)
        closing = [] if donor.landmarks is None else [eye.closedness for eye in Contours.eyes(donor.landmarks)]
        return basis.code_change(weights), Reenactment(motion, motion, closing, _expand(donor, len(face)))

    def _change_to_weights(self, face: TexturedFace, donor: Mapping[str, float],
                           seed: int) -> tuple[CodePair, Reenactment]:
        from core.rendering.reenactment import Reenactment

        basis = self._require_basis()
        target = check_expressions(donor, EXPRESSION_NAMES).to(self.device)
        own = self._own_expression(face.factors, seed)
        closing = [target[:, index:index + 1].clamp(0, 1).expand(len(face), 1) for index in BLINKS]
        weights = target / basis.gain - own
        change = Reenactment(basis.displace(weights, face.landmarks), basis.displace(-own, face.landmarks), closing)
        return basis.code_change(weights), change

    @_inference
    def render(self, face: TexturedFace | Factors, view: View | None = None, light: Light | None = None,
               size: int = 256, background: tuple[float, float, float] | Literal["photo"] | None = "photo") -> Tensor:
        """Render faces under a view and a light.

        Args:
            face: B faces of `texture` or `reenact`; factors are rendered from their decoded maps.
            view: B views or one for all; by default the photo's.
            light: B lights or one for all; by default the photo's.
            size: side of the render in pixels.
            background: (r, g, b) in [0, 1]; "photo": the photo's background; None: transparent.

        Returns:
            (B, 3, size, size) in [0, 1]; (B, 4, size, size) with alpha where the background is None.
        """
        from core.rendering.compositor import composite, render_layer

        size, background = check_size(size), check_background(background)
        face = self.texture(face) if isinstance(face, Factors) else face
        view = face.view if view is None else view
        light = face.light if light is None else light
        count = check_same_count(face=face, view=view, light=light)
        face, view, light = _expand(face, count), _expand(view, count), _expand(light, count)
        if background is None:
            return torch.cat(render_layer(face, view, light, size), 1)
        return composite(face, view, light, size, background)

    @_inference
    def mesh(self, face: TexturedFace | Factors, texture_size: int = 1024) -> Mesh:
        """The first face as a textured triangle mesh, evenly lit; `Mesh.write` saves it as .glb or zipped .obj."""
        from core.export.mesh import face_mesh
        from core.rendering.compositor import bake_texture

        face = self.texture(face) if isinstance(face, Factors) else face
        depth, texture, mask = bake_texture(face[:1], check_size(texture_size))
        return face_mesh(depth[0], texture[0], mask[0])

    def map(self, path: str | Path | None = None) -> LatentMap:
        """A latent map, the bundled one by default.

        Raises:
            MapUnreadable: it is missing or damaged, or was made with other weights.
        """
        from core.latent_map.map import BUNDLED, LatentMap

        found = LatentMap.read(path or BUNDLED)
        found.check_weights(self.fingerprint)
        return found

    # --- Inside -----------------------------------------------------------------------------------------------------

    @property
    def _basis(self) -> ExpressionBasis | None:
        """The expression basis, where there is one."""
        basis = self.diffusion and self.diffusion.expression_basis
        return basis if basis and basis.is_fitted else None

    def _require_basis(self) -> ExpressionBasis:
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

    def _own_expression(self, factors: Factors, seed: int) -> Tensor:
        """Predicted expression weights (B, 57) of the expression part of the codes, without gain."""
        return self._require_basis().predict(self.split(factors.codes, seed).expression)

    def _batches(self, images: Tensor | np.ndarray | Sequence[Face]) -> Iterator[Tensor]:
        images = check_images(images, self.config.image_size)
        return (part.to(self.device) for part in images.split(BATCH))


def _expand(batch: Batch, count: int) -> Batch:
    """A batch of one repeated for all, without copies."""
    return batch if len(batch) == count else batch.apply(lambda tensor: tensor.expand(count, *tensor.shape[1:]))
