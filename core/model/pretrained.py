"""The networks of a model: loaded, moved, saved as a folder with a model card, and shared on the Hugging Face Hub."""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import torch

from core import hub
from core.config import ModelConfig
from core.errors import OutputExists
from core.files import prepare_folder, writing
from core.geometry.rasterizer import current_rasterizer, use_rasterizer
from core.lazy import lazy_property
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.model.fine import FineStage
from core.model.head_regression import HeadRegression, load_regression
from core.model.networks import channels_last
from core.model.semantics import SemanticBasis
from core.model.weights import (
    BUNDLED,
    FILES,
    autoencoder_fingerprint,
    diffusion_path,
    fine_path,
    head_path,
    load_autoencoder,
    load_diffusion,
    load_fine,
    load_semantics,
    model_fingerprint,
    pack_weights,
    read_metadata,
    semantics_path,
    weights_path,
)

*NETWORKS, HEAD = FILES
BUNDLED_CARD = BUNDLED.with_name(hub.CARD)
ABOUT_THE_BUNDLED = ("Training", "Measured")
"""Sections of the bundled card that hold for the bundled weights only."""
UNMEASURED = """## Training and figures

These weights are not the ones that come with LatentFace. Nothing is published about their training or accuracy:
whoever shares them says so here, and measures them with `python -m training.evaluate`.
"""


