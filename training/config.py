"""Settings of the training runs. YAML files hold differences only; every value's home is here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from core.config import DiffusionConfig, ModelConfig, from_dict
from core.errors import ConfigError


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of the autoencoder's loss."""

    mirror: float = 0.5
    """Likelihood of the mirrored reconstruction, relative to the plain one (paper section 3.1)."""
    plain: float = 40.0
    """Photos: L1 of the reconstruction whatever the confidence, which else gives up hair and background."""
    gradient: float = 4.0
    """Gradient differences between reconstruction and image, three scales."""
    curvature: float = 2.0
    """Curvature of the canonical depth."""
    render_image: float = 0.15
    """Renders: likelihood and gradient differences, relative to those of photos."""
    depth: float = 220.0
    """Renders: L1 of canonical depth."""
    view_depth: float = 80.0
    """Renders: L1 of depth in the picture's own view, which depth and pose share."""
    normal: float = 6.0
    """Renders: 1 − cosine of canonical normals."""
    albedo: float = 24.0
    """Renders: L1 of albedo."""
    view: float = 32.0
    """Renders: L1 of pose."""
    light: float = 6.0
    """Renders: L1 of light."""
    mean_head: float = 20.0
    """Photos beside renders: distance between the mean shapes of the two."""
    expression: float = 2.0
    """Renders: squared distance of expression weights that a linear head finds in the codes."""
    added_expression: float = 2.0
    """Photos beside renders: the same of the change between two copies, of which one was given an expression."""
    identity: float = 0.35
    """Contrast of faces by linear heads on the codes: copies of a photo, renders of a person, against others."""
    time_invariance: float = 0.0
    """Loss of the diffusion model beside the weights that training starts from, on pairs of one face: fine-tunes the
    encoders with it (paper section 3.2). Lightly: with an `lr` of 2e-4 codes leave the denoisers' reach within 30
    steps, 2e-5 is sound."""
    same_view: float = 16.0
    """Photos: L1 between the poses found in two changed copies."""
    same_depth: float = 60.0
    """Photos: L1 between the depths found in two changed copies."""
    same_albedo: float = 2.0
    """Photos: L1 between the albedos found in two changed copies."""


@dataclass(frozen=True)
class AutoencoderTraining:
    """Training of the 3D-aware autoencoder (paper section 3.1)."""

    photos: str = "packs/photos"
    """Folder of aligned photos (python -m training.prepare)."""
    renders: str = "packs/rig64"
    """Folder of renders (python -m training.render_pack); empty: photos only."""
    limit: int = 0
    """Read only the first so many photos; 0: all."""
    start_from: str = ""
    """Weights to start from (safetensors), such as the bundled ones; empty: from nothing but eigenfaces."""
    batch: int = 32
    """Pictures a step and process: copies of photos, in pairs, and renders."""
    accumulate: int = 1
    """Batches whose gradients are averaged before a step."""
    renders_share: float = 0.5
    """Part of the batch that is rendered, where there are renders."""
    steps: int = 62080
    """Optimizer steps."""
    lr: float = 6e-4
    """Learning rate after warm-up."""
    final_lr: float = 0.02
    """Learning rate at the end, as a part of `lr` (cosine)."""
    warmup: int = 200
    """Steps of linear warm-up."""
    weight_decay: float = 1e-4
    """Of AdamW."""
    clip: float = 2.0
    """Largest norm of the gradient."""
    ema: float = 0.998
    """Decay of the averaged weights, per step."""
    only: str = ""
    """Networks to train, by how their names begin, such as "albedo confidence"; the others stay. Empty: all."""
    bf16: bool = True
    """Convolutions in bfloat16."""
    device: str = "cpu"
    """cpu or cuda."""
    threads: int = 2
    """CPU threads a process."""
    seed: int = 0
    """Of weights and batches."""
    checkpoint_minutes: float = 3.0
    """Minutes between checkpoints."""
    log_every: int = 50
    """Steps between lines of metrics.jsonl."""
    sample_every: int = 500
    """Steps between sample sheets."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Sizes and ranges of the model."""
    loss: LossWeights = field(default_factory=LossWeights)
    """Weights of the terms of the loss."""

    def __post_init__(self):
        if self.batch < 4 or self.batch % 4:
            raise ConfigError(f"batch must be a multiple of 4, got {self.batch}.")
        if not 0 <= self.renders_share < 1:
            raise ConfigError(f"renders_share must be in [0, 1), got {self.renders_share}.")

    to_dict = asdict


@dataclass(frozen=True)
class DiffusionTraining:
    """Training of the representation diffusion model (paper section 3.2)."""

    weights: str = ""
    """Autoencoder whose codes are learnt from (safetensors); empty: the bundled one."""
    renders: str = "packs/rig64"
    """Folder of renders (python -m training.render_pack), several of each person; empty: none."""
    render_limit: int = 0
    """Use only the first so many renders; 0: all."""
    lights: int = 1
    """Lights and backgrounds in which each render is seen."""
    people: str = ""
    """Folder with one folder of photos for each person; empty: none."""
    photos: str = "packs/photos"
    """Folder of aligned photos (python -m training.prepare): single photos, and backgrounds."""
    photo_limit: int = 8000
    """Use only the first so many photos; 0: all."""
    copies: int = 4
    """Changed copies of each photo."""
    photos_share: float = 0.33
    """Part of the batch that is copies of single photos."""
    batch: int = 256
    """Codes a step."""
    steps: int = 1500
    """Optimizer steps."""
    lr: float = 1e-3
    """Learning rate after warm-up."""
    final_lr: float = 0.02
    """Learning rate at the end, as a part of `lr` (cosine)."""
    warmup: int = 100
    """Steps of linear warm-up."""
    weight_decay: float = 0.01
    """Of AdamW."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema: float = 0.995
    """Decay of the averaged weights, per step."""
    threads: int = 2
    """CPU threads."""
    seed: int = 0
    """Of weights, frames and batches."""
    checkpoint_minutes: float = 1.0
    """Minutes between checkpoints."""
    log_every: int = 100
    """Steps between lines of metrics.jsonl."""
    model: DiffusionConfig = field(default_factory=DiffusionConfig)
    """Sizes of the denoisers and the schedule of the noise."""

    to_dict = asdict


def load_config(cls, path: str | Path):
    """Read a YAML file of differences from the defaults of `cls`.

    Raises:
        ConfigError: no such file, not YAML, an unknown key or a wrong type.
    """
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"Cannot read the configuration {path}: {error}") from error
    return from_dict(cls, values)
