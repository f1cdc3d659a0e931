"""Hostile files and wishes: each is answered with a sentence or taken as a picture, and the app lives on."""

import asyncio

import pytest

from benchmarks.hostile import INPUTS, answer
from benchmarks.visitors import Visitor

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("name", INPUTS)
def test_hostile_input_is_answered(name, app_url):
    async def ask() -> tuple[str, str]:
        async with Visitor.at(app_url) as (visitor,):
            return await answer(visitor, INPUTS[name])

    kind, words = asyncio.run(ask())
    assert kind == INPUTS[name].expected, words
    assert not any(trace in words for trace in ("Traceback", "site-packages", "latentface-"))
