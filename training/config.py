"""Settings of the training runs: the only home of their constants. YAML files hold differences only."""

from __future__ import annotations

from dataclasses import asdict, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import StrictBool, StrictInt
from pydantic.dataclasses import dataclass

from core.config import VALIDATED, Config, DiffusionConfig, FineConfig, ModelConfig, Number, from_dict
from core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, config=VALIDATED)
class LossWeights:
    """Weights of the terms of the autoencoder's loss."""

    mirror: Number = 0.5
    """Photos: negative log-likelihood of the mirrored reconstruction (paper section 3.1)."""
    l1: Number = 40.0
    """Photos: L1 of the reconstruction, confidence ignored. Without it, low confidence lets hair and background go."""
    gradient: Number = 4.0
    """Photos: differences of the gradients of reconstruction and image, at three scales."""
    curvature: Number = 2.0
    """Photos: curvature of the canonical depth."""
    render_image: Number = 0.15
    """Renders: negative log-likelihood and gradient differences, relative to those of photos."""
    depth: Number = 220.0
    """Renders: L1 of the canonical depth."""
    view_depth: Number = 80.0
    """Renders: L1 of the depth in the input view, which trains both canonical depth and pose."""
    normal: Number = 6.0
    """Renders: 1 − cosine of the canonical normals."""
    albedo: Number = 24.0
    """Renders: L1 of the canonical albedo."""
    view: Number = 32.0
    """Renders: L1 of the pose."""
    light: Number = 6.0
    """Renders: L1 of the light."""
    mean_shape: Number = 20.0
    """Photos, in hybrid training: distance between the mean shape of photos and that of renders."""
    expression: Number = 2.0
    """Renders: squared error of the expression weights that a linear head predicts from the codes."""
    added_expression: Number = 2.0
    """Photos, in hybrid training: the same error, of the expression that was added to the second copy."""
    identity: Number = 0.35
    """Contrast of faces by linear heads on the codes: copies of one photo, or renders of one person, against others."""
    time_invariance: Number = 0.0
    """Loss of the diffusion model that lies beside the weights in `start_from`, on pairs of one face: fine-tunes the
    encoders (paper section 3.2). It needs a small `lr`: 2e-5 works; with 2e-4 the codes leave the range that the
    denoisers know within 30 steps."""
    same_view: Number = 16.0
    """Photos: L1 between the poses predicted for two augmented copies."""
    same_depth: Number = 60.0
    """Photos: L1 between the canonical depths predicted for two augmented copies."""
    same_albedo: Number = 2.0
    """Photos: L1 between the canonical albedos predicted for two augmented copies."""

    to_dict = asdict

    def weigh(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weighted terms, of raw terms by name (training.objective.autoencoder.Objective)."""
        weights = self.to_dict() | {
            "image": 1.0,
            "render_gradient": self.render_image * self.gradient,
            "render_identity": self.identity,
            "render_time_invariance": self.time_invariance,
        }
        return {name: weights[name] * term for name, term in terms.items()}


@dataclass(frozen=True, config=VALIDATED)
class AutoencoderTraining:
    """Training of the 3D-aware autoencoder (paper section 3.1)."""

    photos: str = "packs/photos"
    """Folder of aligned photos (python -m training.prepare)."""
    renders: str = "packs/rig64"
    """Folder of renders (python -m training.render_pack); empty: photos only."""
    limit: StrictInt = 0
    """Number of photos to read, the first of the pack; 0: all."""
    held_out: StrictInt = 64
    """Photos, and renders, kept out of training for validation, at most an eighth of each pack."""
    start_from: str = ""
    """Weights to start from (safetensors), such as the bundled ones; empty: random weights and eigenfaces."""
    batch: StrictInt = 32
    """Images per step and process: augmented copies of photos, in pairs, and renders."""
    accumulate: StrictInt = 1
    """Batches whose gradients are averaged before a step."""
    renders_share: Number = 0.5
    """Share of the batch that is rendered, where there are renders, 0 to 1."""
    steps: StrictInt = 62080
    """Optimizer steps."""
    lr: Number = 6e-4
    """Learning rate after warm-up."""
    final_lr: Number = 0.02
    """Learning rate at the end, relative to `lr` (cosine schedule)."""
    warmup: StrictInt = 200
    """Steps of linear warm-up; 0: none."""
    weight_decay: Number = 1e-4
    """Weight decay of AdamW."""
    clip: Number = 2.0
    """Largest norm of the gradient."""
    ema: Number = 0.998
    """Decay of the averaged weights, per step."""
    only: str = ""
    """Networks to train, by the beginnings of their names, such as "albedo confidence"; empty: all."""
    bf16: StrictBool = True
    """Convolutions in bfloat16."""
    device: str = "cpu"
    """cpu or cuda."""
    rasterizer: str = "grid"
    """What renders depth: grid (the project's own) or pytorch3d (requirements-pytorch3d.txt)."""
    threads: StrictInt = 2
    """CPU threads per process."""
    seed: StrictInt = 0
    """Random seed of weights and batches."""
    checkpoint_minutes: Number = 3.0
    """Minutes between checkpoints."""
    log_every: StrictInt = 50
    """Steps between lines of losses in metrics.jsonl."""
    validate_every: StrictInt = 500
    """Steps between validations, lines of errors on held-out photos and renders in metrics.jsonl."""
    sample_every: StrictInt = 500
    """Steps between sample sheets."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Sizes and ranges of the model."""
    loss: LossWeights = field(default_factory=LossWeights)
    """Weights of the terms of the loss."""

    def __post_init__(self) -> None:
        if self.batch < 4 or self.batch % 4:
            raise ConfigError(f"batch must be a multiple of 4, got {self.batch}.")
        if not 0 <= self.renders_share < 1:
            raise ConfigError(f"renders_share must be in [0, 1), got {self.renders_share}.")
        if self.rendered == self.batch:
            raise ConfigError(f"A batch of {self.batch} with renders_share {self.renders_share} has no photo: choose a "
                              "larger batch or a smaller share.")

    to_dict = asdict

    @property
    def rendered(self) -> int:
        """Renders per batch, an even number; the other images are photos."""
        return round(self.batch * self.renders_share / 2) * 2 if self.renders else 0


@dataclass(frozen=True, config=VALIDATED)
class DiffusionTraining:
    """Training of the representation diffusion model (paper section 3.2)."""

    weights: str = ""
    """Autoencoder that encodes the images (safetensors); empty: the bundled one."""
    renders: str = "packs/rig64"
    """Folder of renders (python -m training.render_pack), several of each person; empty: none."""
    render_limit: StrictInt = 0
    """Number of renders to use; 0: all."""
    lights: StrictInt = 1
    """Copies of each render, each with its own light and background."""
    people: str = ""
    """Folder with one folder of photos for each person; empty: none."""
    photos: str = "packs/photos"
    """Folder of aligned photos (python -m training.prepare): single photos, and backgrounds."""
    photo_limit: StrictInt = 8000
    """Number of photos to use, the first of the pack; 0: all."""
    copies: StrictInt = 4
    """Augmented copies of each photo."""
    photos_share: Number = 0.33
    """Share of the batch that is copies of single photos, 0 to 1."""
    held_out: StrictInt = 256
    """People kept out of training for validation, at most an eighth of all."""
    batch: StrictInt = 256
    """Codes per step."""
    steps: StrictInt = 1500
    """Optimizer steps."""
    lr: Number = 1e-3
    """Learning rate after warm-up."""
    final_lr: Number = 0.02
    """Learning rate at the end, relative to `lr` (cosine schedule)."""
    warmup: StrictInt = 100
    """Steps of linear warm-up; 0: none."""
    weight_decay: Number = 0.01
    """Weight decay of AdamW."""
    clip: Number = 1.0
    """Largest norm of the gradient."""
    ema: Number = 0.995
    """Decay of the averaged weights, per step."""
    threads: StrictInt = 2
    """CPU threads."""
    seed: StrictInt = 0
    """Random seed of weights, frames and batches."""
    checkpoint_minutes: Number = 1.0
    """Minutes between checkpoints."""
    log_every: StrictInt = 100
    """Steps between lines of losses in metrics.jsonl."""
    validate_every: StrictInt = 100
    """Steps between validations, lines of losses on held-out people in metrics.jsonl."""
    model: DiffusionConfig = field(default_factory=DiffusionConfig)
    """Sizes of the denoisers, and the noise schedule."""

    to_dict = asdict


@dataclass(frozen=True, config=VALIDATED)
class FineWeights:
    """Weights of the terms of the fine stage's loss."""

    image: Number = 1.0
    """Photos: L1 of the reconstruction."""
    gradient: Number = 2.0
    """Gradient differences at three scales, relative to the L1 that they stand beside."""
    render_image: Number = 0.5
    """Renders: L1 of the reconstruction where the head is bare."""
    albedo: Number = 2.0
    """Renders: L1 of albedo, hidden parts included."""
    normal: Number = 15.0
    """Renders: 1 − cosine of canonical normals."""
    depth: Number = 30.0
    """Renders: L1 of canonical depth."""
    lamps: Number = 4.0
    """L1, up to gain, between the albedos of one face under two lamps: renders lit twice, photos and their
    relit copies."""
    curvature: Number = 5.0
    """Curvature of the residual depth."""
    light: Number = 0.1
    """Mean absolute logarithm of the gain on the shading."""


@dataclass(frozen=True, config=VALIDATED)
class FineTraining:
    """Training of the fine stage on a frozen autoencoder."""

    weights: str = ""
    """Autoencoder that it stands on (safetensors); empty: the bundled one."""
    photos: str = "packs/photos"
    """Folder of aligned photos (python -m training.prepare), as large as the fine stage's maps at least."""
    renders: str = "packs/rig128"
    """Folder of renders of the same size (python -m training.render_pack --size 128)."""
    held_out: str = ""
    """File of training.render_validation of that size, to measure on during training; empty: none."""
    limit: StrictInt = 0
    """Read only the first so many photos; 0: all."""
    batch: StrictInt = 16
    """Images a step: a quarter photos, their relit copies, renders, and the same renders under another lamp."""
    hidden_share: Number = 0.4
    """Part of the relit copies of which half the face is taken away, to be filled from the other half."""
    steps: StrictInt = 4000
    """Optimizer steps."""
    lr: Number = 1.5e-3
    """Learning rate after warm-up."""
    final_lr: Number = 0.02
    """Learning rate at the end, as a part of `lr` (cosine)."""
    warmup: StrictInt = 50
    """Steps of linear warm-up."""
    weight_decay: Number = 1e-4
    """Of AdamW."""
    clip: Number = 2.0
    """Largest norm of the gradient."""
    ema: Number = 0.997
    """Decay of the averaged weights, per step."""
    bf16: StrictBool = False
    """Convolutions in bfloat16."""
    device: str = "cpu"
    """cpu or cuda."""
    threads: StrictInt = 1
    """CPU threads."""
    seed: StrictInt = 0
    """Of weights and batches."""
    checkpoint_minutes: Number = 3.0
    """Minutes between checkpoints."""
    log_every: StrictInt = 25
    """Steps between lines of metrics.jsonl."""
    validate_every: StrictInt = 500
    """Steps between measurements on `held_out`."""
    model: FineConfig = field(default_factory=FineConfig)
    """Sizes and ranges of the fine stage."""
    loss: FineWeights = field(default_factory=FineWeights)
    """Weights of the terms of the loss."""

    def __post_init__(self) -> None:
        if self.batch < 4 or self.batch % 4:
            raise ConfigError(f"batch must be a multiple of 4, got {self.batch}.")

    to_dict = asdict


def load_config(cls: type[Config], path: str | Path) -> Config:
    """Read a YAML file of differences from the defaults of `cls`.

    Raises:
        ConfigError: no such file, not YAML, an unknown key or a wrong type.
    """
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: no UTF-8, or no such date
        raise ConfigError(f"Cannot read the configuration {path}: {' '.join(str(error).split())}.") from error
    return from_dict(cls, {} if values is None else values)
