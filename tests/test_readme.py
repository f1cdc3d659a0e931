"""The documentation is true: the README's snippets run, links and file names exist, versions agree."""

import contextlib
import importlib.util
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import torch
import trimesh
import yaml
from PIL import Image

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("assets/*/README.md"))]
PHOTO, OTHER = ROOT / "tests" / "data" / "139_neutral.jpg", ROOT / "tests" / "data" / "001_smiling.jpg"
FOLDERS = "app|assets|benchmarks|core|docs|scripts|tests|training"
"""Folders whose files the documentation names in backticks."""


def snippets() -> list[tuple[int, str]]:
    """Line number and text of each Python snippet of the README."""
    text = README.read_text(encoding="utf-8")
    return [(text[: match.start(1)].count("\n"), match[1])
            for match in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S)]


def anchors(path: Path) -> set[str]:
    """Names by which links reach the headings of a document, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> dict:
    """Names that the snippets leave, run one after the other in a folder with two photos; `folder` is that folder."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copy(PHOTO, folder / "photo.jpg")
    shutil.copy(OTHER, folder / "other.jpg")
    names: dict = {"folder": folder}
    with contextlib.chdir(folder):
        for line, text in snippets():
            # Blank lines before it, so that a traceback shows the README's line.
            exec(compile("\n" * line + text, str(README), "exec"), names)
    return names


def test_snippet_analyzes_a_photo(ran):
    factors = ran["factors"]
    assert factors.canon_depth.shape == (1, 128, 128)
    assert 0.9 <= factors.canon_depth.min() < factors.canon_depth.max() <= 1.1
    assert factors.canon_albedo.shape == (1, 3, 128, 128)
    assert 0 <= factors.canon_albedo.min() < factors.canon_albedo.max() <= 1
    assert factors.light.direction.norm(dim=-1).item() == pytest.approx(1, abs=1e-5)
    assert factors.view.rotation.shape == (1, 3)


def test_snippet_turns_and_relights_the_face(ran):
    turned, relit = ran["turned"], ran["relit"]
    assert turned.shape == (1, 3, 512, 512) and relit.shape == (1, 3, 256, 256)
    assert 0 <= turned.min() and turned.max() <= 1
    unchanged = ran["model"].render(ran["face"], size=512)
    assert (turned - unchanged).abs().mean() > 0.02
    assert (relit - ran["model"].render(ran["face"])).abs().mean() > 0.02


def test_snippet_writes_a_face_that_smiles_as_the_donor_does(ran):
    with Image.open(ran["folder"] / "reenacted.png") as image:
        assert image.size == (512, 512)

    def smile(photo: Path) -> float:
        found = ran["model"].find_faces(photo)[0].blendshapes
        return (found["mouthSmileLeft"] + found["mouthSmileRight"]) / 2

    before, after, donor = (smile(ran["folder"] / name) for name in ("photo.jpg", "reenacted.png", "other.jpg"))
    assert before < 0.2 and min(after, donor) > 0.5


def test_snippet_writes_a_textured_mesh(ran):
    face, rim = trimesh.load_scene(ran["folder"] / "reenacted.glb").geometry.values()
    assert len(face.faces) > len(rim.faces) > 100
    assert all(part.visual.material.baseColorTexture is not None for part in (face, rim))


def test_snippet_splits_codes_into_identity_and_expression(ran):
    codes, parts = ran["codes"], ran["parts"]
    assert codes.depth_code.shape == (1, 256) and codes.albedo_code.shape == (1, 640)
    torch.testing.assert_close(parts.identity.depth + parts.expression.depth, codes.depth_code)
    torch.testing.assert_close(parts.identity.albedo + parts.expression.albedo, codes.albedo_code)


def test_snippet_edits_codes(ran):
    for edited, size in ((ran["swapped"], 128), (ran["halfway"], 64)):
        assert edited.canon_depth.shape == (1, size, size)
        assert not torch.equal(edited.of_codes.canon_depth, ran["factors"].of_codes.canon_depth)


def test_snippet_names_expressions_and_similar_faces(ran):
    assert len(ran["weights"]) == 57 and "mouthSmile_L" in ran["weights"]
    assert all(len(values) == 5 for values in ran["similar"])


def test_snippets_use_the_public_names():
    imported = {name for _, text in snippets() for name in re.findall(r"^from (\S+) import", text, re.M)}
    assert imported == {"PIL", "core"}


def test_readme_has_fewer_than_200_lines():
    assert len(README.read_text(encoding="utf-8").splitlines()) < 200


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(document):
    missing = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", document.read_text(encoding="utf-8")):
        name, _, heading = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if not target.exists() or heading and heading not in anchors(target):
            missing.append(link)
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(document):
    text = document.read_text(encoding="utf-8")
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text)
    assert not [name for name in named if not (ROOT / name).exists()]


def test_modules_that_are_named_exist():
    text = "\n".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    named = set(re.findall(r"-m ((?:benchmarks|core|training)[\w.]*)", text))
    assert "training.train_autoencoder" in named
    assert not {name for name in named if importlib.util.find_spec(name) is None}


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert project["version"] in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_space_runs_the_pinned_gradio():
    space = yaml.safe_load(README.read_text(encoding="utf-8").split("---\n")[1])
    assert f"gradio=={space['sdk_version']}" in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert (ROOT / space["app_file"]).exists() and len(space["short_description"]) <= 60


def test_licences_of_all_requirements_are_named():
    lists = [path.read_text(encoding="utf-8") for path in ROOT.glob("requirements*.txt")]
    required = {name for text in lists for name in re.findall(r"^([\w-]+)==", text, re.M)}
    credits = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    assert not {name for name in required if not re.search(rf"\b{re.escape(name)}\b", credits)}
