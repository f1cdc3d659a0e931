"""Reading photos: every kind that must work, and every bad one with its error."""

import io

import numpy as np
import pytest
from PIL import Image

from core.errors import ImageTooLarge, ImageTooSmall, ImageUnreadable
from core.faces.load_image import MAX_BYTES, read_photo


@pytest.fixture
def photo():
    """48 × 32 pixels, red at the left, blue at the right."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, :24, 0] = pixels[:, 24:, 2] = 200
    return Image.fromarray(pixels)


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF", "TIFF", "PPM"])
def test_common_formats_from_bytes(photo, kind):
    pixels = read_photo(encoded(photo, kind))
    assert pixels.shape == (32, 48, 3) and pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    assert np.abs(pixels[16, 8].astype(int) - (200, 0, 0)).max() < 40


def test_path_pil_and_array_agree(photo, tmp_path):
    path = tmp_path / "photo.png"
    photo.save(path)
    expected = np.asarray(photo)
    for source in (path, str(path), path.read_bytes(), photo, expected):
        assert np.array_equal(read_photo(source), expected)


def test_exif_orientation_is_applied(photo):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by 90°: the left side comes to the top
    pixels = read_photo(encoded(photo, "PNG", exif=exif))
    assert pixels.shape == (48, 32, 3)
    assert pixels[8, 16].tolist() == [200, 0, 0] and pixels[40, 16].tolist() == [0, 0, 200]


def test_transparency_becomes_white(photo):
    clear = photo.copy()
    clear.putalpha(0)
    for image in (clear, clear.convert("LA"), clear.quantize(8)):
        assert (read_photo(encoded(image, "PNG")) == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV"])
def test_other_modes_become_rgb(photo, mode):
    assert read_photo(photo.convert(mode)).shape == (32, 48, 3)


def test_sixteen_bits_keep_their_grey():
    grey = np.full((20, 20), 0x8000, np.uint16)
    assert (read_photo(encoded(Image.fromarray(grey), "PNG")) == 128).all()
    assert (read_photo(grey) == 128).all()


def test_arrays_of_other_kinds():
    for array in (np.full((20, 24), 0.5), np.full((20, 24, 1), 0.5, np.float32), np.full((20, 24, 3), 128, np.uint8),
                  np.dstack([np.zeros((20, 24, 3)), np.full((20, 24), 127 / 255)])):
        assert (read_photo(array) == 128).all()
    assert (read_photo(np.ones((20, 24), bool)) == 255).all()


@pytest.mark.parametrize("array", [np.zeros((20, 20, 2)), np.zeros(400), np.full((20, 20), np.nan),
                                   np.full((20, 20, 3), 128.0), np.zeros((20, 20), complex)])
def test_impossible_arrays(array):
    with pytest.raises(ImageUnreadable):
        read_photo(array)


def test_damaged_and_foreign_files(photo, tmp_path):
    jpeg = encoded(photo.resize((400, 400)), "JPEG")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>'
    for data in (jpeg[: len(jpeg) // 2], b"", b"hello, I am no photo", svg, encoded(photo, "PDF")):
        with pytest.raises(ImageUnreadable):
            read_photo(data)
    for path in (tmp_path / "missing.jpg", tmp_path):
        with pytest.raises(ImageUnreadable):
            read_photo(path)
    with pytest.raises(ImageUnreadable):
        read_photo(None)


def test_svg_is_named():
    with pytest.raises(ImageUnreadable, match="SVG"):
        read_photo(b'<?xml version="1.0"?><svg/>')


def test_too_many_bytes_are_not_read():
    with pytest.raises(ImageTooLarge, match="20 MB"):
        read_photo(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize("side", [6400, 20000])
def test_too_many_pixels_are_not_decoded(side, monkeypatch):
    bomb = encoded(Image.new("1", (side, side)), "PNG")
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageTooLarge, match="40 megapixels"):
        read_photo(bomb)


@pytest.mark.parametrize("size", [(15, 200), (200, 15), (1, 1)])
def test_too_small(size):
    with pytest.raises(ImageTooSmall):
        read_photo(Image.new("RGB", size))
    with pytest.raises(ImageTooSmall):
        read_photo(np.zeros((*size, 3), np.uint8))
