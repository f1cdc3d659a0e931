"""The loss: every weight counts, and several processes average to what one would do with all the pictures."""

import subprocess
import sys
from dataclasses import fields, replace

import torch

from core.config import DiffusionConfig, ModelConfig
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.types import View
from training.config import AutoencoderTraining
from training.data.augment import Photos
from training.data.renders import Renders
from training.objective.autoencoder import Objective
from training.objective.diffusion import TimeInvariance
from training.train_autoencoder import Batches

MODEL = ModelConfig(image_size=32, width=8, pose_width=8)
PROCESS = """
import sys
import torch
from accelerate import Accelerator
from tests.training.objective.test_autoencoder import objective_and_batches
torch.set_num_threads(1)
accelerator = Accelerator(cpu=True)
objective, draw = objective_and_batches(sys.argv[1], sys.argv[2])
prepared = accelerator.prepare(objective)
accelerator.backward(sum(prepared(*draw(accelerator.process_index)).values()))
if accelerator.is_main_process:
    torch.save([parameter.grad for parameter in objective.parameters()], sys.argv[3])
"""


def frontal_plane(images):
    return torch.ones(len(images), 32, 32), View(torch.zeros(len(images), 3), torch.zeros(len(images), 2))


def objective_and_batches(photos, renders):
    torch.manual_seed(0)
    batches = Batches(AutoencoderTraining(photos=photos, renders=renders, batch=8, model=MODEL))
    objective = Objective(Autoencoder(MODEL), batches.config.loss, batches.render_pack.mean_depth())
    return objective, lambda part: batches.draw(part, frontal_plane)


def paired(first, second):
    """Parts of two batches in an order in which copies of one photo stand half the joined batch apart."""
    return [part[half] for half in (slice(0, 2), slice(2, 4)) for part in (first, second)]


def test_two_processes_average_to_the_gradients_of_the_joined_batch(photo_pack, render_pack, tmp_path, request):
    result = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--rdzv-backend=c10d",
         "--rdzv-endpoint=localhost:0", "--no-python", sys.executable, "-c", PROCESS, photo_pack, render_pack,
         tmp_path / "gradients.pt"], cwd=request.config.rootpath, capture_output=True, text=True, timeout=110)
    assert result.returncode == 0, result.stderr
    shared = torch.load(tmp_path / "gradients.pt")

    objective, draw = objective_and_batches(str(photo_pack), str(render_pack))
    (first, lit), (second, others) = draw(0), draw(1)
    sum(objective(Photos.cat(paired(first, second)), Renders.cat(paired(lit, others))).values()).backward()
    for parameter, gradient in zip(objective.parameters(), shared, strict=True):
        assert (parameter.grad - gradient).norm() < 1e-3 * parameter.grad.norm() + 1e-5


def test_every_weight_counts(photo_pack, render_pack):
    objective, draw = objective_and_batches(str(photo_pack), str(render_pack))
    objective.time_invariance = TimeInvariance(Diffusion(DiffusionConfig(width=32, blocks=1)), objective.model)
    objective.weights = replace(objective.weights, time_invariance=1.0)
    objective.eval().requires_grad_(False)
    pictures, weights = draw(0), objective.weights

    def loss():
        return sum(objective(*pictures).values())

    whole = loss()
    for field in fields(weights):
        objective.weights = replace(weights, **{field.name: 0.0})
        assert loss() != whole, field.name
