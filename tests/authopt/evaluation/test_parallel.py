"""Spans add up to the same bits in one process or several, cut off or not; nothing is left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.evaluation.parallel import add_up
from tests.authopt.evaluation.slow_sums import (
    SPANS,
    Total,
    checkpoint,
    dying,
    failing,
    given,
    slowly,
    total_of,
)

LIMIT_S = 60.0
SLOW_SUMS = "tests.authopt.evaluation.slow_sums"


def whole() -> Total:
    total = total_of(SPANS[0])
    for span in SPANS[1:]:
        total = total + total_of(span)
    return total


def assert_same(found: Total, expected: Total) -> None:
    np.testing.assert_array_equal(found.spans, expected.spans)
    assert found.value.tobytes() == expected.value.tobytes()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_sums_are_the_same_bits_whatever_the_number_of_processes(workers: int) -> None:
    assert_same(add_up(SPANS, partial(given, total_of), workers=workers), whole())


def test_processes_share_the_work(tmp_path: Path) -> None:
    add_up(SPANS[:8], partial(given, partial(slowly, tmp_path, 0.1)), workers=2)
    processes = {int(path.stem) for path in tmp_path.glob("*.process")}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_one_span_is_added_up_in_this_process(tmp_path: Path) -> None:
    add_up(SPANS[:1], partial(given, partial(slowly, tmp_path, 0.0)), workers=4)
    assert [path.stem for path in tmp_path.glob("*.process")] == [str(os.getpid())]


def test_nothing_to_add_up_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        add_up((), partial(given, total_of))


@pytest.mark.parametrize("workers", [1, 2])
def test_every_span_is_tracked_in_order(workers: int, tmp_path: Path) -> None:
    seen: list[int] = []

    def track(spans: Iterable[int]) -> Iterator[int]:
        for span in spans:
            seen.append(span)
            yield span

    kept = checkpoint(tmp_path / "sums.npz")
    add_up(SPANS[:5], partial(given, total_of), checkpoint=kept)
    add_up(SPANS, partial(given, total_of), workers=workers, checkpoint=kept, track=track)
    assert seen == list(SPANS)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_error_of_the_first_span_that_fails_is_passed_on(workers: int) -> None:
    with pytest.raises(UserError, match=r"^span 7 is damaged$"):
        add_up(SPANS, partial(given, partial(failing, 7)), workers=workers)


def refuses(specs: str) -> Callable[[int], Total]:
    raise UserError(f"policy {specs!r} cannot be loaded")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_the_preparation_is_passed_on(workers: int) -> None:
    with pytest.raises(UserError, match=r"^policy 'x' cannot be loaded$"):
        add_up(SPANS, partial(refuses, "x"), workers=workers)


def test_a_process_that_is_killed_is_said_plainly() -> None:
    with pytest.raises(UserError, match="killed before it was done"):
        add_up(SPANS, partial(given, partial(dying, 9)), workers=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_goes_on_from_where_it_failed(workers: int, tmp_path: Path) -> None:
    kept = checkpoint(tmp_path / "sums.npz")
    with pytest.raises(UserError):
        add_up(SPANS, partial(given, partial(failing, 7)), workers=workers, checkpoint=kept)
    found = kept.read()
    assert found is not None
    assert found[0] == 7
    # What was done is not done again: it would fail.
    spared = partial(given, total_of)
    assert_same(add_up(SPANS, spared, workers=workers, checkpoint=kept), whole())


def test_a_run_that_is_done_is_not_computed_again(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path / "sums.npz")
    add_up(SPANS, partial(given, total_of), checkpoint=kept)
    assert_same(add_up(SPANS, partial(given, partial(failing, 0)), checkpoint=kept), whole())


@contextmanager
def slow_run(folder: Path, workers: int, pause_s: float = 0.2) -> Iterator[subprocess.Popen[bytes]]:
    """The slow sums in a process group of their own, once the first spans are on disk."""
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            (sys.executable, "-m", SLOW_SUMS, str(folder), str(workers), str(pause_s)),
            stderr=errors,
            start_new_session=True,
        )
    try:
        wait_for((folder / "sums.npz").exists)
        assert process.poll() is None
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def is_gone(process: int) -> bool:
    """Whether a process has ended; one that its parent has not asked after yet has ended too."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def workers_in(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.process")]


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


@needs_proc
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_was_killed_goes_on_to_the_same_bits(tmp_path: Path, workers: int) -> None:
    with slow_run(tmp_path, workers) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = checkpoint(tmp_path / "sums.npz").read()
        assert found is not None
        assert 1 <= found[0] < len(SPANS)
        wait_for(lambda: all(map(is_gone, workers_in(tmp_path))))
    kept = checkpoint(tmp_path / "sums.npz")
    assert_same(add_up(SPANS, partial(given, total_of), workers=2, checkpoint=kept), whole())


@needs_proc
def test_an_interrupt_ends_all_processes_and_only_one_speaks_of_it(tmp_path: Path) -> None:
    with slow_run(tmp_path, 2, pause_s=2.0) as process:
        wait_for(lambda: len(workers_in(tmp_path)) == 2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(LIMIT_S) == -signal.SIGINT
        wait_for(lambda: all(map(is_gone, workers_in(tmp_path))))
    assert (tmp_path / "errors").read_text().count("Traceback") == 1
