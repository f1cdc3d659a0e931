"""Where the limits lie: what an answer without error would reach, by the figures that are measured on photos.

    python -m training.evaluate limits --renders packs/heldout.npz --photos fairface

On photos the yardstick is MediaPipe, which errs too. Two measurements say how much. On renders of held-out people,
turned as the faces of photos are, the truth stands where else the model does. On photos it is MediaPipe's second
answer, to the mirrored photo and to the photo in 64 pixels. Neither is a proof: MediaPipe may err more on renders,
which have no hair, and it makes some of its errors twice.

A second table has depth in the image's own view, its canonical depth and its pose each true or found: what one depth
for each place of the frontal face can hold, and what either error costs.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from core.errors import ConfigError, FaceNotFound
from core.faces import Crop, find_faces
from core.geometry.camera import backproject, inverse_transform, pixel_grid, transform
from core.geometry.rasterizer import BACKGROUND, rasterize_depth
from core.pipeline import LatentFace
from core.types import View
from training.data.face_pack import FacePack
from training.data.renders import random_light
from training.evaluate.comparison import Row, show, table, write_report
from training.evaluate.measurement import Rows
from training.evaluate.metrics import correlation, erode, explained_variance, mad, probe, side
from training.evaluate.photos import INNER, LEAST_SPREAD, YAW_BANDS, landmark_values
from training.evaluate.renders import EROSION, NECK_DEPTH
from training.render_validation import PER_PERSON, render_image
from training.rig.rig import FAR_DEPTH, Rig, RigSample

POSE_DEG = (10.8, 21.5, 8.6)
"""Spread of pitch, yaw and roll, degrees: MediaPipe's on the photos of FairFace's validation part."""
MOST_DEG = 60.0
SIZE = 256
"""Pixels of a render: the crops of those photos have 255 (median)."""
CROP = 128
"""Pixels of the crop that landmarks are measured in."""
SMALL = 64
"""Pixels of the model's images and depth maps."""
SEED = 3
DRAWS = 100
"""Of the bootstrap, for standard errors."""
LEAST_PEOPLE = 30
"""Without so many a draw may lack people whom the probe has not met."""
LEARNT = 2 / 3
"""Share of the people, or of the photos, that the linear probe learns from."""

ROWS = {key: Row(name, 3, "neither") for key, name in (
    ("found", "found"),
    *((f"{axis}{key}", f"{axis}, {name}") for axis in ("pitch", "yaw")
      for key, name in (("", "correlation with MediaPipe's"), ("_slope", "slope on MediaPipe's"))),
    *((f"depth_{high}", f"landmark depth explained, yaw {low}-{high}°") for low, high in YAW_BANDS),
    ("blendshapes", "R² of MediaPipe's blendshapes, linear"))}
WANTED = {"pitch": 0.88, "yaw": 0.97, "depth_8": 0.85, "depth_25": 0.75, "depth_60": 0.60, "blendshapes": 0.45,
          "side": 0.60, "mad": 11.0}
"""What the autoencoder is to reach on photos and, in the image's view, on renders."""
NAMES = {"wanted": "wanted", "truth": "renders: truth", "error": "± (standard error)",
         "expression": "true expression alone", "shape": "true shape, MediaPipe's pose",
         "head": "mean head, true pose", "head_at_mediapipe": "mean head, MediaPipe's pose",
         "mirrored": "photos: MediaPipe, mirrored", "small": f"photos: MediaPipe, {SMALL} px"}
"""Columns: what stands in the model's place."""

VIEW_ROWS = {"side": Row("SIDE ×10⁻², head", 3, "neither"), "mad": Row("MAD in degrees, head", 2, "neither"),
             "side_face": Row("SIDE ×10⁻², without neck", 3, "neither"),
             "mad_face": Row("MAD in degrees, without neck", 2, "neither")}
VIEW_NAMES = {"wanted": "wanted", "best": "true depth, neck as seen", "true": "true depth", "depth": "found depth",
              "pose": "true depth, found pose", "both": "found depth and pose", "mean": "mean head"}


def run(options: Namespace) -> dict:
    """Measure, print the tables, write the report.

    Returns:
        What is written with --out: for both tables their figures by column, and standard errors.

    Raises:
        ConfigError: a file that is not there, or too few people.
    """
    for path in filter(None, (options.renders, options.photos)):
        if not Path(path).exists():
            raise ConfigError(f"There is no {path}.")
    if options.people < LEAST_PEOPLE:
        raise ConfigError(f"So few people say nothing: --people {LEAST_PEOPLE} or more.")
    truth = read_renders(options.renders)
    figures, errors = on_renders(options.people, truth["cd"].mean(0))
    if options.photos:
        for name, looks in (("mirrored", mirrored_looks), ("small", small_looks)):
            for key, value in on_photos(options.photos, looks, options.val_limit).items():
                figures[key][name] = value
    view = in_view(LatentFace.from_pretrained(options.weights), truth)
    _print(figures, errors, view)
    return write_report({"figures": figures, "standard_errors": errors, "in_view": view}, options)


