"""Reading the pictures that the page shows, and making some to upload."""

import base64
import io

import numpy as np
from PIL import Image


def pixels(url: str) -> np.ndarray:
    """Decode a data address."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1]))), float)


def source(page, selector: str) -> str:
    """What a picture shows."""
    return page.locator(selector).get_attribute("src")


def changed(page, selector: str, earlier: str) -> str:
    """Wait until a picture shows something else, and return it."""
    page.wait_for_function("([selector, earlier]) => document.querySelector(selector)?.src !== earlier",
                           arg=[selector, earlier])
    return source(page, selector)


def settled(page, selector: str, earlier: str) -> str:
    """Wait until a live picture shows something else with all its pixels, and return it."""
    page.wait_for_function("""([selector, earlier]) => { const picture = document.querySelector(selector);
        return picture?.src !== earlier && picture.naturalWidth === 512; }""", arg=[selector, earlier])
    return source(page, selector)


def holds(page, selector: str, value: str) -> None:
    """Wait until a control has a value: it may come a moment after the picture it belongs to."""
    page.wait_for_function("([selector, value]) => document.querySelector(selector).value === value",
                           arg=[selector, value])


def as_jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()
