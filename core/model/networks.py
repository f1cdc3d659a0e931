"""The convolutional networks: encoder to a vector, decoder from a code, and encoder-decoder between images.

Upsampling followed by a 3×3 convolution replaces the paper's transposed convolutions: it trains twice as fast on a CPU.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def _widths(width: int, image_size: int) -> list[int]:
    """Channels after each halving from `image_size` down to 4 × 4."""
    return [width * min(2**level, 8) for level in range(int(math.log2(image_size // 4)))]


def _down(inputs: int, outputs: int, normalize: bool = True) -> list[nn.Module]:
    norm = [nn.GroupNorm(8, outputs)] if normalize else []
    return [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not normalize), *norm, nn.LeakyReLU(0.2)]


def _up(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.GroupNorm(8, outputs), nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2)]


class PackedConv2d(nn.Conv2d):
    """A convolution that keeps its kernel as oneDNN wants it, for inference on a CPU.

    torch lays the kernel out anew at each call, which for one photo takes as long as the convolution itself, and uses a
    slow loop of its own for small maps. Wherever gradients or other types are wanted, this is torch's convolution.
    """

    _packed: tuple[tuple[int, int], Tensor] | None = None
    """The kernel as it was packed, and what it was packed from; one assignment, for threads that share a network."""

    def forward(self, input: Tensor) -> Tensor:
        if torch.is_grad_enabled() or input.dtype != torch.float32 or input.device.type != "cpu" \
                or self.weight.is_inference():
            return super().forward(input)
        return torch.ops.mkldnn._convolution_pointwise(input, self._kernel(input), self.bias, self.padding, self.stride,
                                                       self.dilation, self.groups, "none", [], "")

    def _kernel(self, input: Tensor) -> Tensor:
        source = self.weight.data_ptr(), self.weight._version
        if self._packed is None or self._packed[0] != source:
            self._packed = source, torch.ops.aten.mkldnn_reorder_conv2d_weight(
                self.weight.to_mkldnn(), self.padding, self.stride, self.dilation, self.groups, [1, *input.shape[1:]])
        return self._packed[1]

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_packed"}


def channels_last(network: Network) -> Network:
    """Lay out a network, in place, as convolutions on a CPU are fastest; see `PackedConv2d`."""
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # torch's overloads lack it
    for layer in network.modules():
        if type(layer) is nn.Conv2d and torch.backends.mkldnn.is_available():
            layer.__class__ = PackedConv2d
    return network


def set_zero(layer: nn.Module) -> None:
    """Start a layer as one that gives nothing."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class Residual(nn.Module):
    """Adds to a map (B, channels, H, W) what two 3×3 convolutions make of it; nothing at first."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.GroupNorm(8, channels),
                                    nn.LeakyReLU(0.2), nn.Conv2d(channels, channels, 3, 1, 1))
        set_zero(self.layers[-1])

    def forward(self, features: Tensor) -> Tensor:
        return features + self.layers(features)


def _encoder_layers(image_size: int, width: int, inputs: int = 3, residual: bool = False) -> list[nn.Module]:
    widths = _widths(width, image_size)
    layers = _down(inputs, widths[0], normalize=False)
    for before, after in pairwise(widths):
        layers += [*_down(before, after), *([Residual(after)] if residual else [])]
    return layers


class Encoder(nn.Module):
    """Maps (B, inputs, H, W), about [−1, 1], such as an image, to a vector (B, outputs)."""

    def __init__(self, image_size: int, width: int, outputs: int, inputs: int = 3):
        super().__init__()
        self.features = nn.Sequential(*_encoder_layers(image_size, width, inputs, residual=True))
        self.head = nn.Linear(_widths(width, image_size)[-1] * 16, outputs)

    def forward(self, maps: Tensor) -> Tensor:
        return self.head(self.features(maps).flatten(1))


def _decoder_layers(image_size: int, width: int, outputs: int) -> list[nn.Module]:
    widths = _widths(width, image_size)[::-1]
    layers: list[nn.Module] = []
    for before, after in zip(widths, widths[1:] + widths[-1:], strict=True):
        layers += _up(before, after)
    return [*layers, nn.Conv2d(width, width // 2, 3, 1, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(width // 2, outputs, 3, 1, 1)]


class Decoder(nn.Module):
    """Code (B, code_size) to a map (B, outputs, H, W), unbounded."""

    def __init__(self, image_size: int, width: int, code_size: int, outputs: int):
        super().__init__()
        channels = _widths(width, image_size)[-1]
        self.head = nn.Sequential(nn.Linear(code_size, channels * 16), nn.Unflatten(1, (channels, 4, 4)),
                                  nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*_decoder_layers(image_size, width, outputs))

    def forward(self, code: Tensor) -> Tensor:
        return self.layers(self.head(code))


class PCADecoder(Decoder):
    """A convolutional decoder plus a linear model of its maps (eigenfaces, Turk and Pentland 1991).

    Convolutions quickly learn what all faces share, and slowly what distinguishes them: eyes, brows, teeth. The linear
    model has that from the start when it is given the principal components of images.
    """

    def __init__(self, image_size: int, width: int, code_size: int, outputs: int):
        super().__init__(image_size, width, code_size, outputs)
        self.linear = nn.Linear(code_size, outputs * image_size**2)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.shape = (outputs, image_size, image_size)

    @torch.no_grad()
    def set_components(self, mean: Tensor, components: Tensor) -> None:
        """Start as the linear model alone.

        Args:
            mean: (outputs · H · W,) the map of code 0.
            components: (K, outputs · H · W), K ≤ code_size; row k is what the code's k-th number adds.
        """
        self.linear.bias.copy_(mean)
        self.linear.weight[:, :len(components)] = components.T
        set_zero(self.layers[-1])

    def forward(self, code: Tensor) -> Tensor:
        return super().forward(code) + self.linear(code).unflatten(1, self.shape)


class CodeBasis(nn.Module):
    """Linear coordinates of a code, fixed during training; the identity map until a basis is set.

    In the encoders' own coordinates distances mean little: other light may change a code more than another face does.
    In a whitened basis (training.fitting.whitening) distances and angles are meaningful; the decoded factors stay the
    same.
    """

    mean: Tensor
    basis: Tensor
    inverse: Tensor

    def __init__(self, code_size: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(code_size))
        self.register_buffer("basis", torch.eye(code_size))
        self.register_buffer("inverse", torch.eye(code_size))

    def set_basis(self, mean: Tensor, basis: Tensor) -> None:
        """Codes become (raw − mean) @ basis; mean (code_size,), basis (code_size, code_size), columns may be zero."""
        self.mean.copy_(mean)
        self.basis.copy_(basis)
        self.inverse.copy_(torch.linalg.pinv(basis))

    def forward(self, raw: Tensor) -> Tensor:
        """Codes (B, code_size) of the encoder's raw numbers (B, code_size)."""
        with torch.autocast(raw.device.type, enabled=False):
            return (raw.float() - self.mean) @ self.basis

    def decode(self, code: Tensor) -> Tensor:
        """Undo `forward`."""
        with torch.autocast(code.device.type, enabled=False):
            return code.float() @ self.inverse + self.mean


class EncoderDecoder(nn.Module):
    """Image (B, 3, H, W) in [−1, 1] to a map (B, outputs, H, W), unbounded."""

    def __init__(self, image_size: int, width: int, outputs: int):
        super().__init__()
        self.layers = nn.Sequential(*_encoder_layers(image_size, width), *_decoder_layers(image_size, width, outputs))

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)
