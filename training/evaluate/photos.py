"""Figures on photos of strangers, compared with what MediaPipe measured on them (never a training target).

Everything is first measured photo by photo; figures are then taken over any of the photos, so that groups of people
can be compared (training.evaluate.groups).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import backproject, transform
from core.geometry.rasterizer import rasterize_depth
from core.pipeline import LatentFace
from core.types import Factors, View
from training.data.face_pack import FacePack
from training.evaluate.groups import skin_tone
from training.evaluate.measurement import Measurement, Rows
from training.evaluate.metrics import (
    correlation,
    explained_variance,
    hits,
    landmark_hull,
    masked_mean,
    pixel_pca,
    probe,
    sides,
    ssim,
    turns,
)
from training.evaluate.renders import NECK_DEPTH, features
from training.rig.rig import FAR_DEPTH

YAW_BANDS = ((0, 8), (8, 25), (25, 60))
"""Degrees of |yaw|, for the figures of landmark depth."""
INNER = 0.7
"""Share of the landmarks, nearest first, that count as the inner face."""
LEAST_SPREAD = 0.05
"""Blendshapes that vary less over the photos are left out."""
MOVE = 0.04
"""Largest shift of the crop, of its side. Its size stays: a larger face is another depth map."""
GAIN = (0.75, 1.25)
"""Range of the change of brightness."""
CHEEKS = (50, 101, 205, 280, 330, 425)
"""MediaPipe's landmarks on both cheeks."""
MEANS = ("l1", "l1_hull", "ssim", "blendshapes", "mirror_pose", "mirror_depth", "mirror_rank1", "crop_pose",
         "crop_depth", "brightness_pose", "brightness_depth")
"""Figures that are means over the photos."""
LABELS = ("sex", "age", "ethnicity")
"""Columns of val.csv by which people are grouped, where they are there."""


def measure(model: LatentFace, folder: Path, head: Tensor | None, limit: int | None,
            val_limit: int | None = None) -> Measurement:
    """All figures of photos.

    Args:
        model: under test.
        folder: face pack with splits train and val, MediaPipe's pose in their csv files, val_landmarks.npz (in
            crop pixels) and *_blendshapes.npz.
        head: (H, W) mean canonical depth, the baseline of landmark depth; None to leave it out.
        limit: photos the blendshape probe learns from; None for all.
        val_limit: photos to measure on; None for all.

    Returns:
        Measurement; its rows hold one value (or vector) a photo, named as the figures are, `_baseline` for baselines.
    """
    folder, size = Path(folder), model.config.image_size
    train, val = FacePack(folder, size, "train", limit).images, FacePack(folder, size, "val", val_limit)
    large = FacePack(folder, 2 * size, "val", val_limit).images
    with np.load(folder / "val_landmarks.npz") as arrays:
        landmarks = arrays["landmarks"][:val_limit].astype(np.float32)
    mediapipe = np.stack([val.columns[f"{axis}_deg"] for axis in ("pitch", "yaw")], 1)
    mean_face = torch.stack([part.float().sum(0) for part in train.split(512)]).sum(0) / len(train) / 255

    generator, parts = torch.Generator().manual_seed(0), []
    # In parts: the factors of all photos would take a gigabyte.
    for part in (slice(start, start + 256) for start in range(0, len(val), 256)):
        found, values = _photo_values(model, val[part], large[part], generator)
        values |= _against(found, mean_face, landmark_hull(landmarks[part], size))
        values |= _depths(found, head, mediapipe[part], landmarks[part])
        parts.append(values)
    rows = {key: np.concatenate([np.asarray(part[key]) for part in parts]) for key in parts[0]}
    rows |= {"mediapipe": mediapipe, "z": landmarks[..., 2]}
    rows |= _from_codes(model, folder, train, val.images, rows.pop("codes"), rows.pop("mirror_codes"))
    labels = {name: val.columns[name] for name in LABELS if name in val.columns}
    return Measurement(figures(rows), rows, val.images, labels | {"skin": skin_tone(cheek_colors(large, landmarks))})


