"""The linear regression from codes to the rig's coefficients, and where MediaPipe's landmarks lie on the rig."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.errors import WeightsDamaged
from core.files import write_bytes
from core.model.autoencoder import Autoencoder
from core.model.weights import autoencoder_fingerprint, check_autoencoder, read_safetensors
from core.types import Codes

LARGEST = 1.5
"""Distance from the mean person, in standard deviations of the rig's people, that identity coefficients approach. Codes
of photos lie beyond those of renders: without a limit the regression would extrapolate to caricatures."""


@dataclass(frozen=True, eq=False)
class HeadRegression:
    """Fitted by training.fitting.head for one autoencoder."""

    regressor: Tensor
    """(code_size + albedo_code_size, 157) from [depth, albedo] codes to 100 identity coefficients and 57 expression
    weights."""
    bias: Tensor
    """(157,)."""
    mean: Tensor
    """(100,) identity coefficients of the rig's mean person."""
    spread: Tensor
    """(100,) standard deviation of the coefficients over the rig's people."""
    landmarks: Tensor
    """(478,) int32 vertex of the rig at each of MediaPipe's landmarks."""

    def predict(self, codes: Codes) -> tuple[np.ndarray, np.ndarray]:
        """Identity coefficients (B, 100) and expression weights (B, 57), [0, 1], of B faces."""
        found = torch.cat([codes.depth_code, codes.albedo_code], 1).cpu().float() @ self.regressor + self.bias
        identity, expression = found.split([len(self.mean), len(self.bias) - len(self.mean)], 1)
        identity = self.mean + LARGEST * self.spread * ((identity - self.mean) / (LARGEST * self.spread)).tanh()
        return identity.numpy(), expression.clamp(0, 1).numpy()

    def pack(self, autoencoder: str) -> bytes:
        """The content of the file for the autoencoder of a fingerprint, in half precision."""
        from safetensors.torch import save

        state = {name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous() for name, tensor in
                 asdict(self).items()}
        return save(state, {"autoencoder": autoencoder})

    def write(self, path: str | Path, autoencoder: Autoencoder, overwrite: bool = False) -> None:
        """Save for one autoencoder; arguments and errors as of `core.files.writing`."""
        write_bytes(path, self.pack(autoencoder_fingerprint(autoencoder.state_dict())), overwrite)


def load_regression(path: str | Path, fingerprint: str) -> HeadRegression:
    """The regression of a file, for the autoencoder with a fingerprint (`autoencoder_fingerprint`).

    Raises:
        WeightsDamaged: it cannot be read.
        WeightsMismatch: it was fitted for another autoencoder.
    """
    from safetensors import SafetensorError

    try:
        tensors, metadata = read_safetensors(path)
        found = HeadRegression(tensors["regressor"].float(), tensors["bias"].float(), tensors["mean"].float(),
                               tensors["spread"].float(), tensors["landmarks"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise WeightsDamaged(f"{path} cannot be read ({error}): fetch the one that comes with this version.") from error
    check_autoencoder(metadata, fingerprint, f"{path} was made for another autoencoder: fit it again with `python -m "
                      "training.fit_head`, or use the bundled weights.")
    return found
