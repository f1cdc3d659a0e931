"""Where hostile inputs are sent: each function returns one that takes a visitor and sends an input that way."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.hostile_files import encoded, photo
from benchmarks.visitors import UPLOADED, Refused, Visitor, message_of


def inspect(make: Callable[[], bytes], name: str = "photo.jpg"):
    """As the photo of the page."""
    async def ask(visitor: Visitor) -> None:
        await visitor.ask("open_photo", await visitor.upload(name, make()))

    return ask


def donor(make: Callable[[], bytes]):
    """As the expression source."""
    async def ask(visitor: Visitor) -> None:
        await visitor.ask("open_donor", await visitor.upload("donor.jpg", make()))

    return ask


def grid(make: Callable[[], bytes]):
    """As faces of the grid."""
    async def ask(visitor: Visitor) -> None:
        await visitor.ask("add_photos", [await visitor.upload("face.jpg", make()) for _ in range(2)], None, None)

    return ask


def folder(make: Callable[[], bytes], name: str):
    """As photos of a map."""
    async def ask(visitor: Visitor) -> None:
        files = [await visitor.upload(name, bytes([number]) + make()[1:]) for number in range(3)]
        await visitor.ask("wait", files)
        await visitor.ask("map_folder", None, None)

    return ask


def opened(make: Callable[[bytes], bytes]):
    """As a session file."""
    async def ask(visitor: Visitor) -> None:
        await visitor.ask("open_session", await visitor.upload("mine.latentface", make(await exported(visitor))))

    return ask


def camera(frame: object):
    """As a camera frame."""
    async def ask(visitor: Visitor) -> None:
        await visitor.ask("show_frame", event={"frame": frame, "number": 1})

    return ask


def event(name: str, **data):
    """As an event on the page."""
    async def ask(visitor: Visitor) -> None:
        await visitor.ask("open_first")
        await visitor.ask(name, *[None] * len(visitor.handlers[name]["inputs"]), event=data)

    return ask


def page(path: object):
    """As a photo that the page names instead of uploading it."""
    async def ask(visitor: Visitor) -> None:
        await visitor.ask("open_photo", {"path": path, **UPLOADED})

    return ask


def call(endpoint: str, **arguments):
    """To an endpoint, with a valid photo unless one is given."""
    async def ask(visitor: Visitor) -> None:
        sent = await visitor.upload("photo.jpg", encoded(photo()))
        described = (await visitor.client.get("/gradio_api/info")).json()["named_endpoints"][f"/{endpoint}"]
        given = {"photo": sent, "donor": sent, **arguments}
        await visitor.ask(endpoint, *(given.get(one["parameter_name"], one.get("parameter_default"))
                                      for one in described["parameters"]))

    return ask


def bare(name: str, *values):
    """As values that the page never sends."""
    async def ask(visitor: Visitor) -> None:
        await visitor.ask("open_first")
        await visitor.ask(name, *values)

    return ask


def link(**parameters: str):
    """As values in the page's URL."""
    async def ask(visitor: Visitor) -> None:
        visitor.client.params = parameters
        await visitor.ask("open_first")

    return ask


def fetch(path: str):
    """As the URL of a file."""
    async def ask(visitor: Visitor) -> None:
        answer = await visitor.client.get(f"/gradio_api/file={path}")
        if answer.status_code != 200:
            raise Refused(message_of(answer))

    return ask


def post(content: bytes, path: str = "/gradio_api/queue/join", kind: str = "application/json"):
    """As a bare request."""
    async def ask(visitor: Visitor) -> None:
        answer = await visitor.client.post(path, content=content, headers={"content-type": kind})
        if answer.status_code != 200:
            raise Refused(message_of(answer))

    return ask


async def exported(visitor: Visitor) -> bytes:
    """A session file that the app wrote."""
    if visitor.url not in _exported:
        sent = await visitor.upload("photo.jpg", encoded(photo()))
        file = (await visitor.ask("export", sent, "session", True, 1))["data"][0]
        _exported[visitor.url] = (await visitor.client.get(f"/gradio_api/file={file['path']}")).content
    return _exported[visitor.url]


_exported: dict[str, bytes] = {}
