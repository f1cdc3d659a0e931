"""Visitors take turns, and nobody may have too many requests waiting."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from fastapi import HTTPException
from gradio.queueing import EventQueue

from app.server.queues import (
    FULL,
    MAX_WAITING,
    MAX_WAITING_PER_VISITOR,
    QUEUES,
    STARVATION_SECONDS,
    TOO_MANY,
    FairQueue,
    round_robin,
)

CONNECTION = SimpleNamespace(client=SimpleNamespace(host="192.0.2.1"))


def waiting_request(session: str | None, number: int) -> SimpleNamespace:
    """A request in a queue; without a session its own number stands for one."""
    return SimpleNamespace(session_hash=session or str(number), _id=str(number), request=CONNECTION)


def test_visitors_take_turns_and_keep_the_order_of_their_own_requests():
    waiting = [waiting_request("greedy", number) for number in range(30)]
    waiting += [waiting_request("modest", 30), waiting_request("modest", 31)]
    order = round_robin(waiting)
    assert [one.session_hash for one in order][:5] == ["greedy", "modest", "greedy", "modest", "greedy"]
    assert [int(one._id) for one in order if one.session_hash == "greedy"] == list(range(30))


def test_programs_without_a_session_are_distinguished_by_their_address():
    waiting = [waiting_request(None, number) for number in range(3)] + [waiting_request("modest", 3)]
    assert [one._id for one in round_robin(waiting)] == ["0", "3", "1", "2"]


def fair_queue() -> FairQueue:
    return FairQueue(live_updates=True, concurrency_count=1, update_intervals=1, max_size=None, blocks=None)


def test_messages_of_a_page_may_be_deleted_twice():
    messages = fair_queue().pending_messages_per_session
    messages["page"] = []
    del messages["page"]
    del messages["page"]
    assert "page" not in messages


@pytest.mark.parametrize(("waiting", "message"), [
    ([waiting_request("greedy", number) for number in range(MAX_WAITING_PER_VISITOR)], TOO_MANY),
    ([waiting_request(str(number % 20), number) for number in range(MAX_WAITING)], FULL),
])
def test_too_many_requests_are_refused(waiting, message):
    queue = fair_queue()
    queue.event_queue_per_concurrency_id["analysis"] = EventQueue("analysis", 2)
    queue.event_queue_per_concurrency_id["analysis"].queue += waiting
    body = SimpleNamespace(session_hash="greedy", fn_index=0)
    # In a thread of its own: browser tests that ran before keep an event loop in this one.
    with ThreadPoolExecutor(1) as pool, pytest.raises(HTTPException, match=message) as refusal:
        pool.submit(asyncio.run, queue.push(body, CONNECTION, None)).result()
    assert refusal.value.status_code == 429


def test_the_most_urgent_request_starts_first_but_none_starves():
    queue = fair_queue()

    def add(name: str, count: int, seconds_ago: float = 0) -> None:
        one = queue.event_queue_per_concurrency_id.setdefault(name, EventQueue(name, 1))
        one.queue += [SimpleNamespace(enqueue_time=time.monotonic() - seconds_ago) for _ in range(count)]

    def start() -> list[str]:
        """Queues of all requests that may start now."""
        names = []
        while next_one := queue.get_events():
            names.append(next_one[2])
            queue.event_queue_per_concurrency_id[names[-1]].current_concurrency += 1
        return names

    urgent, later, latest = list(QUEUES)[:3]
    add(latest, 1, STARVATION_SECONDS + 1)
    add(later, 1)
    add(urgent, 2)
    add("of no named queue", 1)
    assert start() == ["of no named queue", urgent, latest]  # another urgent one waits, so that `later` waits too
    queue.event_queue_per_concurrency_id[urgent].queue.clear()
    assert start() == [later]
