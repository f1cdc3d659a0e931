"""Photos of kinds that browsers cannot show are chosen and dropped like any other."""

import base64
import io

import pillow_heif
import pytest
from PIL import Image

from tests.ui.conftest import EXAMPLES
from tests.ui.images import changed, settled, source

pytestmark = pytest.mark.timeout(300)
ALBEDO = "#equation .albedo img"
DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0)), transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  document.querySelector('#photo-input .upload-container').dispatchEvent(
    new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""


def photo(number: int, kind: str) -> bytes:
    """An example as a file of another kind."""
    image, file = Image.open(sorted(EXAMPLES.glob("*.jpg"))[number]), io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(image).save(file)
    else:
        image.save(file, kind)
    return file.getvalue()


def test_photos_without_an_image_type_are_taken(open_page, tmp_path):
    with open_page() as page:
        shown = source(page, ALBEDO)
        for number, (name, kind) in enumerate({"a.heic": "HEIF", "b.TGA": "TGA", "c.jp2": "JPEG2000"}.items(), 1):
            (tmp_path / name).write_bytes(photo(number, kind))
            page.locator("#photo-input input[type=file]").set_input_files(tmp_path / name)  # the browser finds the type
            shown = changed(page, ALBEDO, shown)
        page.evaluate(DROP, ["d.heif", base64.b64encode(photo(4, "HEIF")).decode()])
        changed(page, ALBEDO, shown)
        expression = settled(page, "#render .live", "")
        (tmp_path / "e.heic").write_bytes(photo(5, "HEIF"))
        page.locator("#expression-controls input[type=file]").set_input_files(tmp_path / "e.heic")
        changed(page, "#render .live", expression)


def test_the_file_dialog_shows_them(open_page):
    with open_page() as page:
        with page.expect_file_chooser():
            page.locator("#photo-input button.upload-container").click()
        assert ".heic" in page.locator("#photo-input input[type=file]").get_attribute("accept")
