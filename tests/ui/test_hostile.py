"""Hostile files and requests: each is answered with a message or accepted as a photo, and the app keeps running."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.hostile import INPUTS, answer
from benchmarks.visitors import Visitor

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("name", INPUTS)
def test_hostile_input_is_answered(name, app_url):
    async def ask() -> tuple[str, str]:
        async with Visitor.at(app_url) as (visitor,):
            return await answer(visitor, INPUTS[name])

    # In a thread of its own: the browser of other tests keeps this one's event loop busy.
    with ThreadPoolExecutor(1) as pool:
        kind, message = pool.submit(asyncio.run, ask()).result()
    assert kind == INPUTS[name].expected, message
    assert not any(trace in message for trace in ("Traceback", "site-packages", "latentface-"))
