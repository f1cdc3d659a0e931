"""Saved models: the folder that `FaceModel.save_pretrained` writes, and its model card."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from core import hub
from core.errors import OutputExists
from core.files import prepare_folder, writing
from core.model.weights import BUNDLED, FILES, autoencoder_fingerprint, pack_weights

if TYPE_CHECKING:
    from core.model.autoencoder import Autoencoder
    from core.model.diffusion import Diffusion
    from core.model.face_model import FaceModel
    from core.model.fine import FineStage
    from core.model.semantics import SemanticBasis

*NETWORKS, HEAD = FILES
BUNDLED_CARD = BUNDLED.with_name(hub.CARD)
ABOUT_THE_BUNDLED = ("Training", "Measured")
"""Sections of the bundled card that hold for the bundled weights only."""
UNMEASURED = """## Training and figures

These weights are not the ones that come with LatentFace. Nothing is published about their training or accuracy:
whoever shares them says so here, and measures them with `python -m training.evaluate`.
"""


def save_folder(model: FaceModel, folder: str | Path, overwrite: bool = False) -> None:
    """Write weights, config.json and card; arguments and errors as of `FaceModel.save_pretrained`."""
    folder = Path(folder)
    weights = pack_model(model)
    others = [name for name in FILES if name not in weights and (folder / name).exists()]
    if others:
        raise OutputExists(f"{folder} holds {others[0]} of another model: choose another folder, or move it away.")
    settings = {Path(name).stem: network.config.to_dict() for name, network in _networks(model).items()}
    contents = weights | {hub.CARD: model_card(model).encode(), hub.CONFIG: hub.describe(weights, settings)}
    prepare_folder(folder, contents, overwrite)
    with ExitStack() as files:
        for name, content in contents.items():
            files.enter_context(writing(folder / name, overwrite)).write_bytes(content)


def pack_model(model: FaceModel) -> dict[str, bytes]:
    """The content of each of the model's weights files, by name."""
    fingerprint = autoencoder_fingerprint(model.autoencoder.state_dict())
    belongs = {"autoencoder": fingerprint}
    weights = {name: pack_weights(network.state_dict(), network.config,
                                  model.metadata.get(name, {}) | (belongs if name != FILES[0] else {}))
               for name, network in _networks(model).items()}
    return weights | ({HEAD: model.head_regression.pack(fingerprint)} if model.head_regression else {})


def model_card(model: FaceModel) -> str:
    """The model card in the Hub's form. Only the bundled weights get the bundled card's figures."""
    text = BUNDLED_CARD.read_text(encoding="utf-8")
    if _is_bundled(model):
        return text
    text = re.sub(r"^model-index:\n(?: .*\n)*", "", text, flags=re.M)
    first, *sections = re.split(r"^(?=## )", text, flags=re.M)
    kept = [section for section in sections if section[3:].partition("\n")[0] not in ABOUT_THE_BUNDLED]
    return "".join([first, UNMEASURED, "\n", *kept])


def _is_bundled(model: FaceModel) -> bool:
    """Whether these are the bundled weights, all of them."""
    return pack_model(model) == pack_model(type(model).from_pretrained(BUNDLED))


def _networks(model: FaceModel) -> dict[str, Autoencoder | Diffusion | FineStage | SemanticBasis]:
    """The model's networks by the names of their files."""
    networks = model.autoencoder, model.diffusion, model.fine, model.semantic_basis
    return {name: network for name, network in zip(NETWORKS, networks, strict=True) if network}
