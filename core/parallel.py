"""Work on many items in several processes."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from core.errors import LatentFaceError

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(function: Callable[[Item], Result], items: Iterable[Item], workers: int = 1) -> Iterator[Result]:
    """Results of a function for each item, in the order of the items.

    Args:
        function: with its arguments and results it must be picklable where there are several workers.
        items: taken only a few ahead of the results.
        workers: processes, started anew (spawn), each with one thread for torch; 1: this process does it.

    Raises:
        LatentFaceError: a process was ended from outside; and whatever the function raises.
    """
    if workers == 1:
        yield from map(function, items)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _prepare_worker)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise LatentFaceError("A worker process was ended from outside, as systems do where memory runs out: use fewer "
                              "workers; the same command continues from here.") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare_worker() -> None:
    """Use one thread, and end with the parent process, however that ends."""
    import torch

    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
