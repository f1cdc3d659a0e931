"""Train the fine stage on a frozen autoencoder: residual albedo, depth and shading at 128 pixels.

    python -m training.render_pack --size 128 --count 12000 --out packs/rig128
    python -m training.train_fine --config training/configs/fine.yaml
    python -m training.train_fine --resume runs/0003-fine     # goes on exactly where it stopped
    python -m training.train_fine --config training/configs/fine.yaml --steps 500 --dry-run

The run folder holds config.json, metrics.jsonl, checkpoint.pt and fine.safetensors, which belongs to the autoencoder
that its metadata names by fingerprint.
"""

from __future__ import annotations

import sys
from pathlib import Path

from core.errors import LatentFaceError
from training.cli import parse, start
from training.config import FineTraining
from training.schedule import learning_rate, set_learning_rate

FINE = "fine.safetensors"
"""File of a run."""


def train(config: FineTraining, run: Path, state: dict | None = None) -> None:
    """Run or go on with a training; see the module's text for what the run folder holds."""
    import time

    import torch
    from tqdm import tqdm

    from core.model.fine import FineStage
    from core.model.networks import channels_last
    from core.pipeline import LatentFace
    from training import checkpoint
    from training.data.fine_batches import FineBatches
    from training.objective.fine import FineObjective
    from training.objective.losses import total

    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    autoencoder = LatentFace.from_pretrained(config.weights or None).autoencoder.to(config.device)
    batches = FineBatches(config, autoencoder)
    model = channels_last(FineStage(config.model).to(config.device))
    objective = FineObjective(model, config.loss, config.bf16)
    averaged = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema))
    optimizer = torch.optim.AdamW(model.parameters(), config.lr, (0.9, 0.99), weight_decay=config.weight_decay,
                                  fused=True)
    first = 0
    if state:
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]

    saved = logged = time.monotonic()
    waiting = 0.0
    progress = tqdm(range(first, config.steps), initial=first, total=config.steps, desc=run.name)
    drawn = drawn_ahead(batches.draw, first)
    for step in progress:
        lr = learning_rate(step, config.steps, config.lr, config.final_lr, config.warmup)
        set_learning_rate(optimizer, lr)
        began = time.monotonic()
        batch = next(drawn)
        waiting += time.monotonic() - began
        terms = objective(batch)
        loss = total(terms)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        averaged.update_parameters(model)

        done = step + 1
        if done % config.log_every == 0:
            seconds = time.monotonic() - logged
            metrics = {"step": done, "loss": loss.item(), **{k: v.item() for k, v in terms.items()},
                       "gradient_norm": norm.item(), "lr": lr,
                       "samples_per_second": config.batch * min(config.log_every, done - first) / seconds,
                       "waiting_share": waiting / seconds}
            checkpoint.log_metrics(run, metrics)
            progress.set_postfix(loss=f"{metrics['loss']:.3f}", per_s=f"{metrics['samples_per_second']:.0f}")
            logged, waiting = time.monotonic(), 0.0
        if config.held_out and (done % config.validate_every == 0 or done == config.steps):
            checkpoint.log_metrics(run, {"step": done, **validate(autoencoder, averaged.module, config)})
        if time.monotonic() - saved > 60 * config.checkpoint_minutes or done == config.steps:
            checkpoint.save(run, {"model": model.state_dict(), "averaged": averaged.state_dict(),
                                  "optimizer": optimizer.state_dict(), "step": done, "config": config.to_dict()})
            save_fine(run / FINE, averaged.module, autoencoder, done)
            saved = time.monotonic()
    drawn.close()


def drawn_ahead(draw, step: int):
    """Batches from a step on: while one is used, the next is drawn by another thread, where a core is free for it."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as drawer:
        coming = drawer.submit(draw, step)
        while True:
            step += 1
            batch, coming = coming.result(), drawer.submit(draw, step)
            yield batch


def validate(autoencoder, model, config: FineTraining) -> dict[str, float]:
    """Figures of the averaged weights on the first `VALIDATED` held-out renders, named "held_out.…"."""
    from training.evaluate.fine import VALIDATED, renders

    figures = renders(autoencoder, model, Path(config.held_out), VALIDATED)
    return {f"held_out.{key.removeprefix('fine.')}": values["fine"] for key, values in figures.items()}


def save_fine(path: Path, model, autoencoder, steps: int) -> None:
    """Weights for use, bound to the autoencoder that they stand on."""
    from core.model.weights import autoencoder_fingerprint, save_weights

    fingerprint = autoencoder_fingerprint(autoencoder.state_dict())
    save_weights(path, model.state_dict(), model.config,
                 {"stage": "fine", "steps": str(steps), "autoencoder": fingerprint})


def main(arguments: list[str]) -> None:
    """Command line of the training."""
    options, config = parse(arguments, FineTraining, "training.train_fine")
    start(options, config, train, "fine")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LatentFaceError as error:
        sys.exit(str(error))
