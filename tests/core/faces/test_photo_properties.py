"""Whatever the file: upright RGB, or a sentence."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import ImageTooLarge, ImageTooSmall, ImageUnreadable
from core.faces.load_image import read_photo

KINDS = {"JPEG": ("L", "RGB", "CMYK"), "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"), "WEBP": ("RGB", "RGBA"),
         "GIF": ("L", "P"), "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
         "BMP": ("1", "L", "RGB"), "TGA": ("L", "LA", "RGB", "RGBA"), "JPEG2000": ("L", "RGB", "RGBA"),
         "PPM": ("1", "L", "RGB")}
deterministic = settings(derandomize=True, deadline=None, database=None, max_examples=80)


@st.composite
def files(draw):
    """Bytes of an image of any kind, mode and size, with any profile and EXIF."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    mode = draw(st.sampled_from(KINDS[kind]))
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    values = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.fromarray(values).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    options = {}
    if kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        if draw(st.booleans()):
            options["icc_profile"] = draw(st.binary(min_size=1, max_size=200))
        if draw(st.booleans()) and kind != "TIFF":
            options["exif"] = b"Exif\0\0" + draw(st.sampled_from((b"", b"II*\0", b"MM\0*"))) + draw(
                st.binary(max_size=80))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def check(source):
    try:
        pixels = read_photo(source)
    except (ImageUnreadable, ImageTooSmall, ImageTooLarge) as error:
        assert len(str(error).split()) > 4 and str(error).endswith(".")
        return
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and min(pixels.shape[:2]) >= 16
    assert pixels.flags.c_contiguous


@pytest.mark.filterwarnings("ignore")
@deterministic
@given(files())
def test_an_image_is_read_or_refused(file):
    check(file)


@pytest.mark.filterwarnings("ignore")
@deterministic
@given(files(), st.data())
def test_a_damaged_file_is_read_or_refused(file, data):
    damaged = bytearray(file)
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    check(bytes(damaged[:data.draw(st.integers(0, len(damaged)))]))


@deterministic
@given(st.binary(max_size=600))
def test_any_bytes_are_refused(content):
    check(content)


@deterministic
@given(st.lists(st.integers(0, 40), min_size=1, max_size=4),
       st.sampled_from(["u1", "u2", "i2", "i4", "f2", "f4", "f8", "?", "c8"]))
def test_an_array_is_read_or_refused(shape, kind):
    check(np.zeros(shape, kind))
