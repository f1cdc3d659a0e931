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
             "--runs FOLDER: where numbered run folders are made (default: runs). "
             "--dry-run: show the settings and stop.")
    return options, tyro.cli(AutoencoderTraining, args=rest, default=config, description=about,
                             prog="python -m training.train_autoencoder")


class Batches:
    """The pictures of each step. Step k draws from seed and k alone, so that a resumed run sees what it would have."""

    def __init__(self, config: AutoencoderTraining):
        from training.data import FacePack
        from training.renders import RenderPack

        self.config, size = config, config.model.image_size
        # Twice the model's size where the pack has it: turning and shrinking then lose nothing.
        self.pack = FacePack(config.photos, size=2 * size, limit=config.limit or None).images
        self.render_pack = RenderPack(config.renders, size) if config.renders else None
        self.rendered = round(config.batch * config.renders_share / 2) * 2 if config.renders else 0

    def photos(self, step: int):
        """Pairs of changed copies of photos."""
        return self._copies(self.config.batch - self.rendered, self._generator(step, 0)).to(self.config.device)

    def renders(self, step: int):
        """Renders, with other photos behind the heads."""
        generator = self._generator(step, 1)
        behind = self._copies(self.rendered, generator).image
        return self.render_pack.draw(self.rendered, behind, generator).to(self.config.device)

    def _copies(self, count: int, generator):
        import torch

        from training.photos import draw_copies

        index = torch.randint(len(self.pack), (count // 2,), generator=generator)
        return draw_copies(self.pack[index], self.config.model.image_size, generator)

    def _generator(self, step: int, part: int):
        import torch

        return torch.Generator().manual_seed((self.config.seed * 10_000_019 + step) * 2 + part)


def photo_terms(model, photos, weights, mean_depth=None) -> dict:
    """Every weighted term of the loss on photos, by name: both likelihoods, smoothness, agreement of copies.

    Beside renders, `mean_depth` (1, H, W) is their mean head.
    """
    from core.autoencoder import mirror
    from training import losses

    image = photos.image
    found, sigma = model.explain(image)
    mirrored = model.render(image, found.codes, *mirror(found), found.light, found.view, found.confidence)
    extra = losses.same_face(found, photos)
    if mean_depth is not None:
        extra["mean_head"] = losses.mean_head(found.canon_depth, mean_depth)
    return {"image": losses.laplace_nll(found.recon_image - image, sigma[:, :1], found.recon_mask),
            "mirror": weights.mirror * losses.laplace_nll(mirrored.recon_image - image, sigma[:, 1:],
                                                          mirrored.recon_mask),
            "gradient": weights.gradient * losses.gradient_difference(found.recon_image, image, found.recon_mask),
            "curvature": weights.curvature * losses.depth_curvature(found.canon_depth),
            **{name: getattr(weights, name) * value for name, value in extra.items()}}


def render_terms(model, renders, weights) -> dict:
    """Every weighted term of the loss on renders, by name: likelihood and known factors."""
    from training import losses

    image = renders.image
    found, sigma = model.explain(image)
    # Behind a rendered head is another photo, which says nothing about this face.
    mask = found.recon_mask * (0.2 + 0.8 * renders.mask)
    known = losses.known_factors(found, renders)
    return {"render_image": weights.render_image * losses.laplace_nll(found.recon_image - image, sigma[:, :1], mask),
            "render_gradient": weights.render_image * weights.gradient
            * losses.gradient_difference(found.recon_image, image, mask.floor()),
            **{name: getattr(weights, name) * value for name, value in known.items()}}


def learning_rate(step: int, config: AutoencoderTraining) -> float:
    """Linear warm-up, then cosine."""
    warm = min(1.0, (step + 1) / config.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / config.steps)))
    return config.lr * warm * (config.final_lr + (1 - config.final_lr) * cosine)


def train(config: AutoencoderTraining, run: Path, state: dict | None = None) -> None:
    """Run or go on with a training; see the module's text for what the run folder holds.

    Photos and renders take a thread each: two threads that meet once a step wait less than two that share every layer.
    """
    import time
    from concurrent.futures import ThreadPoolExecutor
    from functools import partial

    import torch
    from tqdm import tqdm

    from core.autoencoder import Autoencoder, autocast
    from core.hub import save_weights
    from training import checkpoint
    from training.sheets import save_sheet

    threads = max(1, config.threads // 2) if config.renders else config.threads
    torch.set_num_threads(threads)
    torch.manual_seed(config.seed)
    model = Autoencoder(config.model).to(config.device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), config.lr, (0.9, 0.99), weight_decay=config.weight_decay,
                                  fused=True)
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema))
    start = 0
    if state:
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["step"]
    batches, parameters = Batches(config), list(model.parameters())
    halves = [(batches.photos, photo_terms)]
    if config.renders:
        mean_depth = batches.render_pack.mean_depth().to(config.device)
        halves = [(batches.photos, partial(photo_terms, mean_depth=mean_depth)), (batches.renders, render_terms)]
    pool = ThreadPoolExecutor(len(halves), initializer=torch.set_num_threads, initargs=(threads,))

    def gradients(half, step):
        draw, terms_of = half
        with autocast(config.bf16, config.device):
            terms = terms_of(model, draw(step), config.loss)
        return terms, torch.autograd.grad(sum(terms.values()), parameters)

    saved = logged = time.monotonic()
    progress = tqdm(range(start, config.steps), initial=start, total=config.steps, desc=run.name)
    for step in progress:
        found = list(pool.map(gradients, halves, [step] * len(halves)))
        terms = {name: value for part, _ in found for name, value in part.items()}
        for parameter, *parts in zip(parameters, *(grads for _, grads in found), strict=True):
            parameter.grad = sum(parts)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        averaged.update_parameters(model)

        done = step + 1
        if done % config.log_every == 0:
            now = time.monotonic()
            metrics = {"step": done, "loss": sum(terms.values()).item(), **{k: v.item() for k, v in terms.items()},
                       "gradient_norm": norm.item(), "lr": learning_rate(step, config),
                       "samples_per_second": config.batch * min(config.log_every, done - start) / (now - logged)}
            checkpoint.log_metrics(run, metrics)
            progress.set_postfix(loss=f"{metrics['loss']:.3f}", per_s=f"{metrics['samples_per_second']:.0f}")
            logged = now
        if done % config.sample_every == 0:
            images = [draw(step).image[:6] for draw, _ in halves]
            save_sheet(run / f"sheet-{done:06d}.png", averaged.module, torch.cat(images))
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
