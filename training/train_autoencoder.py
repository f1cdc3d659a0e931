"""Train the 3D-aware autoencoder (paper section 3.1) on photos, or on photos and renders.

    python -m training.prepare photos/ --out packs/photos
    python -m training.render_pack --count 40000 --out packs/rig64
    python -m training.train_autoencoder --config training/configs/hybrid.yaml
    python -m training.train_autoencoder --resume runs/0001-hybrid            # goes on exactly where it stopped
    python -m training.train_autoencoder --config training/configs/hybrid.yaml --lr 1e-4 --dry-run

The run folder holds config.json, metrics.jsonl, sample sheets, checkpoint.pt and, at the end, model.safetensors.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from core.config import from_dict
from core.errors import LatentFaceError
from training.config import AutoencoderTraining, load_config


def parse(arguments: list[str]) -> tuple[argparse.Namespace, AutoencoderTraining]:
    """Command line to run options and resolved config: defaults < YAML or resumed run < flags."""
    import tyro

    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--config")
    parser.add_argument("--resume")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--dry-run", action="store_true")
    options, rest = parser.parse_known_args(arguments)
    config = AutoencoderTraining()
    if options.resume:
        from training import checkpoint

        config = from_dict(AutoencoderTraining, checkpoint.load(Path(options.resume))["config"])
    elif options.config:
        config = load_config(AutoencoderTraining, options.config)
    about = ("--config FILE: differences from the defaults (YAML). --resume FOLDER: go on with a run. "
             "--runs FOLDER: where numbered run folders are made (default: runs). --dry-run: show the settings and stop.")
    return options, tyro.cli(AutoencoderTraining, args=rest, default=config, description=about,
                             prog="python -m training.train_autoencoder")


class Batches:
    """The pictures of each step. Step k draws from seed and k alone, so that a resumed run sees what it would have."""

    def __init__(self, config: AutoencoderTraining):
        from training.data import FacePack
        from training.renders import RenderPack

        self.config, size = config, config.model.image_size
        # Twice the model's size where the pack has it: turning and shrinking then lose nothing.
        self.photos = FacePack(config.photos, size=2 * size, limit=config.limit or None).images
        self.renders = RenderPack(config.renders, size) if config.renders else None

    def draw(self, step: int):
        """Photos (pairs of copies) and renders (None without) of a step."""
        import torch

        from training.photos import draw_copies

        config = self.config
        generator = torch.Generator().manual_seed(config.seed * 10_000_019 + step)
        rendered = round(config.batch * config.renders_share / 2) * 2 if self.renders else 0
        index = torch.randint(len(self.photos), ((config.batch - rendered) // 2,), generator=generator)
        photos = draw_copies(self.photos[index], config.model.image_size, generator)
        renders = self.renders.draw(rendered, photos.image, generator) if self.renders else None
        return (part and part.to(config.device) for part in (photos, renders))


def loss_terms(model, photos, renders, weights) -> dict:
    """Every weighted term of the loss of one batch, by name."""
    import torch

    from core.autoencoder import mirror
    from training import losses

    count = len(photos.image)
    image = torch.cat([photos.image, renders.image]) if renders else photos.image
    factors = model(image)
    sigma = model.sigmas(image)
    mask = factors.recon_mask
    if renders:  # Behind a rendered head is another photo, which says nothing about this face.
        mask = torch.cat([mask[:count], mask[count:] * (0.2 + 0.8 * renders.mask)])
    terms = {"image": losses.laplace_nll(factors.recon_image - image, sigma[:, :1], mask),
             "gradient": weights.gradient * losses.gradient_difference(factors.recon_image, image, mask),
             "curvature": weights.curvature * losses.depth_curvature(factors.canon_depth[:count])}

    found = factors[:count]
    mirrored = model.render(found.image, found.codes, *mirror(found), found.light, found.view, found.confidence)
    terms["mirror"] = weights.mirror * losses.laplace_nll(mirrored.recon_image - found.image, sigma[:count, 1:],
                                                          mirrored.recon_mask)
    extra = losses.same_face(found, photos)
    if renders:
        extra |= losses.known_factors(factors[count:], renders)
    return terms | {name: getattr(weights, name) * value for name, value in extra.items()}


def learning_rate(step: int, config: AutoencoderTraining) -> float:
    """Linear warm-up, then cosine."""
    warm = min(1.0, (step + 1) / config.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / config.steps)))
    return config.lr * warm * (config.final_lr + (1 - config.final_lr) * cosine)


def train(config: AutoencoderTraining, run: Path, state: dict | None = None) -> None:
    """Run or go on with a training; see the module's text for what the run folder holds."""
    import time

    import torch
    from tqdm import tqdm

    from core.autoencoder import Autoencoder, autocast
    from core.hub import save_weights
    from training import checkpoint
    from training.sheets import save_sheet

    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    model = Autoencoder(config.model).to(config.device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), config.lr, (0.9, 0.99), weight_decay=config.weight_decay)
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema))
    start = 0
    if state:
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["step"]
    batches = Batches(config)
    saved = logged = time.monotonic()

    progress = tqdm(range(start, config.steps), initial=start, total=config.steps, desc=run.name)
    for step in progress:
        photos, renders = batches.draw(step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        with autocast(config.bf16, config.device):
            terms = loss_terms(model, photos, renders, config.loss)
        loss = sum(terms.values())
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        averaged.update_parameters(model)

        done = step + 1
        if done % config.log_every == 0:
            now = time.monotonic()
            metrics = {"step": done, "loss": loss.item(), **{k: v.item() for k, v in terms.items()},
                       "gradient_norm": norm.item(), "lr": learning_rate(step, config),
                       "samples_per_second": config.batch * min(config.log_every, done - start) / (now - logged)}
            checkpoint.log_metrics(run, metrics)
            progress.set_postfix(loss=f"{metrics['loss']:.3f}", per_s=f"{metrics['samples_per_second']:.0f}")
            logged = now
        if done % config.sample_every == 0:
            save_sheet(run / f"sheet-{done:06d}.png", averaged.module, photos.image[:8], renders)
        if time.monotonic() - saved > 60 * config.checkpoint_minutes or done == config.steps:
            checkpoint.save(run, {"model": model.state_dict(), "averaged": averaged.state_dict(),
                                  "optimizer": optimizer.state_dict(), "step": done, "config": config.to_dict()})
            save_weights(run / "model.safetensors", averaged.module.state_dict(), config.model,
                         {"stage": "autoencoder", "steps": str(done), "regime": run.name.split("-", 1)[1]})
            saved = time.monotonic()


def main(arguments: list[str]) -> None:
    """Command line of the training."""
    options, config = parse(arguments)
    from training import checkpoint

    if options.dry_run:
        from rich import print as show

        show(config)
        return
    if options.resume:
        run = Path(options.resume)
        train(config, run, checkpoint.load(run))
    else:
        name = Path(options.config).stem if options.config else "default"
        train(config, checkpoint.new_run(options.runs, name, config.to_dict()))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LatentFaceError as error:
        sys.exit(str(error))
