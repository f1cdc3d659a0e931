"""Saved models, on disk and on a Hugging Face Hub that these tests start (tests/hub_server.py)."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard

from core import hub
from core.config import DiffusionConfig, FineConfig, ModelConfig, SemanticsConfig
from core.errors import ArgumentInvalid, OutputExists, WeightsDamaged, WeightsMismatch, WeightsMissing
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.model.fine import FineStage
from core.model.head_regression import HeadRegression
from core.model.semantics import SemanticBasis
from core.model.weights import BUNDLED, FILES
from core.pipeline import LatentFace
from tests.hub_server import TOKEN, local_hub

ROOT = Path(__file__).parents[2]
NAME = "somebody/small"
SAVED = {*FILES, hub.CONFIG, hub.CARD}
LOAD = "from core import LatentFace; print(LatentFace.from_pretrained({!r}).fingerprint)"
DOWNLOAD = f"from core import hub; print(hub.download({{!r}}, {FILES}, {{!r}}))"
PUSH = f"from pathlib import Path; from core import hub; print(hub.push(Path({{!r}}), {{!r}}, {FILES}, {{}}))"


@pytest.fixture(scope="module")
def small():
    """A small model of random weights, with all files."""
    torch.manual_seed(0)
    autoencoder = Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8))
    model = LatentFace(autoencoder, Diffusion(DiffusionConfig(width=32, blocks=1, image_size=32)),
                       FineStage(FineConfig(image_size=64, coarse_size=32, width=8, levels=2)))
    found = SemanticsConfig(image_size=32, names=("a", "b"), parts=("identity", "expression"))
    model.semantic_basis = SemanticBasis(found)
    model.head_regression = HeadRegression(torch.rand(512, 157), torch.rand(157), torch.rand(100), torch.rand(100),
                                           torch.arange(478, dtype=torch.int32))
    model.metadata = {FILES[0]: {"steps": "7"}}
    return model


@pytest.fixture(scope="module")
def saved(small, tmp_path_factory):
    """Folder of the saved model; not to be changed."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    small.save_pretrained(folder)
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    """A copy of that folder, to be changed."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in SAVED:
        (folder / name).write_bytes((saved / name).read_bytes())
    return folder


@pytest.fixture
def server(saved):
    """A Hub that holds the saved model."""
    with local_hub() as server:
        server.commit(NAME, {name: (saved / name).read_bytes() for name in SAVED})
        yield server


@pytest.fixture
def run(server, tmp_path):
    """Run a program whose Hub is the local one; returns its standard output, or the last line of its traceback."""
    def run(program: str, url: str = server.url, **variables: str) -> str:
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("HF_", "LATENTFACE_")) and "proxy" not in key.lower()}
        environment |= {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_ETAG_TIMEOUT": "100",
                        "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment | variables,
                              capture_output=True, text=True)
        return (done.stderr if done.returncode else done.stdout).strip().splitlines()[-1]

    return run


# --- On disk ----------------------------------------------------------------------------------------------------------


def test_a_saved_model_is_loaded_as_it_was(small, saved):
    loaded = LatentFace.from_pretrained(saved)
    assert {path.name for path in saved.iterdir()} == SAVED | {".latentface.json"}
    assert loaded.config == small.config and loaded.metadata[FILES[0]] == {"steps": "7"}
    again = LatentFace.from_pretrained(str(saved / FILES[0]))
    assert again.fingerprint == loaded.fingerprint and again.fine and loaded.fine
    assert [one.name for one in loaded.semantics if one.unit == "sigma"] == ["a", "b"]
    assert loaded.head_regression and torch.equal(loaded.head_regression.landmarks, small.head_regression.landmarks)
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(loaded.analyze(images).canon_depth, small.analyze(images).canon_depth, atol=2e-3, rtol=0)


def test_saving_a_loaded_model_gives_the_same_files(saved, tmp_path):
    LatentFace.from_pretrained(saved).save_pretrained(tmp_path)
    assert all((tmp_path / name).read_bytes() == (saved / name).read_bytes() for name in SAVED)


def test_the_bundled_model_is_saved_with_its_card_and_figures(tmp_path):
    bundled = LatentFace.from_pretrained(BUNDLED)
    bundled.save_pretrained(tmp_path)
    assert LatentFace.from_pretrained(tmp_path).fingerprint == bundled.fingerprint
    assert (tmp_path / hub.CARD).read_bytes() == BUNDLED.with_name(hub.CARD).read_bytes()
    figures = ModelCard.load(tmp_path / hub.CARD).data.eval_results
    assert {figure.metric_type for figure in figures or ()} >= {"mad", "l1"}


def test_the_card_of_other_weights_has_limits_and_use_but_no_figures(saved):
    card = ModelCard.load(saved / hub.CARD)
    assert card.data.license == "apache-2.0" and card.data.library_name == "latentface" and not card.data.eval_results
    assert "## Intended use" in card.text and "## Limits" in card.text
    assert "## Measured" not in card.text and "22,804" not in card.text


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_refused_by_its_checksum(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[-1] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(WeightsDamaged, match=f"{name} is missing or damaged"):
        LatentFace.from_pretrained(copy)


def test_a_listed_file_that_is_missing_is_named(copy):
    (copy / FILES[1]).unlink()
    with pytest.raises(WeightsDamaged, match=f"{FILES[1]} is missing"):
        LatentFace.from_pretrained(copy)


def test_a_file_of_another_model_beside_it_is_refused(small, tmp_path):
    LatentFace(small.autoencoder).save_pretrained(tmp_path)
    (tmp_path / FILES[2]).write_bytes(b"other")
    with pytest.raises(WeightsMismatch, match="of another model"):
        LatentFace.from_pretrained(tmp_path)
    with pytest.raises(OutputExists, match="of another model"):
        LatentFace(small.autoencoder).save_pretrained(tmp_path)


@pytest.mark.parametrize("text", ['{"model_type": "bert"}', '{"model_type": "latentface", "format": 2}', "{", "[]"],
                         ids=["foreign", "newer", "cut", "list"])
def test_a_foreign_or_newer_configuration_is_refused(copy, text):
    (copy / hub.CONFIG).write_text(text)
    with pytest.raises(WeightsDamaged, match="config.json is not of a LatentFace model that this version can read"):
        LatentFace.from_pretrained(copy)


def test_files_of_the_users_are_not_replaced(small, tmp_path):
    (tmp_path / hub.CARD).write_text("mine")
    with pytest.raises(OutputExists):
        small.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [hub.CARD]


def test_a_path_is_no_hub_name_and_takes_no_revision(saved, tmp_path):
    with pytest.raises(WeightsMissing, match="There are no weights at"):
        LatentFace.from_pretrained(Path("somebody/small"))
    with pytest.raises(ArgumentInvalid, match="revision"):
        LatentFace.from_pretrained(saved, revision="main")


# --- On the Hub -------------------------------------------------------------------------------------------------------


def test_an_uploaded_model_is_downloaded_bit_for_bit(run, server, saved):
    upload = "from core import LatentFace; print(LatentFace.from_pretrained({!r}).push_to_hub('somebody/new'))"
    url = run(upload.format(str(saved)), HF_TOKEN=TOKEN)
    (commit,) = server.branches["somebody/new"].values()
    assert url == f"{server.url}/somebody/new/commit/{commit}"
    files = server.commits["somebody/new"][commit]
    assert files.keys() == SAVED | {".gitattributes"}
    assert all(files[name] == (saved / name).read_bytes() for name in SAVED)
    assert run(LOAD.format("somebody/new")) == LatentFace.from_pretrained(saved).fingerprint


def test_a_model_is_uploaded_to_a_branch(run, server, saved):
    main = server.branches[NAME]["main"]
    server.commit(NAME, {hub.CARD: b"older"}, "trial")
    run(PUSH.format(str(saved), NAME, "revision='trial'"), HF_TOKEN=TOKEN)
    assert server.commits[NAME][server.branches[NAME]["trial"]][hub.CARD] == (saved / hub.CARD).read_bytes()
    assert server.branches[NAME]["main"] == main and server.branches[NAME]["trial"] != main


def test_a_revision_is_a_branch_or_a_commit(run, server, saved):
    first = server.branches[NAME]["main"]
    second = server.commit(NAME, {hub.CARD: b"new"}, "main")
    for revision, commit in ((None, second), ("main", second), (first, first), (second, second)):
        assert Path(run(DOWNLOAD.format(NAME, revision))).name == commit


def test_only_files_of_the_model_are_downloaded(run, server):
    server.commit(NAME, {"huge.safetensors": b"0" * 1000, "training.log": b"0"})
    assert {path.name for path in Path(run(DOWNLOAD.format(NAME, None))).iterdir()} == SAVED


def test_an_existing_path_wins_over_a_name(run, server, saved, tmp_path):
    (tmp_path / "somebody").mkdir()
    (tmp_path / NAME).symlink_to(saved)
    assert run(LOAD.format(NAME)) == LatentFace.from_pretrained(saved).fingerprint
    assert not server.requests


def test_the_bundled_weights_never_use_the_hub(run, server):
    program = "import sys; from core import LatentFace; LatentFace.from_pretrained()"
    assert run(program + "; print('huggingface_hub' in sys.modules)") == "False" and not server.requests


def test_the_environment_variable_may_name_a_model(run, server, saved):
    program = "from core.model.weights import weights_path; print(weights_path())"
    assert Path(run(program, LATENTFACE_WEIGHTS=NAME)).parent.name == server.branches[NAME]["main"]
    assert run(program.replace("()", f"({str(saved)!r})"), LATENTFACE_WEIGHTS="no/such") == str(saved / FILES[0])


def test_offline_the_cache_is_read_without_a_request(run, server):
    folder = run(DOWNLOAD.format(NAME, None))
    server.requests.clear()
    guarded = "from app.server import offline; offline.stay_offline('127.0.0.1'); " + DOWNLOAD.format(NAME, None)
    assert run(guarded, HF_HUB_OFFLINE="1") == folder
    assert "connect to the network" in run(DOWNLOAD.format("somebody/other", None), HF_HUB_OFFLINE="1")
    assert not server.requests


SLOW_NAMES = "import socket, time; socket.getaddrinfo = lambda *_, **__: time.sleep(1000); "


@pytest.mark.parametrize("before", ["", SLOW_NAMES], ids=["silent Hub", "silent name server"])
def test_without_an_answer_the_cache_is_read(run, before):
    folder = run(DOWNLOAD.format(NAME, None))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert run(before + DOWNLOAD.format(NAME, None), url, HF_HUB_ETAG_TIMEOUT="1") == folder


def test_where_nothing_listens_the_sentence_comes_at_once(run):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    assert "the Hub cannot be reached" in run(DOWNLOAD.format(NAME, None), url)


def test_a_damaged_cache_is_refused_and_mended_by_what_the_sentence_says(run):
    folder = Path(run(DOWNLOAD.format(NAME, None)))
    damaged = (folder / FILES[1]).resolve()
    damaged.write_bytes(b"0")
    sentence = run(LOAD.format(NAME))
    assert "WeightsDamaged" in sentence and f"delete {damaged}" in sentence
    damaged.unlink()
    assert len(run(LOAD.format(NAME))) == 16


@pytest.mark.parametrize("files", [{"model.safetensors": b"0"}, {"config.json": b'{"model_type": "bert"}'}],
                         ids=["without configuration", "of another kind"])
def test_a_foreign_repository_is_refused(run, server, files):
    server.commit("somebody/foreign", files)
    assert "WeightsDamaged" in (said := run(LOAD.format("somebody/foreign"))) and "not" in said
    assert not any("safetensors" in request or "storage" in request for request in server.requests)


@pytest.mark.parametrize(("name", "revision"), [("somebody/none", None), (NAME, "none"), ("a--b/..", None)])
def test_a_model_or_revision_that_is_not_there_is_named(run, name, revision):
    said = run(DOWNLOAD.format(name, revision))
    assert said.startswith("core.errors.WeightsMissing") and name in said and said.endswith(".")


@pytest.mark.parametrize("variables", [{}, {"HF_TOKEN": "hf_wrong"}, {"HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "1"}],
                         ids=["no token", "wrong token", "offline"])
def test_an_upload_that_is_refused_says_what_to_do(run, server, saved, variables):
    said = run(PUSH.format(str(saved), "somebody/new", ""), **variables)
    assert "hf auth login" in said and "HubUnavailable" in said
    assert "somebody/new" not in server.branches


@pytest.mark.parametrize("name", ["small", "a/b/c", "some body/small", "../small"])
def test_an_impossible_name_is_refused_before_the_upload(saved, name):
    with pytest.raises(ArgumentInvalid, match="user/name"):
        hub.push(saved, name, FILES)
