"""A saved model: the folder that `LatentFace.save_pretrained` writes, and the same folder on the Hugging Face Hub.

Its config.json lists every weights file with its SHA-256. Only `download` and `push` use the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from core.errors import ArgumentInvalid, HubUnavailable, WeightsDamaged, WeightsMismatch, WeightsMissing

CONFIG, CARD = "config.json", "README.md"
"""Names of the configuration and of the model card."""
MODEL_TYPE = "latentface"
FORMAT = 1
"""Of config.json: raised when older programs could not read a newer folder."""
WAIT_SECONDS = 5
"""How long the Hub may take for its first answer, name look-up included, before the cache is used instead. The
library's own variable HF_HUB_ETAG_TIMEOUT sets another time."""

Result = TypeVar("Result")


def is_hub_name(name: str) -> bool:
    """Whether a text has the form of a Hub model's name, "user/name"."""
    return bool(re.fullmatch(r"\w[\w.-]*/[\w.-]+", name)) and not name.endswith(".safetensors")


def describe(files: dict[str, bytes], settings: dict[str, Any]) -> bytes:
    """The content of config.json: `settings` of the model, and the SHA-256 of its weights files by name."""
    listed = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return json.dumps({"model_type": MODEL_TYPE, "format": FORMAT, **settings, "sha256": listed}, indent=2).encode()


def check_folder(folder: Path, names: Iterable[str]) -> None:
    """Compare weights files with config.json. A folder without one passes: nothing is known of its files.

    Args:
        folder: of a saved model.
        names: of all files that a model may have.

    Raises:
        WeightsDamaged: config.json is not LatentFace's or of a newer version, or a file is missing or was changed.
        WeightsMismatch: there is a file that config.json does not list.
    """
    if not (folder / CONFIG).is_file():
        return
    listed = _read_listing(folder / CONFIG)
    for name in names:
        path = folder / name
        if path.is_file() and name not in listed:
            raise WeightsMismatch(f"{path} is of another model, {CONFIG} does not list it: move it away.")
        if name in listed and (not path.is_file() or _digest(path) != listed[name]):
            raise WeightsDamaged(f"{path} is missing or damaged, its SHA-256 is not that of {CONFIG}: delete "
                                 f"{path.resolve()} and fetch the model again.")


def download(repo_id: str, names: Iterable[str], revision: str | None = None) -> Path:
    """The folder of a model of the Hub, in its library's cache; downloaded where the cache lacks it or is older.

    Without an answer in WAIT_SECONDS, and at once where HF_HUB_OFFLINE is set, the cache alone is used.

    Args:
        repo_id: "user/name".
        names: of all weights files that a model may have. Only these, config.json and the card are downloaded.
        revision: branch, tag or commit; None: the main branch.

    Raises:
        WeightsMissing: there is no such model or revision, or the Hub cannot be reached and the cache lacks it.
        WeightsDamaged: it is not a LatentFace model.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted = f"{repo_id}, revision {revision}" if revision else repo_id
    wait = constants.HF_HUB_ETAG_TIMEOUT if "HF_HUB_ETAG_TIMEOUT" in os.environ else WAIT_SECONDS
    online = _find_on_hub(repo_id, revision, wait, wanted)
    try:
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=[CONFIG, CARD, *names],
                                      etag_timeout=wait, local_files_only=not online))
    except LocalEntryNotFoundError as error:
        raise WeightsMissing(f"There is no model {wanted} in the cache, and the Hub cannot be reached: connect to the "
                             "network without HF_HUB_OFFLINE, or name a local folder.") from error
    except (HfHubHTTPError, OSError, _transport_error()) as error:
        raise WeightsMissing(f"The model {wanted} cannot be downloaded ({_first_line(error)}): try again, or name a "
                             "local folder.") from error


def push(folder: Path, repo_id: str, names: Iterable[str], private: bool | None = None, revision: str | None = None,
         message: str = "Upload LatentFace model", token: str | None = None) -> str:
    """Upload a saved model as one commit; arguments, result and errors as of `LatentFace.push_to_hub`."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    if not is_hub_name(repo_id):
        raise ArgumentInvalid(f'repo_id must have the form "user/name", got {repo_id!r}.')
    api = HfApi(token=token)
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        commit = api.upload_folder(repo_id=repo_id, folder_path=folder, revision=revision, commit_message=message,
                                   allow_patterns=[CONFIG, CARD, *names])
    except HFValidationError as error:
        raise ArgumentInvalid(f"repo_id must be a name that the Hub allows ({_first_line(error)}).") from error
    except (OfflineModeIsEnabled, HfHubHTTPError, OSError, _transport_error()) as error:
        raise HubUnavailable(f"The model cannot be uploaded to {repo_id} ({_first_line(error)}): log in with `hf auth "
                             "login`, and check the name and the network.") from error
    return commit.commit_url


def _find_on_hub(repo_id: str, revision: str | None, wait: float, wanted: str) -> bool:
    """Whether the Hub answers, within `wait` seconds, that it has a model; errors as of `download`, about `wanted`."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    from huggingface_hub.utils import RepositoryNotFoundError, RevisionNotFoundError

    try:
        info = _within(wait, lambda: HfApi().model_info(repo_id, revision=revision, timeout=wait))
    except HFValidationError as error:
        raise WeightsMissing(f"{repo_id} is no name of a model: give it as user/name.") from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise WeightsMissing(f"There is no model {wanted} on the Hub, nor a folder of that name here: check the name, "
                             "or log in with `hf auth login` where it is private.") from error
    except (OfflineModeIsEnabled, HfHubHTTPError, OSError, _transport_error()):
        return False
    if CONFIG not in {file.rfilename for file in info.siblings or ()}:
        raise WeightsDamaged(f"{repo_id} is not a LatentFace model, it has no {CONFIG}: choose another name.")
    return True


def _read_listing(path: Path) -> dict[str, str]:
    """SHA-256 by name, of a config.json."""
    try:
        found = json.loads(path.read_bytes())
        if found["model_type"] != MODEL_TYPE:
            raise ValueError(f"model_type is {found['model_type']!r}")
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']!r}, this version reads {FORMAT}")
        return dict(found["sha256"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise WeightsDamaged(f"{path} is not of a LatentFace model that this version can read ({error}): fetch the "
                             "model that comes with this version.") from error


def _within(seconds: float, call: Callable[[], Result]) -> Result:
    """The result of a call, or TimeoutError. The library's own time limits do not cover the look-up of a name."""
    outcome: list[Result | BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # handed to the caller below
            outcome.append(error)

    thread = threading.Thread(target=run, name="hub", daemon=True)  # one that hangs does not keep the process alive
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError(f"no answer within {seconds:g} seconds")
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _transport_error() -> type[Exception]:
    """What the Hub's library raises for any failure of a connection."""
    import httpx2

    return httpx2.TransportError


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