def _print(figures: dict, errors: dict, view: dict) -> None:
    def columns(values: dict[str, float], key: str) -> dict[str, float]:
        return {"wanted": WANTED[key], **values} if key in WANTED else values

    shown = {key: columns(values | ({"error": errors[key]} if key in errors else {}), key)
             for key, values in figures.items()}
    show(table(ROWS, shown, "in the model's place, against MediaPipe", NAMES),
         table(VIEW_ROWS, {key: columns(values, key) for key, values in view.items()},
               "depth in the image's own view, renders", VIEW_NAMES))


def read_renders(path: Path) -> dict[str, Tensor]:
    """Arrays of a file of training.render_validation; depths in single precision."""
    with np.load(path) as arrays:
        found = {key: torch.from_numpy(arrays[key]) for key in ("im", "cd", "zin", "mi", "view")}
    return found | {key: found[key].float() for key in ("cd", "zin")}


def on_renders(people: int, head: Tensor) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Figures of the truth, and of the mean head (H, W), against MediaPipe; standard errors of the truth's."""
    mediapipe, truth, found = answers_on_renders(people, head)
    everything = np.concatenate([truth["expression"], truth["identity"]], 1)
    ways = {"truth": {"pose": truth["pose"], "depth": truth["depth"], "features": everything},
            "expression": {"features": truth["expression"]},
            **{name: {"depth": truth[name]} for name in ("shape", "head", "head_at_mediapipe")}}
    figures, errors = {"found": {"truth": found}}, {}
    for name, way in ways.items():
        for key, figure in measures(mediapipe, way, truth["person"]).items():
            figures.setdefault(key, {})[name] = figure(np.arange(len(truth["person"])))
            if name == "truth":
                errors[key] = standard_error(figure, truth["person"])
    return figures, errors


def answers_on_renders(people: int, head: Tensor) -> tuple[Rows, Rows, float]:
    """Render people, and let MediaPipe look at them.

    Args:
        people: how many; `PER_PERSON` renders each. The same numbers make the same renders.
        head: (H, W) canonical depth of the mean head.

    Returns:
        What MediaPipe finds (`answer`) and what is true of the N faces it finds: person (N,), pose (N, 2) in degrees,
        expression and identity (the rig's weights); depth at the landmarks, beside where it counts (N, 2, 478), of the
        true surface in the true and in MediaPipe's pose, and of the mean head in both; and the share that it finds.
    """
    rng, generator, rig = np.random.default_rng(SEED), torch.Generator().manual_seed(SEED), Rig.load(split="heldout")
    answers, truths = [], []
    for number in tqdm(range(people), desc="renders", unit="person", leave=False):
        person = rig.sample_person(rng)
        for _ in range(PER_PERSON):
            degrees = np.clip(rng.normal(0, POSE_DEG), -MOST_DEG, MOST_DEG)
            view = np.array([*np.radians(degrees), 0, 0], np.float32)
            sample = rig.render(person, rig.sample_expression(rng), view, SIZE)
            face = look(render_image(sample, random_light(1, generator), generator))
            if face is not None:
                answers.append(answer(face, SIZE))
                truths.append({"person": number, "pose": degrees[:2], "expression": sample.expression,
                               "identity": sample.identity, **_depths(sample, face, head)})
    return _stacked(answers), _stacked(truths), len(answers) / (people * PER_PERSON)


def _stacked(rows: list[Rows]) -> Rows:
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


@dataclass
class Look:
    """What MediaPipe finds in an image."""

    landmarks: np.ndarray
    """(478, 3) pixels of a crop of `CROP`."""
    blendshapes: np.ndarray
    """(52,)."""
    rotation: Tensor
    """(3,) pitch, yaw, roll in radians, in the image."""
    crop: Crop
    """The square of the image that was cut."""


def look(pixels: np.ndarray) -> Look | None:
    """MediaPipe's face in an image (H, W, 3) uint8, as face packs are made; None where it finds none."""
    try:
        face = find_faces(pixels, CROP, CROP, quick=True)[0]
    except FaceNotFound:
        return None
    assert face.landmarks is not None and face.blendshapes is not None and face.pose is not None  # not cut by hand
    return Look(face.landmarks, np.array(list(face.blendshapes.values())), face.pose.rotation[0], face.crop)


