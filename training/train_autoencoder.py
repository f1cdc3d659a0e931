"""Train the 3D-aware autoencoder (paper section 3.1) on photos, or on photos and renders.

    python -m training.prepare photos/ --out packs/photos
    python -m training.render_pack --count 40000 --out packs/rig64
    python -m training.train_autoencoder --config training/configs/hybrid.yaml
    python -m training.train_autoencoder --resume runs/0001-hybrid            # continues exactly where it stopped
    python -m training.train_autoencoder --start-from assets/weights/autoencoder.safetensors --steps 5000  # fine-tunes
    accelerate launch --cpu --num_processes 2 -m training.train_autoencoder --batch 16 --threads 1   # same batch of 32
    python -m training.train_autoencoder --config training/configs/hybrid.yaml --lr 1e-4 --dry-run

The run folder holds config.json, metrics.jsonl, sample sheets, checkpoint.pt and, at the end, model.safetensors.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from core.errors import ConfigError, LatentFaceError
from training.cli import parse, start
from training.config import AutoencoderTraining
from training.schedule import learning_rate, set_learning_rate

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch.optim import Optimizer
    from torch.optim.swa_utils import AveragedModel

    from core.model.autoencoder import Autoencoder
    from training.data.batches import Batches
    from training.objective.autoencoder import Objective
    from training.objective.diffusion import TimeInvariance


class Setup(NamedTuple):
    """State of a training run."""

    accelerator: Accelerator
    batches: Batches
    objective: Objective
    """The model with its loss; `Accelerator.prepare` has wrapped it where several processes train."""
    model: Autoencoder
    averaged: AveragedModel
    """Moving average of the model's weights."""
    optimizer: Optimizer
    step: int
    """Steps that are done already."""


def train(config: AutoencoderTraining, run: Path, state: dict[str, Any] | None = None) -> None:
    """Begin or resume a training, in one process or in each of several (`accelerate launch`).

    Args:
        config: settings.
        run: folder of the run, which the first process writes; see the module's docstring.
        state: checkpoint to resume from.

    Raises:
        ConfigError: data is missing, or `start_from` does not fit the settings.
        ArgumentInvalid, BackendMissing: the rasterizer is unknown or not installed.
    """
    from core.geometry.rasterizer import use_rasterizer

    with use_rasterizer(config.rasterizer):
        _train(config, run, state)


def _train(config: AutoencoderTraining, run: Path, state: dict[str, Any] | None) -> None:
    """The training loop."""
    from tqdm import tqdm

    from training import checkpoint
    from training.data.augment import find_heads
    from training.objective.losses import total
    from training.sheets import save_sheet
    from training.validation import validate_autoencoder

    setup = set_up(config, state)
    accelerator, batches, objective, model, averaged, optimizer, first = setup
    averaged_model = cast("Autoencoder", averaged.module)
    teacher, held_out = partial(find_heads, averaged_model, bf16=config.bf16), batches.held_out()
    logged = saved = time.monotonic()
    drawing = 0.0
    main_process = accelerator.is_main_process
    progress = tqdm(range(first, config.steps), run.name, config.steps, initial=first, disable=not main_process)
    for step in progress:
        lr = learning_rate(step, config.steps, config.lr, config.final_lr, config.warmup)
        set_learning_rate(optimizer, lr)
        for part in range(config.accumulate):
            began = time.monotonic()
            number = (step * config.accumulate + part) * accelerator.num_processes + accelerator.process_index
            batch = batches.draw(number, teacher)
            drawing += time.monotonic() - began
            with accelerator.accumulate(objective):
                raw = objective(*batch)
                weighted = config.loss.weigh(raw)
                loss = total(weighted)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(objective.parameters(), config.clip)
                optimizer.step()
                optimizer.zero_grad()
        averaged.update_parameters(model)

        done = step + 1
        last = done == config.steps
        if not main_process:
            continue
        if done % config.validate_every == 0 or last:
            checkpoint.log_metrics(run, {"step": done, "validation": validate_autoencoder(averaged_model, held_out)})
        if done % config.log_every == 0:
            seconds, images = time.monotonic() - logged, config.batch * config.accumulate * accelerator.num_processes
            checkpoint.log_metrics(run, {
                "step": done, "loss": loss, "raw": raw, "weighted": weighted, "gradient_norm": norm, "lr": lr,
                "samples_per_second": images * min(config.log_every, done - first) / seconds,
                "drawing_share": drawing / seconds})
            progress.set_postfix(loss=f"{loss.item():.3f}")
            logged, drawing = time.monotonic(), 0.0
        if done % config.sample_every == 0:
            save_sheet(run / f"sheet-{done:06d}.png", averaged_model, batch.examples())
        if last or time.monotonic() - saved > 60 * config.checkpoint_minutes:
            save(config, run, setup, done)
            saved = time.monotonic()
    accelerator.end_training()


