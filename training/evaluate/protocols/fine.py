"""What the fine stage adds to the autoencoder's maps, enlarged to the same size.

    python -m training.evaluate fine --fine runs/0003-fine/fine.safetensors --renders packs/heldout128.npz \
        --photos fairface --london london --figures sheets

Renders of held-out people: depth and albedo against the truth, where the photo shows the head and where not. Photos:
the reconstruction within the hull of their landmarks. Faces under four lights: how much light stays in the albedo.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import torch
from PIL import Image

from core.errors import ConfigError
from core.export.visualize import normal_to_color, to_uint8
from core.geometry.shading import shade
from core.model.autoencoder import Autoencoder
from core.model.fine import FineStage
from core.model.weights import autoencoder_fingerprint, fine_path, load_autoencoder, load_fine, weights_path
from core.types import Factors, Light
from training.evaluate import fine, london, plots
from training.evaluate.comparison import Row, finish

ROWS = {"fine.l1": Row("photos: L1", 4, "low"), "fine.ssim": Row("photos: SSIM", 3),
        "fine.gradient": Row("photos: L1 of gradients", 4, "low"),
        "fine.mad": Row("renders: MAD in degrees", 2, "low"), "fine.side": Row("renders: SIDE ×10⁻²", 3, "low"),
        "fine.albedo_seen": Row("renders: albedo where the photo shows it", 4, "low"),
        "fine.albedo_hidden": Row("renders: albedo where it does not", 4, "low"),
        "fine.lights": Row("albedo: L1 between lights, one face", 4, "low"),
        "fine.people": Row("albedo: L1 between faces, one light", 4, "neither"),
        "fine.ratio": Row("albedo: lights as part of faces", 2, "low")}
NAMES = {"coarse": "enlarged", "fine": "fine stage", "photo": "photo itself"}
SHOWN = 16
"""Photos on the sheet."""


def run(options: Namespace) -> dict:
    """Measure, print the table, write report and sheet.

    Returns:
        What is written with --out.

    Raises:
        ConfigError: fewer than two people, or data that is not there.
        WeightsMissing, WeightsDamaged, WeightsMismatch: see `load_fine`.
    """
    if options.people < 2:
        raise ConfigError("One face alone has nobody to be compared with: --people 2 or more.")
    if options.figures and not options.london:
        raise ConfigError("The sheet shows people of the London Set: name its folder with --london.")
    path = weights_path(options.weights)
    autoencoder = load_autoencoder(path).eval()
    fingerprint = autoencoder_fingerprint(autoencoder.state_dict())
    model = load_fine(weights_path(options.fine or fine_path(path)), fingerprint).eval()
    figures = fine.lamps(autoencoder, model, options.people)
    if options.renders:
        figures |= fine.renders(autoencoder, model, options.renders)
    if options.photos:
        figures |= fine.photos(autoencoder, model, options.photos, options.val_limit)
    if options.figures:
        plots.save(options.figures, {"fine": plots.png(sheet(autoencoder, model, options.london))}, options.overwrite)
    return finish(ROWS, figures, f"fine stage, {model.config.image_size} px", options, NAMES)


def sheet(autoencoder: Autoencoder, model: FineStage, folder: Path) -> Image.Image:
    """Held-out people: photo; albedo, reconstruction, normals and clay, each enlarged beside fine."""
    photos, _, _, held_out = london.read(folder, model.config.image_size)
    index = torch.from_numpy(held_out).nonzero()[:, 0]
    chosen = photos[index[torch.linspace(0, len(index) - 1, min(SHOWN, len(index))).long()]]
    rows = []
    for found in fine.analyze(autoencoder, model, chosen):
        pairs = zip(*(_columns(found[name]) for name in ("coarse", "fine")), strict=True)
        rows.append(torch.cat([found["fine"].image, *(column for pair in pairs for column in pair)], -1))
    return Image.fromarray(to_uint8(torch.cat(list(torch.cat(rows)), 1)))


def _columns(factors: Factors) -> list[torch.Tensor]:
    clay = shade(factors.canon_normal, Light.of(0.25, 0.75, -0.8, 0.5)).expand(-1, 3, -1, -1)
    return [maps.clamp(0, 1) for maps in (factors.canon_albedo, factors.recon_image,
                                          normal_to_color(factors.canon_normal), clay)]