def answer(face: Look, side: int) -> Rows:
    """Pose (2,) in degrees, depth of the landmarks (478,) in pixels of a crop of `CROP`, and blendshapes (52,) of a
    face found in an image of `side` pixels that is such a crop itself."""
    z = face.crop.to_photo(face.landmarks, CROP)[:, 2] * (CROP / side)
    return {"pose": np.degrees(face.rotation[:2].numpy()), "z": z,
            "blendshapes": face.blendshapes}


def _depths(sample: RigSample, face: Look, head: Tensor) -> Rows:
    """Depth at the landmarks, and where it counts, of four surfaces seen by a depth map of `SMALL` pixels."""
    def posed(surface: Tensor, rotation: np.ndarray | Tensor) -> tuple[np.ndarray, np.ndarray]:
        view = View(torch.as_tensor(rotation)[None].float(), torch.zeros(1, 2))
        depth, mask = rasterize_depth(transform(backproject(surface[None]), view), len(surface))
        return depth[0].numpy(), mask[0].numpy()

    rotation = face.rotation
    surfaces = {"depth": in_crop(sample.depth, sample.mask, face.crop),
                "shape": in_crop(*posed(torch.from_numpy(sample.canon_depth), rotation), face.crop),
                "head": in_crop(*posed(head, sample.view[:3]), face.crop),
                # As on photos: the crop has taken the roll out.
                "head_at_mediapipe": posed(head, rotation * torch.tensor([1, 1, 0]))}
    return {name: np.concatenate(landmark_values(depth[None], mask[None], face.landmarks[None]))
            for name, (depth, mask) in surfaces.items()}


def in_crop(depth: np.ndarray, mask: np.ndarray, crop: Crop) -> tuple[np.ndarray, np.ndarray]:
    """Depth and mask (n, n) over an image of `SIZE` pixels as a crop of it shows them, (SMALL, SMALL), by the nearest
    pixel.

    Pixel centres on the image's corners are those of the maps, whatever their size (core.geometry.camera).
    """
    at = np.rint(crop.to_photo(pixel_grid(SMALL).numpy(), SMALL) * ((len(depth) - 1) / (SIZE - 1))).astype(int)
    inside = ((at >= 0) & (at < len(depth))).all(-1)
    x, y = np.moveaxis(at.clip(0, len(depth) - 1), -1, 0)
    return depth[y, x], mask[y, x] & inside


def measures(mediapipe: Rows, way: Rows, group: np.ndarray) -> dict[str, Callable[[np.ndarray], float]]:
    """The figures of training.evaluate.photos, each as a function of the faces (indices) it is taken over.

    Args:
        mediapipe: pose (N, 2), z (N, 478) and blendshapes (N, 52), of `answer`.
        way: any of pose (N, 2); depth (N, 2, 478), at the landmarks and where it counts; features (N, F), from which a
            linear probe reads the blendshapes.
        group: (N,) person: the probe learns from the first `LEARNT` of them.
    """
    result: dict[str, Callable] = {}
    if "pose" in way:
        for axis, name in enumerate(("pitch", "yaw")):
            for place, key in enumerate((name, f"{name}_slope")):
                result[key] = lambda rows, axis=axis, place=place: correlation(
                    way["pose"][rows, axis], mediapipe["pose"][rows, axis])[place]
    if "depth" in way:
        yaw = np.abs(mediapipe["pose"][:, 1])
        for low, high in YAW_BANDS:
            def explained(rows: np.ndarray, band: np.ndarray = (yaw >= low) & (yaw < high)) -> float:
                rows = rows[band[rows]]
                return explained_variance(way["depth"][rows, 0], mediapipe["z"][rows], way["depth"][rows, 1] > 0)

            result[f"depth_{high}"] = explained
    if "features" in way:
        result["blendshapes"] = _probe_r2(way["features"], mediapipe["blendshapes"], group)
    return result


def _probe_r2(features: np.ndarray, scores: np.ndarray, group: np.ndarray) -> Callable[[np.ndarray], float]:
    """R² of a linear probe over those of some faces that it did not learn from."""
    from sklearn.metrics import r2_score

    learnt = group < np.unique(group)[round(LEARNT * len(np.unique(group)))]
    shown = scores.std(0) > LEAST_SPREAD
    predicted = probe(features[learnt], scores[learnt][:, shown], features)

    def r2(rows: np.ndarray) -> float:
        rows = rows[~learnt[rows]]
        return float(r2_score(scores[rows][:, shown], predicted[rows]))

    return r2


def standard_error(figure: Callable[[np.ndarray], float], group: np.ndarray) -> float:
    """Spread of a figure when people (N,) are drawn anew, with all their renders (bootstrap)."""
    rng, people = np.random.default_rng(SEED), np.unique(group)
    members = {person: np.flatnonzero(group == person) for person in people}
    return float(np.std([figure(np.concatenate([members[person] for person in rng.choice(people, len(people))]))
                         for _ in range(DRAWS)]))


