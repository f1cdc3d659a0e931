"""Train the 3D-aware autoencoder (paper section 3.1) on photos, or on photos and renders.

    python -m training.prepare photos/ --out packs/photos
    python -m training.render_pack --count 40000 --out packs/rig64
    python -m training.train_autoencoder --config training/configs/hybrid.yaml
    python -m training.train_autoencoder --resume runs/0001-hybrid            # goes on exactly where it stopped
    python -m training.train_autoencoder --start-from assets/weights/autoencoder.safetensors --steps 5000  # from there
    accelerate launch --cpu --num_processes 2 -m training.train_autoencoder --batch 16 --threads 1   # same batch of 32
    python -m training.train_autoencoder --config training/configs/hybrid.yaml --lr 1e-4 --dry-run

The run folder holds config.json, metrics.jsonl, sample sheets, checkpoint.pt and, at the end, model.safetensors.
"""

from __future__ import annotations

import math
import sys
from functools import partial
from pathlib import Path

from core.errors import ConfigError, LatentFaceError
from training.cli import parse, start
from training.config import AutoencoderTraining

LITTLE_CHANGE = 0.25
"""Strength of the change of every first copy of a photo."""
EIGENFACES = 8000
"""Photos, and albedos of renders, whose principal components albedo starts from."""


