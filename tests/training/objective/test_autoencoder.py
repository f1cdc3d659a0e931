"""The autoencoder's objective: every weight counts, and several processes give the gradients of one joined batch."""

import os
import subprocess
import sys
from dataclasses import fields, replace

import torch

from benchmarks.visitors import free_port
from core.config import DiffusionConfig, ModelConfig
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.types import View
from training.config import AutoencoderTraining, LossWeights
from training.data.augment import PhotoBatch
from training.data.batches import Batches
from training.data.renders import RenderBatch
from training.objective.autoencoder import Objective
from training.objective.diffusion import TimeInvariance
from training.objective.losses import total

MODEL, WEIGHTS = ModelConfig(image_size=32, width=8, pose_width=8), LossWeights(time_invariance=1.0)
PROCESS = """
import sys
import torch
from accelerate import Accelerator
from tests.training.objective.test_autoencoder import WEIGHTS, objective_and_batches
from training.objective.losses import total
torch.set_num_threads(1)
accelerator = Accelerator(cpu=True)
objective, draw = objective_and_batches(sys.argv[1], sys.argv[2])
prepared = accelerator.prepare(objective)
accelerator.backward(total(WEIGHTS.weigh(prepared(*draw(accelerator.process_index)))))
if accelerator.is_main_process:
    torch.save([parameter.grad for parameter in objective.parameters()], sys.argv[3])
accelerator.wait_for_everyone()
accelerator.end_training()
"""


def frontal_plane(images):
    return torch.ones(len(images), 32, 32), View(torch.zeros(len(images), 3), torch.zeros(len(images), 2))


def objective_and_batches(photos, renders):
    torch.manual_seed(0)
    batches = Batches(AutoencoderTraining(photos=photos, renders=renders, batch=8, model=MODEL))
    objective = Objective(Autoencoder(MODEL), batches.render_pack.mean_depth())
    return objective, lambda part: batches.draw(part, frontal_plane)


def paired(first, second):
    """Parts of two batches, ordered so that the second half of the joined batch shows what the first half shows."""
    return [part[half] for half in (slice(0, 2), slice(2, 4)) for part in (first, second)]


def test_two_processes_average_to_the_gradients_of_the_joined_batch(photo_pack, render_pack, tmp_path, request):
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port())}
    command = [sys.executable, "-c", PROCESS, photo_pack, render_pack, tmp_path / "gradients.pt"]
    processes = [subprocess.Popen(command, cwd=request.config.rootpath, stderr=subprocess.PIPE, text=True,
                                  env=os.environ | group | {"RANK": rank, "LOCAL_RANK": rank}) for rank in "01"]
    try:
        for process in processes:
            _, error = process.communicate(timeout=110)
            assert process.returncode == 0, error
    finally:
        for process in processes:
            process.kill()  # does nothing where it has ended
    shared = torch.load(tmp_path / "gradients.pt")

    objective, draw = objective_and_batches(str(photo_pack), str(render_pack))
    one, other = draw(0), draw(1)
    photos, renders = (kind.cat(paired(*parts)) for kind, parts in ((PhotoBatch, (one.photos, other.photos)),
                                                                    (RenderBatch, (one.renders, other.renders))))
    total(WEIGHTS.weigh(objective(photos, renders))).backward()
    for parameter, gradient in zip(objective.parameters(), shared, strict=True):
        assert (parameter.grad - gradient).norm() < 1e-3 * parameter.grad.norm() + 1e-5


def test_every_weight_counts(photo_pack, render_pack):
    objective, draw = objective_and_batches(str(photo_pack), str(render_pack))
    objective.time_invariance = TimeInvariance(Diffusion(DiffusionConfig(width=32, blocks=1)), objective.model)
    terms = objective.eval().requires_grad_(False)(*draw(0))
    loss = total(WEIGHTS.weigh(terms))
    for field in fields(WEIGHTS):
        assert total(replace(WEIGHTS, **{field.name: 0.0}).weigh(terms)) != loss, field.name


def test_batches_of_different_steps_draw_different_diffusion_noise(photo_pack, render_pack):
    objective, draw = objective_and_batches(str(photo_pack), str(render_pack))
    objective.time_invariance = TimeInvariance(Diffusion(DiffusionConfig(width=32, blocks=1)), objective.model)
    objective.eval().requires_grad_(False)
    first, second = draw(0), draw(1)
    same, other = (objective(first.photos, first.renders, batch.seed) for batch in (draw(0), second))
    for name in ("time_invariance", "render_time_invariance"):
        assert same[name] == objective(*first)[name] != other[name]