class PretrainedModel:
    """The autoencoder, and the networks that were made for it, where there are any."""

    def __init__(self, autoencoder: Autoencoder, diffusion: Diffusion | None = None, fine: FineStage | None = None,
                 rasterizer: str | None = None):
        self.autoencoder = autoencoder.eval().requires_grad_(False)
        self.diffusion = diffusion and diffusion.eval().requires_grad_(False)
        self.fine = fine and fine.eval().requires_grad_(False)
        self.semantic_basis: SemanticBasis | None = None
        self.head_regression: HeadRegression | None = None
        self.rasterizer = rasterizer or current_rasterizer()
        self.metadata: dict[str, dict[str, str]] = {}
        """How the weights of each file were made (`core.model.weights.read_metadata`), by the file's name."""

    @classmethod
    def from_pretrained(cls, source: str | Path | None = None, rasterizer: str | None = None,
                        revision: str | None = None) -> Self:
        """Load weights: `source`, else the environment variable LATENTFACE_WEIGHTS, else the bundled ones.

        Four files beside them are loaded too: `diffusion.safetensors`, without which codes cannot be split,
        `fine.safetensors`, without which factors have the autoencoder's resolution, `semantics.safetensors`, without
        which no found directions can be edited, and `head.safetensors`, without which no heads are made.

        Args:
            source: file of the autoencoder, a folder of `save_pretrained`, or the name "user/name" of a model of the
                Hugging Face Hub, as a text. A path that exists wins over a name. Only names use the network, and none
                with HF_HUB_OFFLINE: then the Hub's cache is read.
            rasterizer: "grid" (the project's own) or "pytorch3d" (requirements-pytorch3d.txt); None: the one in use
                (core.geometry.rasterizer.use_rasterizer), which is "grid" by default.
            revision: branch, tag or commit of the Hub's model; None: its main branch.

        Raises:
            WeightsMissing: there is no such file or model, or the Hub cannot be reached.
            WeightsDamaged: a file cannot be read, was changed, or belongs to another version of the model.
            WeightsMismatch: a file beside the autoencoder's was made for another autoencoder.
            BackendMissing: PyTorch3D is not installed.
        """
        with use_rasterizer(rasterizer or current_rasterizer()):  # raises early where it is missing
            path = weights_path(source, revision)
            autoencoder = load_autoencoder(path)
            beside, detail = diffusion_path(path), fine_path(path)
            fingerprint = autoencoder_fingerprint(autoencoder.state_dict())
            diffusion = load_diffusion(beside, fingerprint) if beside.is_file() else None
            fine = channels_last(load_fine(detail, fingerprint)) if detail.is_file() else None
        model = cls(channels_last(autoencoder), diffusion, fine, rasterizer)
        if (found := semantics_path(path)).is_file():
            model.semantic_basis = load_semantics(found, fingerprint)
        if (head := head_path(path)).is_file():
            model.head_regression = load_regression(head, fingerprint)
        files = zip(FILES, (path, beside, detail, found, head), strict=True)
        model.metadata = {name: read_metadata(file) for name, file in files if file.is_file()}
        return model

    def save_pretrained(self, folder: str | Path, overwrite: bool = False) -> None:
        """Write the model into a folder that `from_pretrained` loads: weights, config.json and a model card.

        Args:
            folder: made where it is missing.
            overwrite: also replace files that LatentFace did not write.

        Raises:
            OutputExists, OutputUnwritable: see core.files.writing.
        """
        folder = Path(folder)
        weights = self.pack()
        others = [name for name in FILES if name not in weights and (folder / name).exists()]
        if others:
            raise OutputExists(f"{folder} holds {others[0]} of another model: choose another folder, or move it away.")
        settings = {Path(name).stem: network.config.to_dict() for name, network in self.networks.items()}
        contents = weights | {hub.CARD: model_card(self).encode(), hub.CONFIG: hub.describe(weights, settings)}
        prepare_folder(folder, contents, overwrite)
        with ExitStack() as files:
            for name, content in contents.items():
                files.enter_context(writing(folder / name, overwrite)).write_bytes(content)

    def push_to_hub(self, repo_id: str, private: bool | None = None, revision: str | None = None,
                    message: str = "Upload LatentFace model", token: str | None = None) -> str:
        """Upload what `save_pretrained` writes to the Hugging Face Hub, as one commit.

        Args:
            repo_id: "user/name"; the repository is made where it is missing.
            private: whether a repository that is made can be seen by its owner only; None: the owner's default.
            revision: branch, made where it is missing; None: the main branch.
            message: of the commit.
            token: of the user; None: the one of `hf auth login`, or of the environment variable HF_TOKEN.

        Returns:
            URL of the commit.

        Raises:
            HubUnavailable: the Hub cannot be reached, or refuses the upload.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return hub.push(Path(folder), repo_id, FILES, private, revision, message, token)

    def to(self, device: torch.device | str) -> Self:
        """Move the whole model, diffusion and expression basis included."""
        for network in self.networks.values():
            network.to(device)
        return self

    @property
    def networks(self) -> dict[str, Autoencoder | Diffusion | FineStage | SemanticBasis]:
        """The networks that there are, by the names of their files."""
        networks = self.autoencoder, self.diffusion, self.fine, self.semantic_basis
        return {name: network for name, network in zip(NETWORKS, networks, strict=True) if network}

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.autoencoder.parameters()).device

    @property
    def config(self) -> ModelConfig:
        """Sizes and ranges of the model."""
        return self.autoencoder.config

    @lazy_property
    def fingerprint(self) -> str:
        """Short hash of the weights; maps and session files carry that of the model that made them."""
        return model_fingerprint(self.autoencoder, self.diffusion)

    def pack(self) -> dict[str, bytes]:
        """The content of each weights file, by name."""
        fingerprint = autoencoder_fingerprint(self.autoencoder.state_dict())
        belongs = {"autoencoder": fingerprint}
        weights = {name: pack_weights(network.state_dict(), network.config,
                                      self.metadata.get(name, {}) | (belongs if name != FILES[0] else {}))
                   for name, network in self.networks.items()}
        return weights | ({HEAD: self.head_regression.pack(fingerprint)} if self.head_regression else {})


def model_card(model: PretrainedModel) -> str:
    """The model card in the Hub's form. Only the bundled weights get the bundled card's figures."""
    text = BUNDLED_CARD.read_text(encoding="utf-8")
    if _is_bundled(model):
        return text
    text = re.sub(r"^model-index:\n(?: .*\n)*", "", text, flags=re.M)
    first, *sections = re.split(r"^(?=## )", text, flags=re.M)
    kept = [section for section in sections if section[3:].partition("\n")[0] not in ABOUT_THE_BUNDLED]
    return "".join([first, UNMEASURED, "\n", *kept])


def _is_bundled(model: PretrainedModel) -> bool:
    """Whether these are the bundled weights, all of them."""
    return model.pack() == type(model).from_pretrained(BUNDLED).pack()
