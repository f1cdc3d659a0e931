"""Train the baselines of the representation: the same two encoders, on the same images, without 3-D.

    python -m training.train_baselines --kind autoencoder
    python -m training.train_baselines --kind contrastive --photos packs/photos --steps 5125
    python -m training.train_baselines --resume runs/0002-contrastive           # continues exactly where it stopped
    python -m training.evaluate disentanglement --baselines runs/0002-contrastive/model.safetensors ...

The run folder holds config.json, metrics.jsonl, checkpoint.pt and model.safetensors.
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import StrictInt
from pydantic.dataclasses import dataclass

from core.config import VALIDATED, ModelConfig, Number
from core.errors import ConfigError, LatentFaceError
from training.cli import parse, start
from training.config import AutoencoderTraining
from training.schedule import learning_rate, set_learning_rate

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from training.objective.baselines import TwoEncoders


@dataclass(frozen=True, config=VALIDATED)
class BaselineTraining:
    """Training of one baseline. All other settings are the defaults of AutoencoderTraining."""

    kind: Literal["autoencoder", "contrastive"] = "autoencoder"
    """Plain autoencoder or contrastive encoder."""
    photos: str = AutoencoderTraining.photos
    """Folder of aligned photos (python -m training.prepare)."""
    renders: str = AutoencoderTraining.renders
    """Folder of renders (python -m training.render_pack); empty: photos only."""
    batch: StrictInt = 128
    """Images per step: two copies of each photo and render, half of them rendered. The contrast needs many."""
    steps: StrictInt = 5125
    """Optimizer steps; 5,125 with 128 images are as many images as 20,500 with 32."""
    lr: Number = AutoencoderTraining.lr
    """Learning rate after warm-up."""
    threads: StrictInt = 2
    """CPU threads."""
    seed: StrictInt = 0
    """Random seed of weights and batches."""
    checkpoint_minutes: Number = 3.0
    """Minutes between checkpoints."""
    log_every: StrictInt = 20
    """Steps between lines of metrics.jsonl."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Sizes of the encoders."""

    def __post_init__(self) -> None:
        if self.batch < 4 or self.batch % 4:
            raise ConfigError(f"batch must be a multiple of 4, got {self.batch}.")

    to_dict = asdict


class Copies:
    """Two augmented copies of photos and renders for each step, drawn from the seed and the step alone."""

    def __init__(self, config: BaselineTraining):
        from training.data.face_pack import FacePack
        from training.data.renders import RenderPack

        self.config, self.size = config, config.model.image_size
        self.photos = FacePack(config.photos, size=2 * self.size)
        self.renders = RenderPack(config.renders, self.size) if config.renders else None

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Two differently augmented copies (batch / 2, 3, H, W) of the same images, in the same order."""
        import torch

        from training.data.augment import augment
        from training.data.batches import SEED_STRIDE

        generator = torch.Generator().manual_seed(self.config.seed * SEED_STRIDE + step)
        count = self.config.batch // 4 if self.renders else self.config.batch // 2
        parts = [self.photos[torch.randint(len(self.photos), (count,), generator=generator)]]
        if self.renders:
            behind = augment(parts[0], self.size, generator).image
            parts.append(self.renders.draw(count, behind, generator).image)
        first, second = (torch.cat([augment(part, self.size, generator).image for part in parts])
                         for _ in range(2))
        return first, second


def train(config: BaselineTraining, run: Path, state: dict[str, Any] | None = None) -> None:
    """Begin or resume a training.

    Args:
        config: settings.
        run: folder of the run; see the module's docstring.
        state: checkpoint to resume from.

    Raises:
        ConfigError: data is missing.
    """
    import torch
    from tqdm import tqdm

    from core.model.autoencoder import autocast
    from training import checkpoint
    from training.objective.baselines import KINDS

    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    model = KINDS[config.kind](config.model).to(memory_format=torch.channels_last)
    shared = AutoencoderTraining()
    optimizer = torch.optim.AdamW(model.parameters(), config.lr, (0.9, 0.99), weight_decay=shared.weight_decay)
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    start = state["step"] if state else 0
    copies, saved = Copies(config), time.monotonic()
    progress = tqdm(range(start, config.steps), initial=start, total=config.steps, desc=run.name)
    for step in progress:
        set_learning_rate(optimizer, learning_rate(step, config.steps, config.lr, shared.final_lr, shared.warmup))
        with autocast(shared.bf16):
            loss = model.loss(*copies.draw(step))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), shared.clip)
        optimizer.step()

        done = step + 1
        if done % config.log_every == 0:
            checkpoint.log_metrics(run, {"step": done, "loss": loss})
            progress.set_postfix(loss=f"{loss.item():.3f}")
        if time.monotonic() - saved > 60 * config.checkpoint_minutes or done == config.steps:
            save(config, run, model, optimizer, done)
            saved = time.monotonic()


def save(config: BaselineTraining, run: Path, model: TwoEncoders, optimizer: Optimizer, done: int) -> None:
    """Write everything that a resumed run needs, and the weights for use."""
    from core.model.weights import save_weights
    from training import checkpoint

    checkpoint.save(run, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": done,
                          "config": config.to_dict()})
    save_weights(run / "model.safetensors", model.state_dict(), config.model,
                 {"stage": "baseline", "kind": config.kind, "steps": str(done)}, overwrite=True)


def main(arguments: list[str]) -> None:
    """Command line of the training."""
    options, config = parse(arguments, BaselineTraining, "training.train_baselines")
    start(options, config, train, config.kind)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LatentFaceError as error:
        sys.exit(str(error))