def on_photos(folder: Path, looks: Callable, limit: int | None) -> dict[str, float]:
    """Figures of MediaPipe's second answer on the photos of a face pack, `looks`, against its first one."""
    folder = Path(folder)
    columns = FacePack(folder, SMALL, "val", limit).columns
    first = {"pose": np.stack([columns["pitch_deg"], columns["yaw_deg"]], 1)}
    for key, file, name in (("landmarks", "val_landmarks", "landmarks"),
                            ("blendshapes", "val_blendshapes", "scores")):
        with np.load(folder / f"{file}.npz") as arrays:
            first[key] = arrays[name][:limit].astype(np.float64)
    found, second = looks(folder, first["landmarks"], limit)
    z = first.pop("landmarks")[..., 2]
    inner = z <= np.quantile(z, INNER, axis=1, keepdims=True)
    first = {key: rows[found] for key, rows in (first | {"z": z}).items()}
    way = {"pose": second["pose"], "depth": np.stack([second["z"], inner[found]], 1), "features": second["blendshapes"]}
    everybody = np.arange(found.sum())
    return {"found": float(found.mean())} | {key: figure(everybody)
                                             for key, figure in measures(first, way, everybody).items()}


def mirrored_looks(folder: Path, landmarks: np.ndarray, limit: int | None) -> tuple[np.ndarray, Rows]:
    """MediaPipe's answers to the mirrored photos, mirrored back; the blendshapes stay those of the mirrored face.

    Args:
        folder: face pack.
        landmarks: (N, 478, 3) first answers, whose mean says which landmarks are each other's mirror image.
        limit: photos to look at; None for all.

    Returns:
        (N,) bool, where a face was found, and the answers for these.
    """
    mean = torch.from_numpy(landmarks.mean(0))
    partner = torch.cdist(mean * torch.tensor([-1, 1, 1]) + torch.tensor([CROP - 1, 0, 0]), mean).argmin(1).numpy()
    found, rows = _looks(photo.flip(-1) for photo in tqdm(FacePack(folder, CROP, "val", limit).images, leave=False))
    return found, rows | {"pose": rows["pose"] * (1, -1), "z": rows["z"][:, partner]}


def small_looks(folder: Path, landmarks: np.ndarray, limit: int | None) -> tuple[np.ndarray, Rows]:
    """MediaPipe's answers to the photos in `SMALL` pixels; arguments and result as of `mirrored_looks`."""
    return _looks(tqdm(FacePack(folder, SMALL, "val", limit).images, leave=False))


def _looks(photos: Iterable[Tensor]) -> tuple[np.ndarray, Rows]:
    """Answers to photos (3, n, n) uint8, and where there are any."""
    faces = [(look(photo.permute(1, 2, 0).numpy()), photo.shape[-1]) for photo in photos]
    answers = [answer(face, side) for face, side in faces if face is not None]
    found = np.array([face is not None for face, _ in faces])
    return found, _stacked(answers)


def in_view(model: LatentFace, truth: dict[str, Tensor]) -> dict[str, dict[str, float]]:
    """Errors of depth in the image's own view by columns of `VIEW_NAMES`, with `read_renders`' truth."""
    found = model.analyze(truth["im"].movedim(-1, 1).float() / 255).to("cpu")
    view, depth, canonical = View(truth["view"][:, :3], truth["view"][:, 3:]), truth["zin"], truth["cd"]
    points = inverse_transform(backproject(depth), view)
    # The truth counts the neck as a plane. Where it does, the image's own depth says more, as far as a map reaches.
    back, seen = rasterize_depth(points, depth.shape[-1])
    neck = torch.where(seen & (canonical >= FAR_DEPTH), back.clamp(FAR_DEPTH, BACKGROUND), canonical)
    ways = {"best": (neck, view), "true": (canonical, view), "depth": (found.canon_depth, view),
            "pose": (canonical, found.view), "both": (found.canon_depth, found.view),
            "mean": (canonical.mean(0).expand_as(canonical), view)}
    head, face = (erode(mask, EROSION) for mask in (truth["mi"], truth["mi"] & (points[..., 2] < NECK_DEPTH)))
    figures: dict[str, dict[str, float]] = {}
    for name, (surface, pose) in ways.items():
        posed_depth, covered = rasterize_depth(transform(backproject(surface), pose), depth.shape[-1])
        for part, mask in (("", head & covered), ("_face", face & covered)):
            for key, error in (("side", side), ("mad", mad)):
                figures.setdefault(key + part, {})[name] = error(posed_depth, depth, mask)
    return figures
