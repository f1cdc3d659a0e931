"""Train the representation diffusion model (paper section 3.2): from one photo's codes to the time-invariant codes.

    python -m training.train_diffusion --config training/configs/diffusion.yaml
    python -m training.train_diffusion --weights runs/0001-hybrid/model.safetensors --people folder/of/people
    python -m training.train_diffusion --resume runs/0002-diffusion     # continues exactly where it stopped

The autoencoder is frozen: each image is encoded once, the codes are whitened (training.fitting.whitening), then only
the denoisers learn. The run folder holds config.json, metrics.jsonl, the codes, checkpoint.pt, and
autoencoder.safetensors with diffusion.safetensors, which belong together.
"""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from core.errors import LatentFaceError
from training.cli import parse, start
from training.config import DiffusionTraining
from training.schedule import learning_rate, set_learning_rate

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.swa_utils import AveragedModel

    from core.model.diffusion import Diffusion
    from training.data.batches import CodeBatches
    from training.data.code_frames import Frames

AUTOENCODER, CODES = "autoencoder.safetensors", "codes.safetensors"
"""Files of a run."""


class Setup(NamedTuple):
    """Everything that a training changes or reads."""

    batches: CodeBatches
    diffusion: Diffusion
    averaged: AveragedModel
    """Moving average of the model's weights."""
    optimizer: Optimizer
    step: int
    """Steps that are done already."""


def train(config: DiffusionTraining, run: Path, state: dict[str, Any] | None = None) -> None:
    """Begin or resume a training.

    Args:
        config: settings.
        run: folder of the run; see the module's docstring.
        state: checkpoint to resume from.

    Raises:
        ConfigError: data is missing.
        WeightsMissing, WeightsDamaged: there is no such autoencoder, or it cannot be read.
    """
    import torch
    from tqdm import tqdm

    from core.model.diffusion import noise_schedule
    from training import checkpoint
    from training.objective.diffusion import denoising_loss
    from training.objective.losses import total
    from training.validation import validate_diffusion

    setup = set_up(config, run, state)
    batches, diffusion, averaged, optimizer, first = setup
    averaged_model = cast("Diffusion", averaged.module)
    schedule, held_out = noise_schedule(config.model), batches.held_out()
    saved = time.monotonic()
    progress = tqdm(range(first, config.steps), run.name, config.steps, initial=first)
    for step in progress:
        lr = learning_rate(step, config.steps, config.lr, config.final_lr, config.warmup)
        set_learning_rate(optimizer, lr)
        terms = denoising_loss(diffusion, schedule, *batches.draw(step))
        loss = total(terms)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(diffusion.parameters(), config.clip)
        optimizer.step()
        averaged.update_parameters(diffusion)

        done = step + 1
        last = done == config.steps
        if done % config.validate_every == 0 or last:
            errors = validate_diffusion(averaged_model, schedule, held_out)
            checkpoint.log_metrics(run, {"step": done, "validation": errors})
        if done % config.log_every == 0:
            checkpoint.log_metrics(run, {"step": done, "loss": loss, **terms, "gradient_norm": norm, "lr": lr})
            progress.set_postfix(loss=f"{loss.item():.3f}")
        if last or time.monotonic() - saved > 60 * config.checkpoint_minutes:
            save(config, run, setup, done)
            saved = time.monotonic()


def set_up(config: DiffusionTraining, run: Path, state: dict[str, Any] | None) -> Setup:
    """Codes, model and optimizer, at the beginning of a training or as a checkpoint left them."""
    import torch

    from core.model.diffusion import Diffusion
    from core.model.weights import load_weights, weights_path
    from training.data.batches import CodeBatches

    torch.set_num_threads(config.threads)
    if not state:
        shutil.copyfile(weights_path(config.weights), run / AUTOENCODER)
    frames = all_codes(config, run)
    batches = CodeBatches(frames, config)
    torch.manual_seed(config.seed)
    found = load_weights(run / AUTOENCODER)[0]
    diffusion = Diffusion(replace(config.model, image_size=found.image_size, code_size=found.code_size,
                                  albedo_code_size=found.albedo_code_size))
    if not state:
        _fit(diffusion, frames, batches)
    optimizer = torch.optim.AdamW(diffusion.parameters(), config.lr, (0.9, 0.99), weight_decay=config.weight_decay,
                                  fused=True)
    averaged = torch.optim.swa_utils.AveragedModel(
        diffusion, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema))
    if state:
        diffusion.load_state_dict(state["diffusion"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
    return Setup(batches, diffusion, averaged, optimizer, state["step"] if state else 0)


def all_codes(config: DiffusionTraining, run: Path) -> Frames:
    """Codes of all sources, encoded once for a run, in the whitened basis that the run's autoencoder is given.

    The basis is fitted to held-out people too; nothing that predicts the time-invariant code is.
    """
    from safetensors.torch import load, save

    from core.files import replacing
    from core.model.weights import read_metadata, save_weights
    from core.pipeline import LatentFace
    from training.data.code_frames import Frames, encode_all
    from training.fitting.whitening import whiten

    if (run / CODES).is_file():
        return Frames(**load((run / CODES).read_bytes()))
    autoencoder = LatentFace.from_pretrained(run / AUTOENCODER).autoencoder
    frames = whiten(autoencoder, encode_all(autoencoder, config))
    save_weights(run / AUTOENCODER, autoencoder.state_dict(), autoencoder.config, read_metadata(run / AUTOENCODER),
                 overwrite=True)
    with replacing(run / CODES) as part:
        part.write_bytes(save(vars(frames)))
    return frames


def _fit(diffusion: Diffusion, frames: Frames, batches: CodeBatches) -> None:
    """Fit the closed-form parts of a model to the frames that are trained on."""
    from training.data.expression_motion import expression_motion, mean_landmarks
    from training.fitting.subspaces import fit_expressions, fit_identity
    from training.rig.rig import Rig

    rig, size, rows = Rig.load(), diffusion.config.image_size, batches.trained_rows
    fit_identity(diffusion, frames[rows], batches.targets[rows])
    fit_expressions(diffusion, frames[rows], expression_motion(rig, size), mean_landmarks(rig, size))


def save(config: DiffusionTraining, run: Path, setup: Setup, done: int) -> None:
    """Write everything that a resumed run needs, and the averaged weights for use, bound to the autoencoder."""
    from core.model.weights import autoencoder_fingerprint, diffusion_path, load_weights, save_weights
    from training import checkpoint

    checkpoint.save(run, {"diffusion": setup.diffusion.state_dict(), "averaged": setup.averaged.state_dict(),
                          "optimizer": setup.optimizer.state_dict(), "step": done, "config": config.to_dict()})
    fingerprint = autoencoder_fingerprint(load_weights(run / AUTOENCODER)[1])
    save_weights(diffusion_path(run / AUTOENCODER), setup.averaged.module.state_dict(), setup.diffusion.config,
                 {"stage": "diffusion", "steps": str(done), "autoencoder": fingerprint}, overwrite=True)


def main(arguments: list[str]) -> None:
    """Command line of the training."""
    options, config = parse(arguments, DiffusionTraining, "training.train_diffusion")
    start(options, config, train, "diffusion")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LatentFaceError as error:
        sys.exit(str(error))
