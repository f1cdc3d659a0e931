"""What the app answers to files and requests that are broken, enormous or malicious.

    python -m benchmarks.hostile

Starts the app, sends each of `INPUTS` to where visitors and programs reach it, and prints each answer: the photo was
accepted, or a message.
"""

from __future__ import annotations

import asyncio
import base64
import pickle
import struct
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.hostile_files import (
    Harm,
    animated,
    arrays,
    bomb_in_text,
    cut,
    encoded,
    endless_exif,
    exif,
    foreign_tensors,
    jpeg_of_size,
    npy,
    pdf_with_jpeg,
    photo,
    png,
    png_checksum,
    session,
    with_photo,
    zip_bomb,
)
from benchmarks.hostile_photos import (
    BLANK,
    LAB,
    SRGB,
    clear,
    film,
    gray,
    heic,
    jpeg_2000_of_size,
    jpeg_of_noise,
    pages,
    raw,
    tga_of_noise,
    tiff,
    tiff_of_size,
)
from benchmarks.hostile_ways import (
    bare,
    call,
    camera,
    donor,
    event,
    fetch,
    folder,
    grid,
    inspect,
    link,
    opened,
    page,
    post,
)
from benchmarks.visitors import EXAMPLES, ROOT, UPLOADED, Refused, Visitor, running_app

SCRIPT = "<script>alert(1)</script>"
HTML_NAME = "<img src=x onerror=alert(1)>.jpg"
ACCEPTED, MESSAGE = "accepted", "a message"
"""Kinds of answers: the photo is shown like any other, or a message says what is wrong."""


@dataclass(frozen=True)
class Input:
    """One hostile input."""

    ask: Callable[[Visitor], Awaitable[None]]
    expected: str = MESSAGE


OUTSIDE = "http://192.0.2.1/photo.jpg"
"""A URL that belongs to nobody (RFC 5737)."""
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99">{SCRIPT}</svg>'.encode()
ENTITY = b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'
GIF_SCRIPT = b"GIF89a/*" + b"\x28\x00" + b"\x00\x00\x00*/=1;alert(1)//" + bytes(20)
BITMAP = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, -2**31, 2**31 - 1, 1, 24, 0, 0, 0, 0, 0, 0)
FLAT = Image.new("RGB", (64, 64))

