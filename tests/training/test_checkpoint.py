"""Checkpoints: the last one is always whole."""

import pytest
import torch

from core.errors import OutputUnwritable
from tests.disks import full_disk
from training import checkpoint


def test_a_checkpoint_survives_a_full_disk(tmp_path):
    checkpoint.save(tmp_path, {"step": 1, "weights": torch.zeros(4)})
    with pytest.raises(OutputUnwritable), full_disk():
        checkpoint.save(tmp_path, {"step": 2, "weights": torch.zeros(4000)})
    assert checkpoint.load(tmp_path)["step"] == 1 and len(list(tmp_path.iterdir())) == 1


def test_a_run_that_cannot_be_written_ends_with_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputUnwritable, match="choose another folder"):
        checkpoint.new_run(tmp_path / "file", "name", {})
    run = checkpoint.new_run(tmp_path, "name", {})
    with pytest.raises(OutputUnwritable), full_disk():
        for step in range(100):
            checkpoint.log_metrics(run, {"step": step, "loss": 0.5})