def set_up(config: AutoencoderTraining, state: dict[str, Any] | None) -> Setup:
    """Data, model and optimizer, at the beginning of a training or as a checkpoint left them."""
    import torch
    from accelerate import Accelerator

    from core.model.autoencoder import Autoencoder
    from training.data.batches import Batches
    from training.fitting.eigenfaces import fit_detail, fit_eigenfaces
    from training.objective.autoencoder import Objective

    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    accelerator = Accelerator(cpu=config.device == "cpu", mixed_precision="bf16" if config.bf16 else "no",
                              gradient_accumulation_steps=config.accumulate)
    batches = Batches(config)
    model = Autoencoder(config.model).to(config.device)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    if not state and config.start_from:
        if _load_weights(model, config):
            fit_detail(model, batches.photos().to(config.device))
    elif not state:
        fit_eigenfaces(model.albedo_decoder, batches.faces())
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not config.only or name.startswith(tuple(config.only.split())))
    mean_depth = batches.render_pack.mean_depth() if batches.render_pack else None
    objective = Objective(model, mean_depth, _time_invariance(config) if config.loss.time_invariance else None)
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema))
    optimizer = torch.optim.AdamW(objective.parameters(), config.lr, (0.9, 0.99), weight_decay=config.weight_decay,
                                  fused=True)
    if state:
        objective.load_state_dict(state["objective"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
    objective, optimizer = accelerator.prepare(objective, optimizer)
    return Setup(accelerator, batches, objective, model, averaged, optimizer, state["step"] if state else 0)


def _load_weights(model: Autoencoder, config: AutoencoderTraining) -> bool:
    """Give a model the weights to start from.

    Returns:
        Whether the model has a detail coder and the weights have none.

    Raises:
        ConfigError: they are of a model of other sizes or ranges.
        WeightsMissing, WeightsDamaged: there is no such file, or it cannot be read.
    """
    from core.model.networks import CodeBasis
    from core.model.weights import load_weights, weights_path

    found, weights = load_weights(weights_path(config.start_from))
    adds_detail = config.model.detail_size > 0 and found.detail_size == 0
    if found != (replace(config.model, detail_size=0) if adds_detail else config.model):
        raise ConfigError(f"The weights {config.start_from} are of another model: {found}.")
    model.load_state_dict(weights, strict=not adds_detail)
    if not config.only:
        # Published codes are whitened; training uses the codes as the encoders give them.
        model.depth_basis, model.albedo_basis = (CodeBasis(found.code_size).to(config.device) for _ in range(2))
    return adds_detail


def _time_invariance(config: AutoencoderTraining) -> TimeInvariance:
    """Loss of the diffusion model stored next to `start_from`.

    Raises:
        ConfigError: there is none that was made for these weights.
        WeightsMissing, WeightsDamaged: there are no weights to start from, or they cannot be read.
    """
    from core.pipeline import LatentFace
    from training.objective.diffusion import TimeInvariance

    pretrained = LatentFace.from_pretrained(config.start_from) if config.start_from else None
    if not pretrained or not pretrained.diffusion:
        raise ConfigError("time_invariance fine-tunes encoders that a diffusion model was made for: let start_from "
                          "name weights that training.train_diffusion has written.")
    return TimeInvariance(pretrained.diffusion, pretrained.autoencoder)


def save(config: AutoencoderTraining, run: Path, setup: Setup, done: int) -> None:
    """Write everything that a resumed run needs, and the averaged weights for use."""
    from core.model.weights import save_weights
    from training import checkpoint

    objective = setup.accelerator.unwrap_model(setup.objective)
    checkpoint.save(run, {"objective": objective.state_dict(), "averaged": setup.averaged.state_dict(),
                          "optimizer": setup.optimizer.state_dict(), "step": done, "config": config.to_dict()})
    save_weights(run / "model.safetensors", setup.averaged.module.state_dict(), config.model,
                 {"stage": "autoencoder", "steps": str(_steps_before(config) + done),
                  "regime": checkpoint.name_of_run(run)}, overwrite=True)


def _steps_before(config: AutoencoderTraining) -> int:
    """Steps that the weights to start from had been trained for."""
    from core.model.weights import read_metadata, weights_path

    return int(read_metadata(weights_path(config.start_from)).get("steps", 0)) if config.start_from else 0


def main(arguments: list[str]) -> None:
    """Command line of the training."""
    options, config = parse(arguments, AutoencoderTraining, "training.train_autoencoder")
    start(options, config, train, Path(options.config).stem if options.config else "default",
          partial(_is_main_process, config))


def _is_main_process(config: AutoencoderTraining) -> bool:
    from accelerate import PartialState

    return PartialState(cpu=config.device == "cpu").is_main_process


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LatentFaceError as error:
        sys.exit(str(error))
