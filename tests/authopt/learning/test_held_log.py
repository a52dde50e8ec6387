"""A log that is read several times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from authopt.batch import LoggedBatch, concat
from authopt.learning.held_log import HeldLog
from tests.authopt.learning.timed_log import timed_log

CHUNK = 50


class File:
    """Counts how often it is read from its start."""

    def __init__(self) -> None:
        self.readings = 0
        self.log = timed_log(3 * CHUNK, seed=0)

    def read(self) -> Iterator[LoggedBatch]:
        self.readings += 1
        for start in range(0, self.log.n, CHUNK):
            yield self.log.take(slice(start, start + CHUNK))


@pytest.mark.parametrize(("most_bytes", "readings"), [(1 << 20, 1), (1_000, 3)])
def test_a_log_is_read_from_its_file_once_if_it_fits_and_else_each_time(
    most_bytes: int, readings: int
) -> None:
    file = File()
    held = HeldLog(file.read, most_bytes)
    for _ in range(3):
        found = concat(list(held.batches()))
        assert found.decision_id.equals(file.log.decision_id)
        assert np.array_equal(found.reward, file.log.reward, equal_nan=True)
    assert file.readings == readings


def test_a_reading_that_was_broken_off_is_not_taken_for_the_whole_log() -> None:
    file = File()
    held = HeldLog(file.read)
    next(held.batches())
    assert sum(batch.n for batch in held.batches()) == file.log.n
