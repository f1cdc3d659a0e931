"""Colour profiles, deep greys and transparency."""

import importlib.util
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.errors import ImageUnreadable
from core.faces.colour import MAX_PROFILE_BYTES
from core.faces.load_image import read_photo

_spec = importlib.util.spec_from_file_location("profiles", Path(__file__).with_name("profiles.py"))
profiles = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(profiles)

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3 = profiles.rgb_profile(profiles.DISPLAY_P3, profiles.SRGB_CURVE)
ADOBE = profiles.rgb_profile(profiles.ADOBE_RGB, (2.19921875,))
PROPHOTO = profiles.rgb_profile(profiles.PROPHOTO, (1.8,))
SKIN = (200, 140, 110)


def png(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def flat(colour, mode="RGB"):
    return Image.new(mode, (24, 20), colour)


def in_space(colour, profile):
    """The numbers of an sRGB colour in another space."""
    other = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.profileToProfile(flat(colour), ImageCms.createProfile("sRGB"), other)


@pytest.mark.parametrize("profile", [P3, ADOBE, PROPHOTO], ids=["Display P3", "Adobe RGB", "ProPhoto"])
@pytest.mark.parametrize("alpha", [False, True], ids=["opaque", "alpha"])
def test_an_embedded_profile_is_converted_to_srgb(profile, alpha):
    image = in_space(SKIN, profile)
    assert np.abs(np.asarray(image)[0, 0].astype(int) - SKIN).max() > 5
    if alpha:
        image.putalpha(255)
    assert np.abs(read_photo(png(image, icc_profile=profile)).astype(int) - SKIN).max() <= 2


def test_an_srgb_profile_changes_no_pixel():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    made = profiles.rgb_profile(((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)),
                                profiles.SRGB_CURVE)
    for profile in (SRGB, made):
        assert np.array_equal(read_photo(png(Image.fromarray(pixels), icc_profile=profile)), pixels)


def test_a_cmyk_photo_is_converted_by_its_profile():
    image = Image.merge("CMYK", [Image.new("L", (24, 20), value) for value in (0, 0, 0, 128)])
    file = io.BytesIO()
    image.save(file, "TIFF", icc_profile=profiles.cmyk_profile())
    assert np.abs(read_photo(file.getvalue()).astype(int) - 119).max() <= 3  # L* 50; without the profile 127


def test_a_grey_profile_is_converted():
    assert np.abs(read_photo(png(flat(128, "L"), icc_profile=profiles.grey_profile(1.8))).astype(int) - 147).max() <= 2


def test_a_grey_photo_with_a_colour_profile_is_converted():
    assert np.abs(read_photo(png(flat(128, "L"), icc_profile=PROPHOTO)).astype(int) - 147).max() <= 2


@pytest.mark.parametrize("profile", [
    b"x", bytes(200), P3[:200], P3[:-40], bytes(range(256)) * 4, P3[:16] + b"CMYK" + P3[20:],
    P3 + bytes(MAX_PROFILE_BYTES), profiles.rgb_profile(((0.0, 0.0, 0.0),) * 3, (1.0,)), profiles.grey_profile(2.2)],
    ids=["a byte", "zeros", "cut", "cut late", "noise", "for CMYK", "too large", "all black", "for grey"])
def test_a_profile_that_does_not_fit_is_ignored(profile):
    file = io.BytesIO()
    flat(SKIN).save(file, "TIFF", icc_profile=profile)
    assert (read_photo(file.getvalue()) == SKIN).all()


@pytest.mark.parametrize("brightest", [0x80FF, 0xFFFF])
def test_sixteen_bits_do_not_depend_on_the_brightest_pixel(brightest):
    grey = np.full((20, 20), 0x0800, np.uint16)
    grey[0, 0] = brightest
    assert read_photo(png(Image.fromarray(grey)))[5, 5].tolist() == [8, 8, 8]


def tiff(values, bits, photometric=1, sample_format=1):
    """An uncompressed grey TIFF of any depth, little endian."""
    height, width = values.shape
    if bits == 12:
        pairs = values.reshape(-1, 2).astype(int)
        data = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], 1)
        data = data.astype(np.uint8).tobytes()
    else:
        data = values.tobytes()
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8 + 2 + 12 * 10 + 4),
            (277, 1), (278, height), (279, len(data)), (339, sample_format)]
    entries = b"".join(struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


def test_twelve_bits_are_read_by_their_own_range():
    assert (read_photo(tiff(np.full((20, 20), 2056, np.uint16), 12)) == 128).all()


def test_sixteen_bits_with_white_at_zero():
    assert (read_photo(tiff(np.full((20, 20), 0xC000, np.uint16), 16, photometric=0)) == 64).all()


@pytest.mark.parametrize("value", [2.0, -1.0, np.nan])
def test_floats_outside_the_range_are_refused(value):
    grey = np.full((20, 20), 0.5, np.float32)
    assert (read_photo(tiff(grey, 32, sample_format=3)) == 128).all()
    grey[0, 0] = value
    with pytest.raises(ImageUnreadable, match="outside 0 to 1"):
        read_photo(tiff(grey, 32, sample_format=3))


def test_half_transparent_grey_lies_on_white():
    assert (read_photo(png(Image.merge("LA", (flat(0, "L"), flat(51, "L"))))) == 204).all()
