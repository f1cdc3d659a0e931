"""Several processes: results in order, errors as they are, and a sentence where one is ended."""

import itertools
import math
import os

import pytest

from core.errors import LatentFaceError
from core.parallel import parallel_map


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_and_errors_as_they_are(workers):
    results = parallel_map(math.factorial, [5, 3, 1, -1], workers)
    assert list(itertools.islice(results, 3)) == [120, 6, 1]
    with pytest.raises(ValueError):
        next(results)


def test_a_worker_that_is_ended_is_one_sentence():
    with pytest.raises(LatentFaceError, match="the same command continues"):
        list(parallel_map(os._exit, [1, 1], workers=2))
