"""Properties that are computed once per instance."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

from core.lazy import lazy_property


class Plain:
    """Has one value."""

    @lazy_property
    def value(self) -> int:
        return 3


@dataclass(frozen=True)
class Prepared:
    """Waits for all others to be in preparation too."""

    together: threading.Barrier

    @lazy_property
    def value(self) -> object:
        self.together.wait(timeout=10)
        return object()


def test_four_instances_prepare_at_the_same_time():
    together = threading.Barrier(4)
    instances = [Prepared(together) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda one: one.value, instances))
    assert len(set(map(id, values))) == 4


def test_threads_that_share_an_instance_get_one_value():
    calls, begin = [], threading.Barrier(4)

    class Shared:
        @lazy_property
        def value(self) -> int:
            calls.append(1)
            return len(calls)

    shared = Shared()

    def read(_: int) -> int:
        begin.wait(timeout=10)
        return shared.value

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(4))) == [1] * 4
    assert calls == [1]


def test_a_copy_computes_its_own_value():
    first = Prepared(threading.Barrier(1))
    assert first.value is first.value
    assert replace(first).value is not first.value


def test_an_instance_can_be_copied_after_its_value_was_computed():
    plain = Plain()
    assert plain.value == 3
    assert copy.deepcopy(plain).value == 3


def test_an_exception_is_not_kept():
    class Flaky:
        tries = 0

        @lazy_property
        def value(self) -> int:
            self.tries += 1
            if self.tries == 1:
                raise OSError("not yet")
            return self.tries

    flaky = Flaky()
    with pytest.raises(OSError, match="not yet"):
        _ = flaky.value
    assert flaky.value == 2
