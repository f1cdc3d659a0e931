"""Read the images that the page shows, and make images to upload."""

import base64
import io

import numpy as np
from PIL import Image


def pixels(url: str) -> np.ndarray:
    """Decode a data URL."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1]))), float)


def source(page, selector: str) -> str:
    """Data URL of an image on the page."""
    return page.locator(selector).get_attribute("src")


def changed(page, selector: str, earlier: str) -> str:
    """Wait until an image changes, and return its data URL."""
    page.wait_for_function("([selector, earlier]) => document.querySelector(selector)?.src !== earlier",
                           arg=[selector, earlier])
    return source(page, selector)


def settled(page, selector: str, earlier: str) -> str:
    """Wait until a live render changes and is no draft, and return its data URL."""
    page.wait_for_function("""([selector, earlier]) => { const image = document.querySelector(selector);
        return image?.src !== earlier && image.naturalWidth === 512; }""", arg=[selector, earlier])
    return source(page, selector)


def shows(page, selector: str, expected: str) -> None:
    """Wait until an image is the expected one."""
    page.wait_for_function("([selector, expected]) => document.querySelector(selector)?.src === expected",
                           arg=[selector, expected])


def holds(page, selector: str, value: str) -> None:
    """Wait until a control has a value: it may come a moment after its render."""
    page.wait_for_function("([selector, value]) => document.querySelector(selector).value === value",
                           arg=[selector, value])


def as_jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()
