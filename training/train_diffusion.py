"""Train the representation diffusion model (paper section 3.2): codes of a photo to what the person's photos share.

    python -m training.train_diffusion --config training/configs/diffusion.yaml
    python -m training.train_diffusion --weights runs/0001-hybrid/model.safetensors --people folder/of/people
    python -m training.train_diffusion --resume runs/0002-diffusion     # goes on exactly where it stopped

The autoencoder's networks are frozen: every picture is encoded once, the codes are whitened (training.fitting.whitening), then
only the denoisers learn. The run folder holds config.json, metrics.jsonl, the codes, checkpoint.pt, and
autoencoder.safetensors with diffusion.safetensors, which belong together.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from core.errors import LatentFaceError
from training.cli import parse, start
from training.config import DiffusionTraining
from training.train_autoencoder import learning_rate

AUTOENCODER, CODES = "autoencoder.safetensors", "codes.safetensors"
"""Files of a run."""


class Batches:
    """Codes with their time-invariant codes. Step k draws from seed and k alone, so that a run can be resumed."""

    def __init__(self, frames, config: DiffusionTraining):
        import torch

        from training.data.code_frames import PHOTOS

        self.seed, self.model = config.seed, config.model
        self.codes, self.targets = frames.data.float(), time_invariant(frames)
        single = frames.source == PHOTOS
        share = config.photos_share if single.any() and not single.all() else float(single.all())
        weak = round(config.batch * share)
        self.parts = [(torch.where(rows)[0], count) for rows, count in ((~single, config.batch - weak), (single, weak))
                      if count]

    def draw(self, step: int):
        """Codes and targets (B, 2, code), noise (B, 2, identity), and noise levels (B,)."""
        import torch

        generator = torch.Generator().manual_seed(self.seed * 10_000_019 + step)
        rows = torch.cat([rows[torch.randint(len(rows), (count,), generator=generator)] for rows, count in self.parts])
        levels = torch.randint(self.model.noise_levels, (len(rows),), generator=generator)
        noise = torch.randn(len(rows), 2, self.model.identity_size, generator=generator)
        return self.codes[rows], self.targets[rows], noise, levels


def time_invariant(frames):
    """Target of each frame (N, 2, code): mean code of the person's other pictures (paper section 3.2).

    Its own picture is left out, or what is to be taken off, its expression, would be in the mean. A copy of a single
    photo has the other copies instead.
    """
    import torch

    codes = frames.data.float()

    def sums(index):
        _, index = index.unique(return_inverse=True)
        total = torch.zeros(int(index.max()) + 1, *codes.shape[1:]).index_add(0, index, codes)
        return total[index], index.bincount()[index][:, None, None]

    (person, persons), (take, takes) = sums(frames.person), sums(frames.take)
    single = persons == takes
    return (person - torch.where(single, codes, take)) / (persons - torch.where(single, 1, takes)).clamp(min=1)


def all_codes(config: DiffusionTraining, run: Path):
    """Frames of all sources, encoded once for a run, in the whitened basis that the run's autoencoder is given."""
    from safetensors.torch import load_file, save_file

    from core.model.weights import read_metadata, save_weights
    from core.pipeline import LatentFace
    from training.data.code_frames import Frames, encode_all
    from training.fitting.whitening import whiten

    if (run / CODES).is_file():
        return Frames(**load_file(run / CODES))
    autoencoder = LatentFace.from_pretrained(run / AUTOENCODER).autoencoder
    frames = encode_all(autoencoder, config)
    frames = whiten(autoencoder, frames)
    save_weights(run / AUTOENCODER, autoencoder.state_dict(), autoencoder.config, read_metadata(run / AUTOENCODER))
    save_file(vars(frames), run / CODES)
    return frames


def train(config: DiffusionTraining, run: Path, state: dict | None = None) -> None:
    """Run or go on with a training; see the module's text for what the run folder holds."""
    import time

    import torch
    from tqdm import tqdm

    from core.model.diffusion import Diffusion, noise_schedule
    from core.model.weights import load_weights, weights_path
    from training import checkpoint
    from training.data.expression_motion import expression_motion, mean_landmarks
    from training.fitting.subspaces import set_expressions, set_identity
    from training.objective.diffusion import denoising_loss
    from training.rig.rig import Rig

    torch.set_num_threads(config.threads)
    if not state:
        shutil.copyfile(weights_path(config.weights), run / AUTOENCODER)
    frames = all_codes(config, run)
    batches = Batches(frames, config)
    torch.manual_seed(config.seed)
    size = load_weights(run / AUTOENCODER)[0].image_size
    diffusion, schedule = Diffusion(replace(config.model, image_size=size)), noise_schedule(config.model)
    if not state:
        rig = Rig.load()
        set_identity(diffusion, frames, batches.targets)
        set_expressions(diffusion, frames, expression_motion(rig, size), mean_landmarks(rig, size))
    optimizer = torch.optim.AdamW(diffusion.parameters(), config.lr, (0.9, 0.99), weight_decay=config.weight_decay,
                                  fused=True)
    averaged = torch.optim.swa_utils.AveragedModel(
        diffusion, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema))
    start = 0
    if state:
        diffusion.load_state_dict(state["diffusion"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["step"]

    saved = time.monotonic()
    progress = tqdm(range(start, config.steps), initial=start, total=config.steps, desc=run.name)
    for step in progress:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        terms = denoising_loss(diffusion, schedule, *batches.draw(step))
        optimizer.zero_grad()
        sum(terms.values()).backward()
        norm = torch.nn.utils.clip_grad_norm_(diffusion.parameters(), config.clip)
        optimizer.step()
        averaged.update_parameters(diffusion)

        done = step + 1
        if done % config.log_every == 0:
            metrics = {"step": done, "loss": sum(terms.values()).item(), **{k: v.item() for k, v in terms.items()},
                       "gradient_norm": norm.item(), "lr": learning_rate(step, config)}
            checkpoint.log_metrics(run, metrics)
            progress.set_postfix(loss=f"{metrics['loss']:.3f}")
        if time.monotonic() - saved > 60 * config.checkpoint_minutes or done == config.steps:
            checkpoint.save(run, {"diffusion": diffusion.state_dict(), "averaged": averaged.state_dict(),
                                  "optimizer": optimizer.state_dict(), "step": done, "config": config.to_dict()})
            save_diffusion(run, averaged.module, done)
            saved = time.monotonic()


def save_diffusion(run: Path, diffusion, steps: int) -> None:
    """Weights for use, bound to the autoencoder beside them."""
    from core.model.weights import diffusion_path, fingerprint_autoencoder, load_weights, save_weights

    _, state = load_weights(run / AUTOENCODER)
    save_weights(diffusion_path(run / AUTOENCODER), diffusion.state_dict(), diffusion.config,
                 {"stage": "diffusion", "steps": str(steps), "encoders": fingerprint_autoencoder(state)})


def main(arguments: list[str]) -> None:
    """Command line of the training."""
    options, config = parse(arguments, DiffusionTraining, "training.train_diffusion")
    start(options, config, train, "diffusion")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LatentFaceError as error:
        sys.exit(str(error))