def figures(rows: Rows, least: int = 1) -> dict[str, dict[str, float]]:
    """Figures over photos.

    Args:
        rows: `Measurement.rows`, or a part of them.
        least: a yaw band with fewer photos has no figure.

    Returns:
        For each figure the values of the model and, where there is one, of its baseline.
    """
    result = {f"photo.{name}": {way: float(rows[key].mean())
                                for way, key in (("model", name), ("baseline", f"{name}_baseline")) if key in rows}
              for name in MEANS}
    for axis, name in enumerate(("pitch", "yaw")):
        r, slope = correlation(rows["pose"][:, axis], rows["mediapipe"][:, axis])
        result |= {f"photo.{name}": {"model": r}, f"photo.{name}_slope": {"model": slope}}
    yaw = np.abs(rows["mediapipe"][:, 1])
    for low, high in YAW_BANDS:
        band = (yaw >= low) & (yaw < high)
        for name in ("depth", "mean_head"):
            if f"{name}_values" in rows and band.sum() >= least:
                result[f"photo.{name}_{high}"] = {
                    way: explained_variance(rows[f"{key}_values"][band], rows["z"][band], rows[f"{key}_seen"][band])
                    for way, key in (("model", name), ("baseline", "head_at_mediapipe")) if f"{key}_values" in rows}
    return result


def _photo_values(model: LatentFace, image: Tensor, large: Tensor,
                  generator: torch.Generator) -> tuple[Factors, dict[str, Tensor]]:
    """Factors of photos; their pose in degrees (B, 3), codes, and how both change with the photo (B,)."""
    def analyze(photos: Tensor) -> Factors:
        return model.analyze(photos.clamp(0, 1)).to("cpu")

    gain = torch.rand(len(image), 1, 1, 1, generator=generator) * (GAIN[1] - GAIN[0]) + GAIN[0]
    moved = F.avg_pool2d(move(large.float() / 255, generator), 2)
    found, mirrored, crop, bright = map(analyze, (image, image.flip(-1), moved, image * gain))
    copies = {"mirror": (mirrored.view.rotation * torch.tensor([1, -1, -1]), mirrored.canon_depth.flip(-1)),
              "crop": (crop.view.rotation, crop.canon_depth),
              "brightness": (bright.view.rotation, bright.canon_depth)}
    face = found.canon_depth < NECK_DEPTH
    values = {"pose": torch.rad2deg(found.view.rotation), "codes": _joined(found), "mirror_codes": _joined(mirrored)}
    for name, (rotation, depth) in copies.items():
        values |= {f"{name}_pose": turns(rotation, found.view.rotation),
                   f"{name}_depth": sides(depth, found.canon_depth, face)}
    return found, values


def _joined(factors: Factors) -> Tensor:
    return factors.codes.pair.rows


def move(photos: Tensor, generator: torch.Generator) -> Tensor:
    """Move the crop of each photo (B, 3, H, W) by up to `MOVE` of its side, whole pixels, the rim reflected."""
    side = photos.shape[-1]
    reach = round(MOVE * side)
    padded = F.pad(photos, [reach] * 4, mode="reflect")
    corners = torch.randint(2 * reach + 1, (len(photos), 2), generator=generator).tolist()
    return torch.stack([photo[:, y:y + side, x:x + side] for photo, (x, y) in zip(padded, corners, strict=True)])


def _against(found: Factors, mean_face: Tensor, hull: Tensor) -> dict[str, Tensor]:
    """L1 and SSIM of the reconstruction and of the mean face (3, H, W) in the reconstruction's mask, L1 in the hull."""
    values, mask = {}, found.recon_mask
    for suffix, image in (("", found.recon_image.clamp(0, 1)), ("_baseline", mean_face.expand_as(found.image))):
        error = (image - found.image).abs()
        values |= {f"l1{suffix}": masked_mean(error, mask.expand_as(error)),
                   f"l1_hull{suffix}": masked_mean(error, hull.expand_as(error)),
                   f"ssim{suffix}": ssim(image, found.image, mask > 0.5)}
    return values


