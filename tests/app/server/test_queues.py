"""Visitors take turns, and nobody asks for too much."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from fastapi import HTTPException
from gradio.queueing import EventQueue

from app.server.queues import ENOUGH, FULL, MOST, OWN, PATIENCE, QUEUES, FairQueue, in_turns

PERSON = SimpleNamespace(client=SimpleNamespace(host="192.0.2.1"))


def wish(session: str | None, number: int) -> SimpleNamespace:
    """Something that waits; what names no session gets its own number for one."""
    return SimpleNamespace(session_hash=session or str(number), _id=str(number), request=PERSON)


def test_nobody_waits_behind_all_that_another_visitor_asked_for_before():
    waiting = [wish("greedy", number) for number in range(30)] + [wish("modest", 30), wish("modest", 31)]
    assert [one.session_hash for one in in_turns(waiting)][:5] == ["greedy", "modest", "greedy", "modest", "greedy"]
    assert [int(one._id) for one in in_turns(waiting) if one.session_hash == "greedy"] == list(range(30))


def test_programs_without_a_session_are_told_apart_by_their_address():
    waiting = [wish(None, number) for number in range(3)] + [wish("modest", 3)]
    assert [one._id for one in in_turns(waiting)] == ["0", "3", "1", "2"]


def fair_queue() -> FairQueue:
    return FairQueue(live_updates=True, concurrency_count=1, update_intervals=1, max_size=None, blocks=None)


def test_messages_of_a_page_may_be_thrown_away_twice():
    messages = fair_queue().pending_messages_per_session
    messages["page"] = []
    del messages["page"]
    del messages["page"]
    assert "page" not in messages


@pytest.mark.parametrize(("waiting", "words"), [
    ([wish("greedy", number) for number in range(OWN)], ENOUGH),
    ([wish(str(number % 20), number) for number in range(MOST)], FULL),
])
def test_who_asks_for_too_much_is_told_to_wait(waiting, words):
    queue = fair_queue()
    queue.event_queue_per_concurrency_id["photo"] = EventQueue("photo", 2)
    queue.event_queue_per_concurrency_id["photo"].queue += waiting
    body = SimpleNamespace(session_hash="greedy", fn_index=0)
    with pytest.raises(HTTPException, match=words) as refusal:
        asyncio.run(queue.push(body, PERSON, None))
    assert refusal.value.status_code == 429


def test_the_most_urgent_is_begun_first_but_nothing_waits_for_ever():
    queue = fair_queue()

    def asked(name: str, count: int, seconds_ago: float = 0) -> None:
        one = queue.event_queue_per_concurrency_id.setdefault(name, EventQueue(name, 1))
        one.queue += [SimpleNamespace(enqueue_time=time.monotonic() - seconds_ago) for _ in range(count)]

    def begun() -> list[str]:
        """Queues of all that is begun until nothing may be."""
        names = []
        while next_one := queue.get_events():
            names.append(next_one[2])
            queue.event_queue_per_concurrency_id[names[-1]].current_concurrency += 1
        return names

    urgent, later, latest = list(QUEUES)[:3]
    asked(latest, 1, PATIENCE + 1)
    asked(later, 1)
    asked(urgent, 2)
    asked("of no named queue", 1)
    assert begun() == ["of no named queue", urgent, latest]  # one more urgent one waits for its turn, so `later` does
    queue.event_queue_per_concurrency_id[urgent].queue.clear()
    assert begun() == [later]
