"""Exports of the page: each kind of file opens and is marked as synthetic, and a session file restores the page."""

import base64
import io
import json
import zipfile

import numpy as np
import pytest
import trimesh
from PIL import Image, ImageSequence
from safetensors import safe_open

from app.server.queues import FULL
from app.session.export import FILE_NAMES, KINDS
from core.export.turntable import FRAMES
from tests.ui.images import changed, settled, source
from tests.ui.studio import LIVE, slider

pytestmark = pytest.mark.timeout(240)
SET = "example=3&yaw=-25&across=40&background=White&donor=5&depth=1.3&albedo=0.4&edits=blink:0.5&identity=1"
"""URL parameters that set everything."""
CONTROLS = ("yaw", "pitch", "roll", "across", "above", "ambient", "diffuse", "swap-depth", "swap-albedo")
DROP = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)), held = new DataTransfer();
  held.items.add(new File([bytes], name));
  for (const type of ['dragover', 'drop']) document.querySelector('#photo-input').dispatchEvent(
    new DragEvent(type, { dataTransfer: held, bubbles: true, cancelable: true }));
}"""


def entry(page, kind: str):
    """One of the menu's entries, which a click elsewhere on the page may have closed."""
    page.locator("#export details").evaluate("menu => { menu.open = true; }")
    return page.locator(f'#export [data-kind="{kind}"]')


def saved(page, kind: str) -> bytes:
    """The file that an entry of the menu gives."""
    with page.expect_download() as download:
        entry(page, kind).click()
    assert download.value.suggested_filename == FILE_NAMES[kind]
    return download.value.path().read_bytes()


def shown(page) -> dict:
    """Everything that is set, once it is there."""
    page.wait_for_function("document.querySelector('#yaw input[type=range]')?.value === '-25'")
    page.wait_for_function("document.querySelector('#swap-albedo input[type=range]')?.value === '0.4'")
    page.wait_for_selector("#swap-donors button:nth-child(5)[aria-pressed=true]")
    page.wait_for_selector("#identity-donors button:nth-child(1)[aria-pressed=true]", state="attached")  # folded
    values = {name: page.locator(f"#{name} input[type=range]").input_value() for name in CONTROLS}
    choices = page.locator("#sections label.selected").all_text_contents()
    return values | {"render": settled(page, LIVE, ""), "blink": slider(page, "blink").input_value(),
                     "choices": choices, "refined": page.locator("#refine input").is_checked()}


@pytest.fixture(scope="module")
def page(open_page):
    """A page with `SET`."""
    with open_page(link=SET) as page:
        shown(page)
        yield page


@pytest.fixture(scope="module")
def files(page):
    """The file of every entry of the menu."""
    return {kind: saved(page, kind) for kind in KINDS}


def opened(files, kind: str) -> Image.Image:
    return Image.open(io.BytesIO(files[kind]))


def test_images_and_depth_open_and_are_marked(files):
    for kind in ("picture", "normals", "albedo", "depth"):
        image = opened(files, kind)
        assert image.text["Synthetic"].startswith("true") and np.asarray(image).std() > 1, kind
    assert opened(files, "picture").size == (512, 512)
    depth = np.asarray(opened(files, "depth"))
    assert depth.dtype == np.uint16 and len(np.unique(depth)) > 1000


def test_meshes_open_with_texture(files):
    face, rim = trimesh.load_scene(io.BytesIO(files["glb"]), file_type="glb").geometry.values()
    assert len(face.faces) > 1000
    assert [part.visual.material.baseColorTexture.size for part in (face, rim)] == [(1024, 1024)] * 2
    assert b'"synthetic":true' in files["glb"].replace(b" ", b"")
    packed = zipfile.ZipFile(io.BytesIO(files["obj"]))
    obj = trimesh.load(packed.open("face.obj"), file_type="obj", force="mesh", skip_materials=True)
    assert len(obj.faces) == len(face.faces) + len(rim.faces)
    assert all(b"synthetic" in packed.read(name).lower() for name in packed.namelist())


def test_turntables_play(files):
    import av

    gif = opened(files, "turntable")
    assert gif.n_frames == FRAMES and b"synthetic" in gif.info["comment"]
    turned = [np.asarray(one.convert("RGB"), float) for one in ImageSequence.Iterator(gif)]
    assert np.abs(turned[9] - turned[27]).mean() > 5  # to the other side
    with av.open(io.BytesIO(files["turntable-mp4"])) as film:
        assert "synthetic" in film.metadata["comment"]
        assert sum(1 for _ in film.decode(video=0)) % FRAMES == 0


def test_codes_are_the_same_in_both_files(files):
    arrays = np.load(io.BytesIO(files["codes-npz"]), allow_pickle=False)
    text = json.loads(files["codes-json"])
    assert bool(arrays["synthetic"]) and text["synthetic"] is True
    assert {"depth_code", "identity_depth", "expression_albedo"} <= text["codes"].keys()
    assert all(np.allclose(arrays[name], values) for name, values in text["codes"].items())


def test_a_session_file_dropped_into_a_new_page_restores_it_exactly(page, files, open_page, tmp_path):
    (tmp_path / "mine").write_bytes(files["session"])
    with safe_open(tmp_path / "mine", "np") as file:
        assert "estimate" in file.metadata()["synthetic"]
    with open_page() as again:
        albedo = source(again, "#equation .albedo img")
        again.evaluate(DROP, ["mine.latentface", base64.b64encode(files["session"]).decode()])
        changed(again, "#equation .albedo img", albedo)
        assert shown(again) == shown(page)
        for kind in ("codes-json", "picture", "glb"):
            assert saved(again, kind) == files[kind], kind
        assert all(part in again.url for part in ("example=3", "yaw=-25", "donor=5", "identity=1", "blink"))


def test_a_failed_export_can_be_repeated(page):
    page.route("**/queue/join*", lambda route: route.fulfill(status=429, json={"detail": FULL}))
    with page.expect_response("**/queue/join*"):
        entry(page, "codes-json").click()
    page.get_by_text(FULL).first.wait_for()
    page.wait_for_selector("#export [aria-busy]", state="detached")
    page.unroute("**/queue/join*")
    assert saved(page, "codes-json")


def test_a_long_export_can_be_cancelled_and_followed_by_another(page):
    handed = []
    page.on("download", lambda one: handed.append(one.suggested_filename))
    entry(page, "turntable").click()
    # Cancel at the first message, since the export takes only a second or two; then request the next file at once.
    with page.expect_download() as download:
        page.evaluate("""() => new Promise((done) => {
          const progress = document.querySelector('#export .progress');
          new MutationObserver((_, watch) => {
            if (progress.hidden) {
              watch.disconnect();
              document.querySelector('#export [data-kind="codes-json"]').click();
              done();
            } else if (progress.innerText.includes('of 36 frames')) progress.querySelector('button').click();
          }).observe(progress, { attributes: true, childList: true, subtree: true });
        })""")
    assert handed == [download.value.suggested_filename] == ["codes.json"]
    page.wait_for_selector("#export .progress", state="hidden")