INPUTS: dict[str, Input] = {
    # Files that are no images.
    "nothing": Input(inspect(lambda: b"")),
    "one byte": Input(inspect(lambda: b"\xff")),
    "noise named .jpg": Input(inspect(lambda: np.random.default_rng(0).bytes(4000))),
    "a web page named .jpg": Input(inspect(lambda: f"<html>{SCRIPT}</html>".encode())),
    "a drawing with a script": Input(inspect(lambda: SVG, "photo.svg")),
    "a drawing that reads files": Input(inspect(lambda: ENTITY, "photo.svg")),
    "PostScript named .jpg": Input(inspect(lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run")),
    "a pickle named .jpg": Input(inspect(lambda: pickle.dumps(Harm()))),
    "an array of NaN": Input(inspect(lambda: npy(np.full((64, 64, 3), np.nan)), "photo.npy")),
    "an archive of objects": Input(inspect(lambda: arrays(photo=np.array([Harm()], object)), "photo.npz")),
    "a zip bomb": Input(inspect(zip_bomb, "photo.zip")),
    "a video named .jpg": Input(inspect(lambda: b"\0\0\0\x20ftypisom\0\0\2\0isomiso2" + bytes(999))),
    "a Photoshop document": Input(inspect(lambda: b"8BPS\0\1" + bytes(999), "photo.psd")),
    "a camera's raw file": Input(inspect(raw, "photo.dng")),
    # Damaged images.
    "half a JPEG": Input(inspect(lambda: cut(encoded(photo())))),
    "half a PNG": Input(inspect(lambda: cut(encoded(photo(), "PNG")))),
    "half a WebP": Input(inspect(lambda: cut(encoded(photo(), "WEBP")))),
    "a PNG with a wrong byte": Input(inspect(png_checksum)),
    "a PNG without pixels": Input(inspect(lambda: png(64, 64))),
    "a GIF that is a script": Input(inspect(lambda: GIF_SCRIPT, "photo.gif")),
    "a PDF around a JPEG": Input(inspect(pdf_with_jpeg)),
    "a JPEG without its last bytes": Input(inspect(lambda: encoded(photo())[:-2]), ACCEPTED),
    "a JPEG of noise": Input(inspect(jpeg_of_noise)),
    "half a HEIC": Input(inspect(lambda: cut(heic()), "photo.heic")),
    "half a JPEG 2000": Input(inspect(lambda: cut(encoded(photo(), "JPEG2000")), "photo.jp2")),
    "half a TGA": Input(inspect(lambda: cut(encoded(photo(), "TGA")), "photo.tga")),
    "a TGA of noise": Input(inspect(tga_of_noise, "photo.tga")),
    # Enormous, or too small.
    "49 megapixels in 1 kB": Input(inspect(lambda: encoded(Image.new("1", (7000, 7000)), "PNG"))),
    "PNG header of 2³¹ × 2³¹": Input(inspect(lambda: png(2**31 - 1, 2**31 - 1))),
    "JPEG header of 65,000 × 65,000": Input(inspect(lambda: jpeg_of_size(65000, 65000))),
    "GIF header of 65,535 × 65,535": Input(inspect(lambda: b"GIF89a" + b"\xff" * 4 + bytes(40))),
    "BMP header of -2³¹ × 2³¹": Input(inspect(lambda: BITMAP)),
    "JPEG 2000 header of 2³¹ × 2³¹": Input(inspect(lambda: jpeg_2000_of_size(2**31 - 1), "photo.j2k")),
    "TIFF header of 65,535 × 65,535": Input(inspect(lambda: tiff_of_size(65535), "photo.tif")),
    "20 MB of text in a PNG": Input(inspect(bomb_in_text)),
    "21 MB": Input(inspect(lambda: bytes(21 * 2**20))),
    "1 × 1": Input(inspect(lambda: encoded(Image.new("RGB", (1, 1)), "PNG"))),
    "1 × 10,000": Input(inspect(lambda: encoded(Image.new("RGB", (1, 10000)), "PNG"))),
    "10,000 × 40": Input(inspect(lambda: encoded(Image.new("RGB", (10000, 40)), "PNG"))),
    # Unusual images.
    "16 bit": Input(inspect(lambda: encoded(Image.fromarray(np.asarray(photo().convert("L"), np.uint16) * 257), "PNG")),
                    ACCEPTED),
    "CMYK": Input(inspect(lambda: encoded(photo().convert("CMYK"))), ACCEPTED),
    "a palette with transparency": Input(inspect(lambda: encoded(photo().quantize(32), "PNG", transparency=0)),
                                         ACCEPTED),
    "an animated GIF": Input(inspect(lambda: animated("GIF")), ACCEPTED),
    "an animated WebP": Input(inspect(lambda: animated("WEBP")), ACCEPTED),
    "floats with NaN": Input(inspect(lambda: encoded(Image.fromarray(np.full((64, 64), np.nan, np.float32)), "TIFF"))),
    "negative numbers": Input(inspect(lambda: encoded(Image.fromarray(np.full((64, 64), -9, np.int32)), "TIFF"))),
    "floats": Input(inspect(lambda: encoded(Image.fromarray(gray()), "TIFF")), ACCEPTED),
    "16 bit, white at zero": Input(inspect(lambda: tiff(((1 - gray()) * 65535).astype(np.uint16), 16, 0)), ACCEPTED),
    "12 bit": Input(inspect(lambda: tiff((gray() * 4095).astype(np.uint16), 12)), ACCEPTED),
    "a page that follows itself": Input(inspect(lambda: tiff((gray() * 65535).astype(np.uint16), 16, 1, 8)), ACCEPTED),
    "a thumbnail as first page": Input(inspect(lambda: pages(FLAT, photo()), "photo.tif"), ACCEPTED),
    "200 pages": Input(inspect(lambda: pages(photo(), *[FLAT] * 199), "photo.tif"), ACCEPTED),
    "HEIC": Input(inspect(heic, "photo.heic"), ACCEPTED),
    "MPO of two photos": Input(inspect(lambda: film(photo(), BLANK, kind="MPO")), ACCEPTED),
    "JPEG 2000": Input(inspect(lambda: encoded(photo(), "JPEG2000"), "photo.jp2"), ACCEPTED),
    "TGA": Input(inspect(lambda: encoded(photo(), "TGA", compression="tga_rle"), "photo.tga"), ACCEPTED),
    "an animation that begins blank": Input(inspect(lambda: film(BLANK, BLANK, photo())), ACCEPTED),
    "an animation of blank frames": Input(inspect(lambda: film(BLANK, FLAT.resize(BLANK.size)))),
    "transparent everywhere": Input(inspect(lambda: encoded(clear(), "PNG"))),
    "turned by its EXIF": Input(inspect(lambda: exif(6)), ACCEPTED),
    "turned to 77 by its EXIF": Input(inspect(lambda: exif(77)), ACCEPTED),
    "EXIF of noise": Input(inspect(lambda: encoded(photo(), exif=b"Exif\x00\x00" + bytes(range(256)))), ACCEPTED),
    "EXIF without end": Input(inspect(endless_exif), ACCEPTED),
    "a color profile of noise": Input(inspect(lambda: encoded(photo(), icc_profile=bytes(range(256)))), ACCEPTED),
    "half a color profile": Input(inspect(lambda: encoded(photo(), icc_profile=SRGB[:200])), ACCEPTED),
    "a color profile of 5 MB": Input(inspect(lambda: encoded(photo(), icc_profile=SRGB + bytes(5 * 2**20))), ACCEPTED),
    "a color profile for Lab": Input(inspect(lambda: encoded(photo(), icc_profile=LAB)), ACCEPTED),
    "a script as comment": Input(inspect(lambda: encoded(photo(), comment=SCRIPT.encode())), ACCEPTED),
    "a zip behind a JPEG": Input(inspect(lambda: encoded(photo()) + zip_bomb()), ACCEPTED),
    # Names.
    "PNG named .exe": Input(inspect(lambda: encoded(photo(), "PNG"), "photo.exe"), ACCEPTED),
    "../../ in its name": Input(inspect(lambda: encoded(photo()), "../../../../etc/passwd"), ACCEPTED),
    "HTML in its name": Input(inspect(lambda: encoded(photo()), HTML_NAME), ACCEPTED),
    "HTML in the name of no photo": Input(inspect(lambda: b"no photo", HTML_NAME)),
    "5,000 letters in its name": Input(inspect(lambda: encoded(photo()), "a" * 5000 + ".jpg")),
    "named ..": Input(inspect(lambda: encoded(photo()), "..")),
    "a line break and a quote in its name": Input(inspect(lambda: encoded(photo()), 'a"\r\nX-Header: 1.jpg'), ACCEPTED),
    "control characters in its name": Input(inspect(lambda: encoded(photo()), "\x1b[31m\x07.jpg"), ACCEPTED),
    "written from right to left": Input(inspect(lambda: encoded(photo()), "photo\u202egpj.exe"), ACCEPTED),
    # Other ways in.
    "a bomb as donor": Input(donor(lambda: png(60000, 60000))),
    "no face as donor": Input(donor(lambda: encoded(FLAT))),
    "noise for the grid": Input(grid(lambda: b"\xff\xd8" * 99)),
    "bombs for the map": Input(folder(lambda: png(60000, 60000), "a.png")),
    "no photos for the map, HTML in their names": Input(folder(lambda: b"no photo", f"../{HTML_NAME}")),
    "a text from the camera": Input(camera("data:image/jpeg;base64,%%%")),
    "a bomb from the camera": Input(camera(f"data:,{base64.b64encode(png(60000, 60000)).decode()}")),
    "a number from the camera": Input(camera(7)),
    # Session files.
    "a photo as session": Input(opened(lambda _: encoded(photo()))),
    "session with an endless header": Input(opened(lambda _: b"\xff" * 8 + b"{")),
    "pickled objects as session": Input(opened(lambda _: arrays(photo=np.array([Harm()], object)))),
    "somebody else's tensors": Input(opened(foreign_tensors)),
    "half a session": Input(opened(cut)),
    "NaN in a session": Input(opened(session(lambda arrays, about: arrays["image0"].fill_(float("nan"))))),
    "infinite landmarks in a session": Input(opened(session(lambda arrays, about: arrays["landmarks0"].fill_(
        float("inf"))))),
    "another type in a session": Input(opened(session(lambda arrays, about: arrays.update(
        image0=arrays["image0"].half())))),
    "another shape in a session": Input(opened(session(lambda arrays, about: arrays.update(
        full0=arrays["full0"].flatten())))),
    "a bomb in a session": Input(opened(with_photo(png(60000, 60000)))),
    "a drawing in a session": Input(opened(with_photo(SVG))),
    "2,000 faces in a session": Input(opened(session(lambda arrays, about: about.update(
        faces=about["faces"] * 2000)))),
    "no faces in a session": Input(opened(session(lambda arrays, about: about.update(faces=[])))),
    "face -1 of a session": Input(opened(session(lambda arrays, about: about.update(index=-1)))),
    "texts as a session's crop": Input(opened(session(lambda arrays, about: about["faces"][0].update(
        crop=[SCRIPT] * 4)))),
    "a list as a session's settings": Input(opened(session(lambda arrays, about: about.update(settings=[1])))),
    "an empty donor in a session": Input(opened(session(lambda arrays, about: about.update(donor={})))),
    "HTML and infinity in a session's settings": Input(opened(session(lambda arrays, about: about.update(
        settings={"yaw": float("inf"), "detail": SCRIPT, "background": [SCRIPT]}))), ACCEPTED),
    # Requests of programs.
    "a yaw of NaN": Input(call("render", yaw=float("nan"))),
    "a yaw of 10³⁰⁸": Input(call("render", yaw=1e308)),
    "a yaw of 400 digits": Input(call("render", yaw=10**400)),
    "a yaw of letters": Input(call("render", yaw=SCRIPT)),
    "a background of lists": Input(call("render", background=[[]])),
    "a size of 10⁹": Input(call("frontalize", size=10**9)),
    "a size of -1": Input(call("frontalize", size=-1)),
    "a size of 64.5": Input(call("frontalize", size=64.5)),
    "face 10¹⁸": Input(call("analyze", face=10**18)),
    "face -1": Input(call("analyze", face=-1)),
    "a path as kind": Input(call("export", kind="../../etc/passwd")),
    "a list as kind": Input(call("export", kind=["glb"])),
    "a count of infinity": Input(call("nearest", count=float("inf"))),
    "a strength of NaN": Input(call("swap", depth=float("nan"))),
    "a seed of NaN": Input(call("swap", seed=float("nan"))),
    "a stamp of 1": Input(call("render", stamp=1)),
    "a detail that there is not": Input(call("render", detail="bogus")),
    "light from 10⁹ degrees": Input(call("render", light_from_right=1e9)),
    "face true": Input(call("analyze", face=True)),
    "face null": Input(call("analyze", face=None)),
    "a donor's face that there is not": Input(call("swap", donor_face=9)),
    "null as photo": Input(call("analyze", photo=None)),
    "a zero byte in the path of a photo": Input(call("analyze", photo={"path": "a\0b", **UPLOADED})),
    "a list as photo": Input(call("analyze", photo=[[[[[]]]]])),
    "a path as photo": Input(call("analyze", photo={"path": str(EXAMPLES[0]), **UPLOADED})),
    "a relative path as photo": Input(call("analyze", photo={"path": "../../../../etc/passwd", **UPLOADED})),
    "an address as photo": Input(call("analyze", photo={"path": OUTSIDE, **UPLOADED})),
    "an address as donor": Input(call("swap", donor={"path": OUTSIDE, "url": OUTSIDE, **UPLOADED})),
    # Links.
    "NaN and infinity in a link": Input(link(yaw="nan", pitch="inf", ambient="-1e999"), ACCEPTED),
    "HTML in a link": Input(link(detail=SCRIPT, background=SCRIPT, donor=SCRIPT, depth=SCRIPT), ACCEPTED),
    "example 10⁹ of a link": Input(link(example="1" + "0" * 9, donor="-1"), ACCEPTED),
    "10,000 digits in a link": Input(link(yaw="9" * 10_000), ACCEPTED),
    # Requests that the page never sends.
    "a path instead of a file": Input(page(str(EXAMPLES[0]))),
    "an address instead of a file": Input(page(OUTSIDE)),
    "the address of a file on the server": Input(fetch("/etc/passwd")),
    "the address of another server": Input(fetch(OUTSIDE)),
    "the address of the app's code": Input(fetch(str(ROOT / "app.py"))),
    "names of edits in a link": Input(link(edits=f"{SCRIPT}:1,smile:1e999,:::", identity=SCRIPT), ACCEPTED),
    "example 10⁹": Input(event("open_example", index=10**9)),
    "an example without a number": Input(event("open_example")),
    "face 10⁹ of the page": Input(event("choose_face", index=10**9)),
    "controls at NaN": Input(bare("redraw", *[None] * 6, *[float("nan")] * 7, "Photo", "Photo", {}, {}, True,
                                         0.5, "Own", 1, 1, 0)),
    "controls of letters": Input(bare("redraw", *[None] * 6, *[SCRIPT] * 17)),
    "too few values": Input(bare("redraw")),
    "an unknown handler": Input(post(b'{"fn_index": 99999, "data": [], "session_hash": "x"}')),
    "no JSON": Input(post(b"{" * 9)),
    "an upload of text": Input(post(b"text", "/gradio_api/upload", "text/plain")),
}


async def answer(visitor: Visitor, hostile: Input) -> tuple[str, str]:
    """Kind of the answer, and its message; another kind where the answer is neither."""
    try:
        await hostile.ask(visitor)
    except Refused as refused:
        message = str(refused)
        return MESSAGE if len(message.split()) > 2 else "no readable message", message
    return (MESSAGE, " ".join(visitor.messages)) if visitor.messages else (ACCEPTED, "")


async def table(url: str) -> None:
    """Print the answer to each input."""
    wrong = 0
    for name, hostile in INPUTS.items():
        async with Visitor.at(url) as (visitor,):
            kind, message = await answer(visitor, hostile)
        wrong += kind != hostile.expected
        print(f"{name:44} {kind if kind == hostile.expected else kind.upper():12} {message}", flush=True)
    print(f"{len(INPUTS)} inputs, {wrong} answered otherwise than expected")


def main() -> None:
    """Command line."""
    with tempfile.TemporaryDirectory() as work, running_app(Path(work) / "log.txt") as app:
        asyncio.run(table(app.url))


if __name__ == "__main__":
    main()
