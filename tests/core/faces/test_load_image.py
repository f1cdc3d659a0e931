"""Reading photos: every kind that must work, and every bad one with its error."""

import io

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF", "TIFF", "PPM", "JPEG2000", "TGA"])
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


@pytest.mark.parametrize("orientation, corner", list(enumerate(
    [(0, 0), (0, -1), (-1, -1), (-1, 0), (0, 0), (0, -1), (-1, -1), (-1, 0)], 1)))
@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_exif_orientation_is_applied(orientation, corner, kind):
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:16, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = read_photo(encoded(Image.fromarray(pixels), kind, exif=exif))
    assert shown.shape == ((32, 48, 3) if orientation < 5 else (48, 32, 3))
    assert shown[corner].min() > 200 and sum(shown[y, x].min() > 200 for y in (0, -1) for x in (0, -1)) == 1


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(range(256))])
def test_damaged_exif_is_ignored(photo, exif):
    assert read_photo(encoded(photo, "JPEG", exif=exif)).shape == (32, 48, 3)


def test_heic_is_read(photo):
    from pillow_heif import from_pillow

    file = io.BytesIO()
    from_pillow(photo).save(file)
    pixels = read_photo(file.getvalue())
    assert pixels.shape == (32, 48, 3) and np.abs(pixels[16, 8].astype(int) - (200, 0, 0)).max() < 40
    with pytest.raises(ImageUnreadable):
        read_photo(file.getvalue()[:-200])


@pytest.mark.parametrize("sizes, largest", [((16, 64, 32), 64), ((64, 16), 64)])
def test_the_largest_page_is_read(sizes, largest):
    pages = [Image.new("RGB", (size, size)) for size in sizes]
    file = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert read_photo(file).shape == (largest, largest, 3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_the_first_frame_that_is_not_blank_is_read(photo, kind):
    blank = Image.new("RGB", photo.size, "white")
    file = encoded(blank, kind, save_all=True, append_images=[photo, photo.rotate(180)], duration=100)
    assert np.abs(read_photo(file)[16, 8].astype(int) - (200, 0, 0)).max() < 40
    assert read_photo(encoded(blank, kind, save_all=True, append_images=[Image.new("RGB", photo.size, "red")],
                              duration=100)).min() > 250


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_hardly_anything_is_read(progressive):
    noise = np.random.default_rng(0).integers(0, 256, (400, 64, 3), np.uint8)
    file = encoded(Image.fromarray(noise), "JPEG", progressive=progressive)
    whole = read_photo(file)
    assert np.array_equal(read_photo(file[:-2]), whole)
    with pytest.raises(ImageUnreadable, match="missing"):
        read_photo(file[: len(file) * 9 // 10])
    if not progressive:
        cut = read_photo(file[: len(file) * 98 // 100])
        assert np.array_equal(cut[:370], whole[:370]) and not np.array_equal(cut, whole)


@pytest.mark.parametrize("head, sentence", [
    (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "raw file"), (b"FUJIFILMCCD-RAW 0201", "raw file"),
    (b"8BPS\0\1", "Photoshop"),
    (b"%PDF-1.7", "PDF"), (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "video.*one of its frames"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"), (b"PK\3\4\x14\0", "archive"), (b"v/1\1\2\0\0\0", "dynamic range"),
    (b"<!DOCTYPE html><p>", "web page"), ("Grüße".encode(), "text file"), (bytes(128) + b"DICM\2\0", "DICOM")])
def test_foreign_files_are_refused_by_name(head, sentence):
    with pytest.raises(ImageUnreadable, match=sentence):
        read_photo(head + (b"" if b"<" in head or not head.isascii() and head.startswith(b"Gr") else bytes(99)))


def test_a_raw_file_is_not_read_by_its_thumbnail(photo):
    for tags in ({50706: b"\1\4\0\0"}, {271: "A camera", 330: 8, 254: 1}):
        info = TiffImagePlugin.ImageFileDirectory_v2()
        for tag, value in tags.items():
            info[tag] = value
        with pytest.raises(ImageUnreadable, match="raw file"):
            read_photo(encoded(photo, "TIFF", tiffinfo=info))


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
