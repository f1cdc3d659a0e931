"""How alike two faces look to a recognition network that this project did not train; evaluation only.

The network is dlib's (a ResNet of 29 layers), with the weights of `@vladmandic/face-api` (MIT). They are not shipped:
LatentFace recognises nobody. To measure with them:

    npm pack @vladmandic/face-api@1.7.15        # writes vladmandic-face-api-1.7.15.tgz
"""

from __future__ import annotations

import json
import math
import tarfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import ConfigError

MODEL = "package/model/face_recognition_model"
SIZE = 150
"""Side in pixels of what the network sees: the whole aligned crop, which is nearly the square that dlib cuts."""
MEAN = (122.782, 117.001, 104.298)
"""Mean color of the network's training images, 0-255."""
BLOCKS = ("32_1", "32_2", "32_3", "64_down", "64_1", "64_2", "64_3", "128_down", "128_1", "128_2",
          "256_down", "256_1", "256_2", "256_down_out")
"""Residual blocks in order; `down` halves the image."""


class Descriptor:
    """Identity descriptor of aligned faces. Make one with `Descriptor.read`.

    Descriptors are compared by Euclidean distance; dlib calls two photos the same person below 0.6.
    """

    def __init__(self, weights: dict[str, Tensor]):
        """`weights`: the file's tensors by their names there, dequantised."""
        self.last = weights["fc"]
        names = [name.removesuffix("/conv/filters") for name in weights if name.endswith("/conv/filters")]
        self.layers = {name: _fold(weights, name) for name in names}

    @classmethod
    def read(cls, path: str | Path) -> Descriptor:
        """Read the weights out of the npm package.

        Raises:
            ConfigError: not that package.
        """
        try:
            with tarfile.open(path) as package:
                manifest = json.loads(_member(package, f"{MODEL}-weights_manifest.json"))[0]["weights"]
                stored = _member(package, f"{MODEL}.bin")
        except (OSError, KeyError, tarfile.TarError) as error:
            raise ConfigError(f"There is no recognition network in {path}: "
                              "name the file that `npm pack @vladmandic/face-api@1.7.15` writes.") from error
        return cls(_dequantise(stored, manifest))

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """Describe faces.

        Args:
            images: (B, 3, N, N) aligned as core.faces does it, any N, RGB in [0, 1].

        Returns:
            (B, 128), not of unit length.
        """
        x = F.interpolate(images, (SIZE, SIZE), mode="bilinear", antialias=True)
        x = x - x.new_tensor(MEAN)[:, None, None] / 255
        x = F.max_pool2d(self._convolve(x, "conv32_down", stride=2).relu(), 3, 2)
        for block in BLOCKS:
            x = self._residual(x, f"conv{block}", stride=2 if "down" in block else 1)
        return x.mean((2, 3)) @ self.last

    def _residual(self, x: Tensor, name: str, stride: int) -> Tensor:
        out = self._convolve(x, f"{name}/conv1", stride).relu()
        out = self._convolve(out, f"{name}/conv2")
        if stride > 1:
            x = F.avg_pool2d(x, 2)
        # Whichever has fewer channels, rows or columns counts as zero there.
        x = F.pad(x, (0, 0, 0, 0, 0, out.shape[1] - x.shape[1]))
        out = F.pad(out, (0, x.shape[3] - out.shape[3], 0, x.shape[2] - out.shape[2]))
        return (out + x).relu()

    def _convolve(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight, bias = self.layers[name]
        return F.conv2d(x, weight, bias, stride, padding=weight.shape[-1] // 2 if stride == 1 else 0)


def _member(package: tarfile.TarFile, name: str) -> bytes:
    """A file of the package; KeyError where there is none."""
    file = package.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()


def _dequantise(stored: bytes, manifest: list[dict]) -> dict[str, Tensor]:
    """Tensors by name; most are stored as bytes with a scale and a least value, some as float32."""
    tensors, start = {}, 0
    for entry in manifest:
        coding = entry.get("quantization")
        values = np.frombuffer(stored, np.uint8 if coding else np.float32, math.prod(entry["shape"]), start)
        start += values.nbytes
        values = values.astype(np.float32).reshape(entry["shape"])
        tensors[entry["name"]] = torch.from_numpy(values * coding["scale"] + coding["min"] if coding else values)
    return tensors


def _fold(weights: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """Kernel (out, in, h, w) and bias (out,) of a convolution and the scale and shift behind it."""
    scale, shift = weights[f"{name}/scale/weights"], weights[f"{name}/scale/biases"]
    kernel = (weights[f"{name}/conv/filters"] * scale).permute(3, 2, 0, 1).contiguous()
    return kernel, weights[f"{name}/conv/bias"] * scale + shift
