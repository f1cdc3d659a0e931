"""LatentFace: the public interface, from a photo to its factors and back to images.

    from core import LatentFace, View

    model = LatentFace.from_pretrained()
    faces = model.find_faces("photo.jpg")
    factors = model.analyze(faces[:1])
    face = model.texture(factors, faces[:1])
    image = model.render(face, view=View.of(yaw=0.4))

Factors, codes, swap and interpolation at the networks' own size are in the base class, core.model.face_model.FaceModel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from core.arguments import (
    check_background,
    check_boolean,
    check_expressions,
    check_faces,
    check_number,
    check_same_count,
    check_seed,
    check_size,
    check_strength,
)
from core.config import PREVIEW_SIZE
from core.errors import ArgumentInvalid, WeightsMissing
from core.lazy import lazy_property
from core.model.diffusion import SEED
from core.model.expression_basis import BLINKS, EXPRESSION_NAMES
from core.model.face_model import FaceModel, inference
from core.model.shared_identity import SharedIdentity, shared_identity
from core.types import CodePair, Codes, Factors, Light, TexturedFace, View

if TYPE_CHECKING:
    import numpy as np

    from core.export.mesh import Mesh
    from core.faces import Crop, Face
    from core.head.fit import Front
    from core.head.head import Head
    from core.latent_map.map import LatentMap
    from core.model.head_regression import HeadRegression
    from core.rendering.reenactment import Reenactment
    from core.video.driving import Amounts
    from core.video.live import LiveFace
    from core.video.reader import Frame
    from core.video.track import Track

Edited = TypeVar("Edited", Factors, TexturedFace)


class LatentFace(FaceModel):
    """The model with photos before it, and renders, meshes and maps after it; see `FaceModel` for the rest."""

    # --- Photos -------------------------------------------------------------------------------------------------------

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

        return find_faces(photo, self.config.image_size, check_size(full_size), check_boolean("quick", quick))

    def face_from_crop(self, photo: Any, crop: Crop) -> Face:
        """Cut out a face where the user says it is; errors as of `find_faces`, and ConfigError for an unusable crop."""
        from core.faces import face_from_crop

        return face_from_crop(photo, crop, self.config.image_size)

    # --- At display size ----------------------------------------------------------------------------------------------

    @inference
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

    @inference
    def preview(self, face: TexturedFace) -> TexturedFace:
        """The same face with half the texture's resolution: renders up to 256 pixels look the same, and are faster.

        It is computed once for a face.
        """
        if "_preview" not in face.__dict__:
            half = {name: F.interpolate(getattr(face, name), scale_factor=0.5, mode="area")
                    for name in ("texture", "background")}
            face.__dict__["_preview"] = replace(face, **half)
        return face.__dict__["_preview"]

    @inference
    def reenact(self, face: TexturedFace, donor: TexturedFace | Mapping[str, float],
                strength: float = 1.0) -> TexturedFace:
        """Faces with another expression at full resolution, in their own pose and light.

        Args:
            face: B faces of `texture`.
            donor: B faces, or one for all, whose expression is taken; or named expression weights (`expressions`), 1 is
                full strength: absolute, so that {} is neutral.
            strength: 0 nothing, 1 all, up to 1.5 exaggerated.

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
        code_change, change = self._change(face, donor)
        after = self.decode(Codes.of(face.factors.codes.pair + code_change.scale(strength, strength)), face.factors)
        return reenactment.reenact(face, after, change, strength)

    def _change(self, face: TexturedFace,
                donor: TexturedFace | Mapping[str, float]) -> tuple[CodePair, Reenactment]:
        """The changes of codes and of points that give a face the donor's expression.

        The last result is cached on the face, for renders at another strength.
        """
        last = face.__dict__.get("_last_change")
        if last and (last[0] is donor if isinstance(donor, TexturedFace) else last[0] == dict(donor)):
            return last[1]
        change = (self._change_to_donor(face, donor) if isinstance(donor, TexturedFace)
                  else self._change_to_weights(face, donor))
        face.__dict__["_last_change"] = (donor if isinstance(donor, TexturedFace) else dict(donor), change)
        return change

    def _change_to_donor(self, face: TexturedFace, donor: TexturedFace) -> tuple[CodePair, Reenactment]:
        from core.rendering.mouth_eyes import Contours
        from core.rendering.reenactment import Reenactment

        check_same_count(face=face, donor=donor)
        basis = self.require_basis()
        weights = basis.predict(donor.factors.codes.pair - face.factors.codes.pair)
        motion = basis.displace(weights * basis.photo_motion, face.landmarks)
        closing = [] if donor.landmarks is None else [eye.closedness for eye in Contours.eyes(donor.landmarks)]
        return basis.code_change(weights), Reenactment(motion, motion, closing, donor.expand(len(face)))

    def _change_to_weights(self, face: TexturedFace, donor: Mapping[str, float]) -> tuple[CodePair, Reenactment]:
        from core.rendering.reenactment import Reenactment

        basis = self.require_basis()
        target = check_expressions(donor, EXPRESSION_NAMES).to(self.device)
        own = basis.read(face.factors.codes.pair)
        closing = [target[:, index:index + 1].clamp(0, 1).expand(len(face), 1) for index in BLINKS]
        weights = target / basis.gain - own
        change = Reenactment(basis.displace(weights, face.landmarks), basis.displace(-own, face.landmarks), closing)
        return basis.code_change(weights), change

    @inference
    def edit(self, face: Edited, amounts: Mapping[str, float], identity_locked: bool = True) -> Edited:
        """Faces changed by named amounts, in their own pose and light.

        Args:
            face: B faces of `texture`, changed at full resolution: expressions as `reenact` does, identity by the
                optical flow between the decoded maps and by the change that the flow does not explain; or factors, see
                `FaceModel.edit`.
            amounts: by name (`semantics`): sigma of found directions, weights of expressions; added to the face's own.
            identity_locked: changes of the expression leave the identity coordinates of the codes as they are.

        Raises:
            ArgumentInvalid: an unknown name (the nearest ones are named), or an amount beyond the semantic's limit.
        """
        if isinstance(face, Factors):
            return super().edit(face, amounts, identity_locked)
        from core.rendering import reenactment

        identity, expression, weights = self.code_changes(amounts, identity_locked)
        if any(part.any() for part in identity.tensors()):
            after = self.decode(Codes.of(face.factors.codes.pair + identity), face.factors)
            face = reenactment.reenact(face, after, None)
        if any(part.any() for part in expression.tensors()):
            after = self.decode(Codes.of(face.factors.codes.pair + expression), face.factors)
            face = reenactment.reenact(face, after, self._added_expression(face, weights))
        return face

    def _added_expression(self, face: TexturedFace, weights: Tensor) -> Reenactment | None:
        """How predicted weights (1, 57), added to those of B faces, move them; None without an expression basis."""
        from core.rendering.reenactment import Reenactment

        basis = self._basis
        if basis is None:
            return None
        own, weights = basis.read(face.factors.codes.pair), weights.expand(len(face), -1)
        closing = [(weights * basis.gain)[:, index:index + 1].clamp(0, 1) for index in BLINKS]
        return Reenactment(basis.displace(weights, face.landmarks), basis.displace(-own, face.landmarks), closing)

    @inference
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
        face, view, light = face.expand(count), view.expand(count), light.expand(count)
        if background is None:
            return torch.cat(render_layer(face, view, light, size), 1)
        return composite(face, view, light, size, background)

    @inference
    def paste(self, face: TexturedFace, photo: Any, crop: Crop, view: View | None = None,
              light: Light | None = None) -> np.ndarray:
        """A face, edited or not, back in its whole photo at the photo's resolution.

        Where the edit changes nothing the photo keeps its own pixels. Hair, neck and shoulders follow a turn and a new
        light, the rest of the photo does not change. Suited to moderate turns, about 20 degrees from the photo's pose.

        Args:
            face: one face of `texture`, `reenact` or `edit`. `Face.full` limits the detail of what is rendered;
                `core.faces.recut` gives it the photo's own.
            photo: the whole photo, anything `find_faces` takes.
            crop: where the face is in it: `Face.crop`.
            view: by default the photo's.
            light: by default the photo's.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            ImageUnreadable, ImageTooLarge, ImageTooSmall: as `find_faces`.
        """
        from core.faces.load_image import read_photo
        from core.rendering.paste import paste

        view = face.view if view is None else view
        light = face.light if light is None else light
        if check_same_count(face=face, view=view, light=light) != 1:
            raise ArgumentInvalid(f"face must be one face, got {len(face)}: choose one by its index.")
        return paste(face, read_photo(photo), crop, view, light)

    @inference
    def mesh(self, face: TexturedFace | Factors, texture_size: int = 1024) -> Mesh:
        """The first face as a textured triangle mesh, evenly lit; `Mesh.write` saves it as .glb or zipped .obj."""
        from core.export.mesh import face_mesh
        from core.rendering.compositor import bake_texture

        face = self.texture(face) if isinstance(face, Factors) else face
        depth, texture, mask = bake_texture(face[:1], check_size(texture_size))
        return face_mesh(depth[0], texture[0], mask[0])

    # --- Over time ----------------------------------------------------------------------------------------------------

    @inference
    def identity(self, images: Tensor | np.ndarray | Sequence[Face], seed: int = SEED) -> SharedIdentity:
        """The one identity of several photos of a person, and how far each photo is from it (paper section 3.2).

        Args:
            images: of one person, as in `analyze`.
            seed: as in `split`; errors as there.
        """
        return shared_identity(self._require_diffusion(), self.encode(images), check_seed(seed))

    @inference
    def track(self, film: str | Path | Iterable[Frame], face: int = 1, seed: int = SEED) -> Track:
        """Follow one face through a film: its pose, light and expression over time, and its one identity.

        Args:
            film: path of a film (core.video.reader.read_film), or frames with rising times.
            face: number of the face in the first frame that shows any; 1 is the largest.
            seed: as in `split`.

        Raises:
            FilmUnreadable, FilmTooLarge: with a sentence that says what to do.
            FaceNotFound: no frame shows a face, or the first one with faces has none of this number.
            WeightsMissing: the model has no diffusion weights, or they hold no expression basis.
        """
        from core.video.reader import read_film
        from core.video.track import track_face

        self.require_basis()
        frames = read_film(film) if isinstance(film, str | Path) else film
        return track_face(frames, self, self._require_diffusion(), face, check_seed(seed))

    def drive(self, face: TexturedFace, track: Track, relative: bool = True, expression: float = 1.0,
              pose: float = 1.0, light: float = 0.0, size: int = 256,
              span: tuple[float, float] = (0, math.inf)) -> Iterator[Frame]:
        """A photo follows a film; `core.video.driving.write_film` writes the frames as MP4 or GIF.

        Args:
            face: one face of `texture`.
            track: of `track`; of any person.
            relative: the face changes as the track changes from its neutral frame (`Track.neutral`); False: it takes
                the track's expression, pose and light as they are, and so a part of the other's resting face.
            expression: how much of the expression is applied, 0 to 1.5.
            pose: how much of the turning, 0 to 1.
            light: how much of the light, 0 to 1.
            size: side of the frames in pixels.
            span: first and last time, seconds; the track's neutral frame may lie outside.

        Returns:
            Iterator over a frame for each of the track's in the span, (size, size, 3) uint8; each is rendered when it
            is asked for.

        Raises:
            WeightsMissing: as of `track`.
        """
        from core.video.driving import drive_face

        check_boolean("relative", relative)
        begin, end = (check_number("span", time, 0, math.inf) for time in span)
        settings = self._driving(face, expression, pose, light, size)
        frames = drive_face(self, track, relative, (begin, end), *settings)
        step = inference(lambda model: next(frames, None))
        return iter(lambda: step(self), None)

    def live(self, face: TexturedFace, expression: float = 1.0, pose: float = 1.0, light: float = 0.0,
             size: int = 256) -> LiveFace:
        """A photo that follows a camera, frame by frame; arguments and errors as of `drive`."""
        from core.video.live import LiveFace

        return LiveFace(self, self._require_diffusion(), *self._driving(face, expression, pose, light, size))

    def _driving(self, face: TexturedFace, expression: float, pose: float, light: float,
                 size: int) -> tuple[TexturedFace, Amounts, int]:
        """Checked settings of `drive` and `live`."""
        from core.video.driving import Amounts

        self.require_basis()
        amounts = Amounts(check_strength("expression", expression), check_number("pose", pose, 0, 1),
                          check_number("light", light, 0, 1))
        if len(face) != 1:
            raise ArgumentInvalid(f"face must be one face, got {len(face)}: choose one by its index.")
        size = check_size(size)
        return self.preview(face) if size <= PREVIEW_SIZE else face, amounts, size

    @inference
    def head(self, face: TexturedFace | Factors) -> Head:
        """The first face as a whole head with named expressions, life size; `Head.write` saves it as .glb or .zip.

        What the photo does not show is an estimate: ears, back and neck are those of a rig, and there is no hair.

        Args:
            face: of `texture` with photos, whose landmarks make the fit closer; or factors alone.

        Raises:
            WeightsMissing: there was no head.safetensors beside the weights.
        """
        from core.head.head import make_head

        face = self.texture(face) if isinstance(face, Factors) else face
        regression, front = self.head_fit
        expression = self.expressions(face.factors[:1]).values[0].clamp(0, 1).cpu().numpy() if self._basis else None
        return make_head(face[:1], front, regression, expression)

    @lazy_property
    def head_fit(self) -> tuple[HeadRegression, Front]:
        """What `head` needs beside the model: read and prepared at its first use; errors as there."""
        from core.head.fit import make_front

        if self.head_regression is None:
            raise WeightsMissing("There is no head.safetensors beside these autoencoder weights, which heads are read "
                                 "with: fit it with `python -m training.fit_head`, or use the bundled weights.")
        return self.head_regression, make_front(self.head_regression)

    def map(self, path: str | Path | None = None) -> LatentMap:
        """A latent map, the bundled one by default.

        Raises:
            MapUnreadable: it is missing or damaged, or was made with other weights.
        """
        from core.latent_map.map import BUNDLED, LatentMap

        found = LatentMap.read(path or BUNDLED)
        found.check_weights(self.fingerprint)
        return found
