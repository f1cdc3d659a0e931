"""The recognition network behind the identity figures, with made-up weights in the layout of the npm package."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import ConfigError
from training.evaluate.descriptor import BLOCKS, MODEL, Descriptor

REFERENCE = [-1.931480, 4.168069, 5.723987, -1.789356, 5.683686, -1.616378]
"""First values that face-api 1.7.15 itself computes for `image` with these weights."""


def pseudo_random(count: int) -> np.ndarray:
    values = np.arange(count, dtype=np.uint32) * np.uint32(2654435761)
    return ((values ^ (values >> 15)) * np.uint32(2246822519) >> 13).astype(np.uint8)


def tensors():
    """Name, shape and range of every tensor, in the package's order of fields."""
    layers = {"conv32_down": (7, 3, 32)}
    before = 32
    for block in BLOCKS:
        after = int(block.split("_")[0])
        layers |= {f"conv{block}/conv1": (3, before, after), f"conv{block}/conv2": (3, after, after)}
        before = after
    for name, (side, inputs, outputs) in layers.items():
        reach = (5 / (side * side * inputs)) ** 0.5
        yield f"{name}/conv/filters", (side, side, inputs, outputs), -reach, reach
        yield f"{name}/conv/bias", (outputs,), -0.02, 0.02
        yield f"{name}/scale/weights", (outputs,), 0.5, 1.0
        yield f"{name}/scale/biases", (outputs,), -0.02, 0.02
    yield "fc", (256, 128), -0.1, 0.1


def model_files() -> tuple[bytes, bytes]:
    """Manifest and weights; like the original's, some tensors are stored as float32."""
    entries, parts = [], []
    for name, shape, low, high in tensors():
        entry, values = {"name": name, "shape": shape, "dtype": "float32"}, pseudo_random(np.prod(shape))
        if name.startswith("conv64_1"):
            values = (low + values / np.float32(255) * (high - low)).astype(np.float32)
        else:
            entry["quantization"] = {"dtype": "uint8", "scale": (high - low) / 255, "min": low}
        entries.append(entry)
        parts.append(values.tobytes())
    return json.dumps([{"weights": entries, "paths": [f"{Path(MODEL).name}.bin"]}]).encode(), b"".join(parts)


@pytest.fixture(scope="module")
def descriptor(tmp_path_factory) -> Descriptor:
    path = tmp_path_factory.mktemp("package") / "package.tgz"
    with tarfile.open(path, "w") as package:
        for name, data in zip((f"{MODEL}-weights_manifest.json", f"{MODEL}.bin"), model_files(), strict=True):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            package.addfile(info, io.BytesIO(data))
    return Descriptor.read(path)


def soft_waves(size: int = 150) -> torch.Tensor:
    """(1, 3, size, size) soft waves of color."""
    y, x = torch.meshgrid(*[(torch.arange(size) + 0.5) / size] * 2, indexing="ij")
    return torch.stack([(9 * x + 2 * y).sin(), (7 * y).cos(), (5 * x * y + 1).sin()])[None] * 0.4 + 0.5


def test_network_computes_what_the_original_does(descriptor):
    assert torch.allclose(descriptor(soft_waves())[0, :len(REFERENCE)], torch.tensor(REFERENCE), atol=1e-3)


def test_descriptor_ignores_size_and_batch(descriptor):
    alone = descriptor(soft_waves())
    assert alone.shape == (1, 128)
    assert torch.allclose(descriptor(torch.cat([soft_waves().flip(-1), soft_waves()]))[1:], alone, atol=1e-3)
    assert (descriptor(soft_waves(450)) - alone).norm() < 0.001 * alone.norm()
    assert (descriptor(soft_waves().flip(-1)) - alone).norm() > 0.05 * alone.norm()


def test_another_file_is_refused(tmp_path):
    (tmp_path / "a.tgz").write_bytes(b"no package")
    with tarfile.open(tmp_path / "b.tgz", "w"):
        pass
    for name in ("a.tgz", "b.tgz", "missing.tgz"):
        with pytest.raises(ConfigError, match="npm pack"):
            Descriptor.read(tmp_path / name)
