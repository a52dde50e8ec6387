"""Vowpal Wabbit's own C++ driver, in a process of its own, fed through a pipe.

The driver learns several times as fast as a Python loop over examples. In a process of its own it
works while this one writes the text, no file of many times the log's size is ever on disk, and a
crash in it is an error message here.

``python -m authopt.learning.vw_driver ARGUMENT...`` is that process: it reads examples from
standard input and writes one line of JSON.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from authopt.errors import UserError


class DriverResult(msgspec.Struct, frozen=True):
    """What the driver says when it ends: VW's sums over all examples and passes, its version."""

    sum_loss: float
    weighted_examples: float
    version: str


def run_driver(
    arguments: Sequence[str], text: Iterable[bytes | memoryview], passes: int = 1
) -> DriverResult:
    """Let VW's driver learn from text.

    Parameters
    ----------
    arguments
        VW's command line, without where the examples come from.
    text
        the examples, in pieces.
    passes
        times that the driver goes over the examples; from the second on it reads its own cache
        file.

    Raises
    ------
    UserError
        If VW refuses its arguments, or ends before the text does.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = [*arguments, "--data", "/dev/stdin", "--quiet"]
        if passes > 1:
            cache = str(Path(folder) / "cache")
            words += ["--passes", str(passes), "--cache_file", cache, "--kill_cache"]
            words += ["--holdout_off"]
        said = Path(folder) / "stderr"
        with said.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", __name__, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
            try:
                answer = _feed(process, text)
            finally:
                # Whatever ended the feeding early, a driver that saw only a part must not go on.
                process.kill()
                _close(process)
        lines = answer.decode(errors="replace").splitlines()
        if process.returncode or not lines:
            last = said.read_text(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise UserError(
                f"Vowpal Wabbit ended with status {process.returncode}: {last[0]} "
                f"(arguments: {' '.join(arguments)})"
            )
    return msgspec.json.decode(lines[-1], type=DriverResult)


def _feed(process: subprocess.Popen[bytes], text: Iterable[bytes | memoryview]) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    # A driver that has ended before the text did says why by itself.
    with suppress(BrokenPipeError):
        for piece in text:
            process.stdin.write(piece)
        process.stdin.close()
    answer = process.stdout.read()
    process.wait()
    return answer


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    process.wait()


def main(arguments: list[str]) -> None:
    """Learn from standard input, and say how it went."""
    from vowpalwabbit import Workspace, __version__

    workspace = Workspace(arg_list=arguments)
    loss, weight = workspace.get_sum_loss(), workspace.get_weighted_examples()
    workspace.finish()
    result = DriverResult(loss, weight, __version__)
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