def _depths(found: Factors, head: Tensor | None, degrees: np.ndarray, landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """Depth at the landmarks and where it counts: of the model, and of the mean head in its and in MediaPipe's pose."""
    ways = {"depth": (found.recon_depth, found.recon_mask[:, 0] > 0.5)}
    if head is not None:
        # The crop has taken the roll out.
        rotation = torch.deg2rad(F.pad(torch.from_numpy(degrees).float(), (0, 1)))
        mediapipe = View(rotation, torch.zeros(len(rotation), 2))
        points = backproject(head.expand(len(rotation), -1, -1))
        ways |= {name: rasterize_depth(transform(points, view), len(head))
                 for name, view in (("mean_head", found.view), ("head_at_mediapipe", mediapipe))}
    result = {}
    for name, (depth, mask) in ways.items():
        values, seen = landmark_values(depth.numpy(), mask.numpy(), landmarks)
        result |= {f"{name}_values": values, f"{name}_seen": seen}
    return result


def landmark_values(depth: np.ndarray, mask: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth at the landmarks.

    Args:
        depth: (B, H, W) in the photos' view.
        mask: (B, H, W) bool, where there is depth.
        landmarks: (B, N, 3) in pixels of the crop; z smaller is nearer.

    Returns:
        (B, N) depth, and (B, N) bool: a landmark of the inner face that lies on the mask.
    """
    (x, y), inside = _pixels(landmarks, depth.shape[-1])
    rows = np.arange(len(depth))[:, None]
    values, z = depth[rows, y, x], landmarks[..., 2]
    inner = z <= np.quantile(z, INNER, axis=1, keepdims=True)
    return values, inner & inside & mask[rows, y, x] & (values < FAR_DEPTH)


def _pixels(landmarks: np.ndarray, size: int, crop_size: int = 128) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Nearest pixel (x, y) of an image of `size` to landmarks in pixels of the crop; whether it is in the image."""
    # The crop's edges are pixel edges at every size (core.faces.align); integers are pixel centres.
    found = np.rint((landmarks[..., :2] + 0.5) * (size / crop_size) - 0.5).astype(int)
    inside = np.all((found >= 0) & (found < size), axis=-1)
    x, y = np.moveaxis(found.clip(0, size - 1), -1, 0)
    return (x, y), inside


def cheek_colors(images: Tensor, landmarks: np.ndarray) -> np.ndarray:
    """(N, 6, 3) uint8 colors of the cheeks of photos (N, 3, H, W) uint8."""
    (x, y), _ = _pixels(landmarks[:, CHEEKS], images.shape[-1])
    return images.numpy()[np.arange(len(x))[:, None], :, y, x]


def _from_codes(model: LatentFace, folder: Path, train: Tensor, val: Tensor, codes: np.ndarray,
                mirrored: np.ndarray) -> Rows:
    """What codes and, as a baseline, components of the pixels say of the photos.

    How well a linear probe, trained on photos of other people, reads the blendshapes (each photo's share of R²: the
    mean over the photos is R², and groups are held to the same spread), and whether the mirrored photo's nearest
    neighbour is the photo.
    """
    scores = []
    for split, count in (("train", len(train)), ("val", len(val))):
        with np.load(folder / f"{split}_blendshapes.npz") as arrays:
            scores.append(arrays["scores"][:count].astype(np.float64))
    shown, ids = scores[1].std(0) > LEAST_SPREAD, np.arange(len(val))
    known, truth = (part[:, shown] for part in scores)
    rows = {}
    pixels = pixel_pca(train, val, val.flip(-1), size=32, components=512)
    for suffix, (learnt, seen, turned) in (("", (features(model, train), codes, mirrored)), ("_baseline", pixels)):
        error = (probe(learnt, known, seen) - truth) ** 2
        rows |= {f"blendshapes{suffix}": 1 - (error / truth.var(0)).mean(1),
                 f"mirror_rank1{suffix}": hits(turned, seen, ids, ids)}
    return rows
