"""Train what the representation has to beat: the same two encoders, on the same pictures, without 3-D.

    python -m training.train_baselines --kind autoencoder
    python -m training.train_baselines --kind contrastive --photos packs/photos --steps 5125
    python -m training.train_baselines --resume runs/0002-contrastive           # goes on exactly where it stopped
    python -m training.evaluate disentanglement --baselines runs/0002-contrastive/model.safetensors ...

The run folder holds config.json, metrics.jsonl, checkpoint.pt and model.safetensors.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from core.config import ModelConfig
from core.errors import ConfigError, LatentFaceError
from training.cli import parse, start
from training.config import AutoencoderTraining


@dataclass(frozen=True)
class BaselineTraining:
    """Training of one baseline. What is not named here is as in AutoencoderTraining."""

    kind: Literal["autoencoder", "contrastive"] = "autoencoder"
    """Plain autoencoder, or contrastive encoder."""
    photos: str = AutoencoderTraining.photos
    """Folder of aligned photos (python -m training.prepare)."""
    renders: str = AutoencoderTraining.renders
    """Folder of renders (python -m training.render_pack); empty: photos only."""
    batch: int = 128
    """Pictures a step, two copies of each, half of them rendered; a contrast needs many."""
    steps: int = 5125
    """Optimizer steps; 5,125 of 128 are as many pictures as 20,500 of 32."""
    lr: float = AutoencoderTraining.lr
    """Learning rate after warm-up."""
    threads: int = 2
    """CPU threads."""
    seed: int = 0
    """Of weights and batches."""
    checkpoint_minutes: float = 3.0
    """Minutes between checkpoints."""
    log_every: int = 20
    """Steps between lines of metrics.jsonl."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Sizes of the encoders."""

    def __post_init__(self):
        if self.batch < 4 or self.batch % 4:
            raise ConfigError(f"batch must be a multiple of 4, got {self.batch}.")

    to_dict = asdict


class Copies:
    """Two changed copies of photos and renders for each step, drawn from seed and step alone."""

    def __init__(self, config: BaselineTraining):
        from training.data.face_pack import FacePack
        from training.data.renders import RenderPack

        self.config, self.size = config, config.model.image_size
        self.photos = FacePack(config.photos, size=2 * self.size)
        self.renders = RenderPack(config.renders, self.size) if config.renders else None

    def draw(self, step: int) -> tuple:
        """(batch / 2, 3, H, W) pictures twice: the same ones in the same order, changed otherwise."""
        import torch

        from training.data.augment import augment

        generator = torch.Generator().manual_seed(self.config.seed * 10_000_019 + step)
        count = self.config.batch // 4 if self.renders else self.config.batch // 2
        parts = [self.photos[torch.randint(len(self.photos), (count,), generator=generator)]]
        if self.renders:
            behind = augment(parts[0], self.size, generator).image
            parts.append(self.renders.draw(count, behind, generator).image)
        first, second = (torch.cat([augment(part, self.size, generator).image for part in parts])
                         for _ in range(2))
        return first, second


def train(config: BaselineTraining, run: Path, state: dict | None = None) -> None:
    """Run or go on with a training; see the module's text for what the run folder holds."""
    import time

    import torch
    from tqdm import tqdm

    from core.model.autoencoder import autocast
    from training import checkpoint
    from training.objective.baselines import KINDS
    from training.train_autoencoder import learning_rate

    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    model = KINDS[config.kind](config.model).to(memory_format=torch.channels_last)
    shared = AutoencoderTraining(steps=config.steps, lr=config.lr)
    optimizer = torch.optim.AdamW(model.parameters(), config.lr, (0.9, 0.99), weight_decay=shared.weight_decay)
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    start = state["step"] if state else 0
    copies, saved = Copies(config), time.monotonic()
    progress = tqdm(range(start, config.steps), initial=start, total=config.steps, desc=run.name)
    for step in progress:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, shared)
        with autocast(shared.bf16):
            loss = model.loss(*copies.draw(step))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), shared.clip)
        optimizer.step()

        done = step + 1
        if done % config.log_every == 0:
            checkpoint.log_metrics(run, {"step": done, "loss": loss.item()})
            progress.set_postfix(loss=f"{loss.item():.3f}")
        if time.monotonic() - saved > 60 * config.checkpoint_minutes or done == config.steps:
            _save(run, model, optimizer, done, config)
            saved = time.monotonic()


def _save(run: Path, model, optimizer, done: int, config: BaselineTraining) -> None:
    """Everything a resumed run needs, and the weights for use."""
    from core.model.weights import save_weights
    from training import checkpoint

    checkpoint.save(run, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": done,
                          "config": config.to_dict()})
    save_weights(run / "model.safetensors", model.state_dict(), config.model,
                 {"stage": "baseline", "kind": config.kind, "steps": str(done)})


def main(arguments: list[str]) -> None:
    """Command line of the training."""
    options, config = parse(arguments, BaselineTraining, "training.train_baselines")
    start(options, config, train, config.kind)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LatentFaceError as error:
        sys.exit(str(error))