class Batches:
    """The pictures of each part of a step. Part k draws from seed and k alone, so that a resumed run sees what it
    would have seen."""

    def __init__(self, config: AutoencoderTraining):
        from training.data.expression_motion import AddedExpressions
        from training.data.face_pack import FacePack
        from training.data.renders import RenderPack

        self.config, self.size = config, config.model.image_size
        # Twice the model's size where the pack has it: turning and shrinking then lose nothing.
        self.pack = FacePack(config.photos, size=2 * self.size, limit=config.limit or None)
        self.render_pack = RenderPack(config.renders, self.size) if config.renders else None
        self.rendered = round(config.batch * config.renders_share / 2) * 2 if config.renders else 0
        self.expressions = AddedExpressions(self.size) if config.renders else None

    def draw(self, part: int, teacher) -> tuple:
        """Pairs of changed copies of photos, and renders or None; `teacher` gives the canonical depth and the pose of
        heads, as the model finds them so far.

        In every second copy of a photo the head is turned first, and beside renders given another expression, on the
        surface that the teacher finds: how far is then known, where otherwise nothing says how large a turn or a smile
        is in photos.
        """
        import torch

        from training.data.augment import HeadEdit, augment, random_turn, warp_heads

        device = self.config.device
        generator = torch.Generator().manual_seed(self.config.seed * 10_000_019 + part)
        images = self._photos((self.config.batch - self.rendered) // 2, generator).to(device)
        depth, view = teacher(images)
        turn = random_turn(view, generator)
        still = HeadEdit.none(len(turn), self.size)
        motion = still.expression, torch.zeros(len(turn), 3, self.size, self.size)
        if self.expressions:
            motion = self.expressions.draw(len(turn), generator)
        moved, moves = warp_heads(images, depth, view, *(part.to(device) for part in (turn, *motion)))
        # The first copies stay near the photo, since photos are what will be asked about.
        change = torch.ones(2 * len(turn))
        change[:len(turn)] = LITTLE_CHANGE
        photos = augment(torch.cat([images, moved]).cpu(), self.size, generator,
                             HeadEdit.cat([still, moves.to("cpu")]), change)
        renders = None
        if self.rendered:
            behind = augment(self._photos(self.rendered // 2, generator), self.size, generator).image
            renders = self.render_pack.draw(self.rendered, behind, generator).to(device)
        return photos.to(device), renders

    def faces(self):
        """(N, 3, H, W) photos as they are, and albedos of renders."""
        import torch

        small = torch.nn.functional.interpolate(self.pack[:EIGENFACES], (self.size, self.size), mode="area")
        return small if self.render_pack is None else torch.cat([small, self.render_pack.albedos(EIGENFACES)])

    def _photos(self, count: int, generator):
        import torch

        return self.pack[torch.randint(len(self.pack), (count,), generator=generator)]


def learning_rate(step: int, config: AutoencoderTraining) -> float:
    """Linear warm-up, then cosine."""
    warm = min(1.0, (step + 1) / config.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / config.steps)))
    return config.lr * warm * (config.final_lr + (1 - config.final_lr) * cosine)


def train(config: AutoencoderTraining, run: Path, state: dict | None = None) -> None:
    """Run or go on with a training, in one process or in each of several (`accelerate launch`).

    See the module's text for what the run folder holds; the first process writes it.
    """
    import time

    import torch
    from accelerate import Accelerator
    from tqdm import tqdm

    from core.model.autoencoder import Autoencoder
    from training import checkpoint
    from training.data.augment import find_heads
    from training.fitting.eigenfaces import set_eigenfaces
    from training.objective.autoencoder import Objective

    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    accelerator = Accelerator(cpu=config.device == "cpu", mixed_precision="bf16" if config.bf16 else "no",
                              gradient_accumulation_steps=config.accumulate)
    batches = Batches(config)
    model = Autoencoder(config.model).to(config.device, memory_format=torch.channels_last)
    if config.start_from and not state:
        _load_weights(model, config)
    elif not state:
        set_eigenfaces(model.albedo_decoder, batches.faces())
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not config.only or name.startswith(tuple(config.only.split())))
    objective = Objective(model, config.loss, batches.render_pack and batches.render_pack.mean_depth(),
                          _time_invariance(config) if config.loss.time_invariance else None)
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema))
    optimizer = torch.optim.AdamW(objective.parameters(), config.lr, (0.9, 0.99), weight_decay=config.weight_decay,
                                  fused=True)
    if state:
        objective.load_state_dict(state["objective"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
    start, before = state["step"] if state else 0, _steps_before(config)
    prepared, optimizer = accelerator.prepare(objective, optimizer)
    parts = accelerator.num_processes * config.accumulate

    saved = logged = time.monotonic()
    drawing = 0.0
    main_process = accelerator.is_main_process
    progress = tqdm(range(start, config.steps), initial=start, total=config.steps, desc=run.name,
                    disable=not main_process)
    for step in progress:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        for part in range(config.accumulate):
            began = time.monotonic()
            pictures = batches.draw(step * parts + part * accelerator.num_processes + accelerator.process_index,
                                    partial(find_heads, averaged.module, bf16=config.bf16))
            drawing += time.monotonic() - began
            with accelerator.accumulate(prepared):
                terms = prepared(*pictures)
                accelerator.backward(sum(terms.values()))
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(prepared.parameters(), config.clip)
                optimizer.step()
                optimizer.zero_grad()
        averaged.update_parameters(model)

        done = step + 1
        if not main_process:
            continue
        if done % config.log_every == 0:
            seconds = time.monotonic() - logged
            metrics = {"step": done, "loss": sum(terms.values()).item(), **{k: v.item() for k, v in terms.items()},
                       "gradient_norm": norm.item(), "lr": learning_rate(step, config),
                       "samples_per_second": config.batch * parts * min(config.log_every, done - start) / seconds,
                       "drawing_share": drawing / seconds}
            checkpoint.log_metrics(run, metrics)
            progress.set_postfix(loss=f"{metrics['loss']:.3f}", per_s=f"{metrics['samples_per_second']:.0f}")
            logged, drawing = time.monotonic(), 0.0
        if done % config.sample_every == 0:
            from training.sheets import save_sheet

            images = [part.image[:6] for part in pictures if part is not None]
            save_sheet(run / f"sheet-{done:06d}.png", averaged.module, torch.cat(images))
        if time.monotonic() - saved > 60 * config.checkpoint_minutes or done == config.steps:
            _save(run, objective, averaged, optimizer, done, before, config)
            saved = time.monotonic()
    accelerator.end_training()


def _load_weights(model, config: AutoencoderTraining) -> None:
    """Give a model the weights to start from.

    Raises:
        ConfigError: they are of a model of other sizes or ranges.
        WeightsMissing, WeightsDamaged: not there, or not such a file.
    """
    from core.model.networks import CodeBasis
    from core.model.weights import load_weights, weights_path

    found, weights = load_weights(weights_path(config.start_from))
    if found != config.model:
        raise ConfigError(f"The weights {config.start_from} are of another model: {found}.")
    model.load_state_dict(weights)
    # Published codes are whitened; training sees them as the encoders give them.
    model.depth_basis, model.albedo_basis = (CodeBasis(found.code_size).to(config.device) for _ in range(2))


def _time_invariance(config: AutoencoderTraining):
    """Loss of the diffusion model beside the weights to start from.

    Raises:
        ConfigError: there is none that was made for them.
        WeightsMissing, WeightsDamaged: no weights to start from, or not such a file.
    """
    from core.pipeline import LatentFace
    from training.objective.diffusion import TimeInvariance

    start = config.start_from and LatentFace.from_pretrained(config.start_from)
    if not start or not start.diffusion:
        raise ConfigError("time_invariance fine-tunes encoders that a diffusion model was made for: let start_from "
                          "name weights that training.train_diffusion has written.")
    return TimeInvariance(start.diffusion, start.autoencoder)


def _save(run: Path, objective, averaged, optimizer, done: int, before: int, config: AutoencoderTraining) -> None:
    """Everything a resumed run needs, and the averaged weights for use."""
    from core.model.weights import save_weights
    from training import checkpoint

    checkpoint.save(run, {"objective": objective.state_dict(), "averaged": averaged.state_dict(),
                          "optimizer": optimizer.state_dict(), "step": done, "config": config.to_dict()})
    save_weights(run / "model.safetensors", averaged.module.state_dict(), config.model,
                 {"stage": "autoencoder", "steps": str(before + done), "regime": run.name.split("-", 1)[1]})


def _steps_before(config: AutoencoderTraining) -> int:
    """Steps that the weights to start from had already."""
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
