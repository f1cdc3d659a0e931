"""Named expressions as linear maps: how each changes the codes, and how it moves the points of a face."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.config import DiffusionConfig
from core.geometry.landmark_warp import LANDMARKS, tps_warp
from core.types import CodePair

EXPRESSION_NAMES = (
    "PupilDilate_L", "PupilDilate_R", "browDown_L", "browDown_R", "browInnerUp_L", "browInnerUp_R", "browOuterUp_L",
    "browOuterUp_R", "cheekPuff_L", "cheekPuff_R", "cheekRaiser_L", "cheekRaiser_R", "cheekSquint_L", "cheekSquint_R",
    "eyeBlink_L", "eyeBlink_R", "eyeLookDown_L", "eyeLookDown_R", "eyeLookIn_L", "eyeLookIn_R", "eyeLookOut_L",
    "eyeLookOut_R", "eyeLookUp_L", "eyeLookUp_R", "eyeSquint_L", "eyeSquint_R", "eyeWide_L", "eyeWide_R", "jawForward",
    "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimple_L", "mouthDimple_R", "mouthFrown_L", "mouthFrown_R",
    "mouthFunnel", "mouthLeft", "mouthLowerDown_L", "mouthLowerDown_R", "mouthPress_L", "mouthPress_R", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmile_L",
    "mouthSmile_R", "mouthStretch_L", "mouthStretch_R", "mouthUpperUp_L", "mouthUpperUp_R", "noseSneer_L",
    "noseSneer_R")
"""The expressions of the rig (ICT-FaceKit), in its order. L and R are the person's own left and right."""
BLINKS = EXPRESSION_NAMES.index("eyeBlink_R"), EXPRESSION_NAMES.index("eyeBlink_L")
"""The expressions that close the eye on the image's left and the one on its right."""

PHOTO_MOTION = {"brow": 0.4, "cheek": 0.25, "noseSneer": 0.4}
"""Factors on weights that are read from photos, by the beginning of the names; 1 for others. Chosen by
MediaPipe's landmarks of neutral and smiling photos: the rig's cheeks rise too far, and brows that people have at rest
are read as expressions. The mouth stays at 1: less of it loses smiles."""


class ExpressionBasis(nn.Module):
    """Expression weights regressed from changes of codes, and what the weights do to codes and to points.

    The weights are those of the rig (training.fitting.subspaces). Light, albedo and background change codes too; of a
    change of codes that is projected on the weights, only the expression remains.
    """

    regressor: Tensor
    """(code sizes together, 57) linear regression from a change of [depth, albedo] codes to expression weights."""
    gain: Tensor
    """(57,) factor that undoes the shrinkage of the regressed weights."""
    origin: Tensor
    """(57,) regressed weights of faces without expression, the mean over photos (training.fit_neutral)."""
    directions: Tensor
    """(57, code sizes together) change of the codes by each expression at full strength."""
    displacement: Tensor
    """(57, 3, H, W) motion of the canonical points by each expression at full strength, camera-distance units."""
    landmarks: Tensor
    """(478, 2) landmarks of the mean head, crop coordinates."""

    def __init__(self, config: DiffusionConfig):
        super().__init__()
        self.depth_size = config.code_size
        weights, codes, size = len(EXPRESSION_NAMES), sum(config.code_sizes), config.image_size
        self.register_buffer("regressor", torch.zeros(codes, weights))
        self.register_buffer("gain", torch.ones(weights))
        self.register_buffer("origin", torch.zeros(weights))
        self.register_buffer("directions", torch.zeros(weights, codes))
        self.register_buffer("displacement", torch.zeros(weights, 3, size, size))
        self.register_buffer("landmarks", torch.zeros(LANDMARKS, 2))

    @property
    def is_fitted(self) -> bool:
        """Whether the basis was fitted; a model trained without renders has none."""
        return bool(self.regressor.any())

    @property
    def photo_motion(self) -> Tensor:
        """(57,) factors of `PHOTO_MOTION`, for weights that are read from photos."""
        parts = [next((part for start, part in PHOTO_MOTION.items() if name.startswith(start)), 1.0)
                 for name in EXPRESSION_NAMES]
        return self.gain.new_tensor(parts)

    def predict(self, change: CodePair) -> Tensor:
        """Expected expression weights (B, 57) of changes of codes.

        A weight of 1 is an expression at full strength that the face did not have. Uncertain weights are small.
        """
        return change.rows @ self.regressor

    def read(self, codes: CodePair) -> Tensor:
        """Expected expression weights (B, 57), ≥ 0, of faces in photos, of their whole codes; without the gain."""
        return (self.predict(codes) - self.origin).clamp(min=0) * self.photo_motion

    def code_change(self, weights: Tensor) -> CodePair:
        """Change of the codes by expression weights (B, 57)."""
        return CodePair.of_rows(weights @ self.directions, self.depth_size)

    def project(self, change: CodePair) -> CodePair:
        """The part of changes of codes that is due to expressions."""
        return self.code_change(self.predict(change))

    def displace(self, weights: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """Motion of the canonical points by predicted expression weights.

        Args:
            weights: (B, 57), as `predict` gives them.
            landmarks: (B, 478, 2) of the faces (core.geometry.landmark_warp): brows and lips then move where they are
                on this face; by default where they are on the mean head.

        Returns:
            (B, 3, H, W) at each canonical pixel, canonical frame, camera-distance units.
        """
        motion = torch.einsum("bk,kcyx->bcyx", (weights * self.gain).clamp(-1, 1), self.displacement)
        return motion if landmarks is None else tps_warp(motion, self.landmarks, landmarks)
