"""Vowpal Wabbit's own C++ driver, in a process of its own, fed through a pipe.

The driver learns several times as fast as a Python loop over examples. In a process of its own it
works while this one writes the text, no file of many times the log's size is ever on disk, and a
crash in it is an error message here.

``python -m authopt.learning.vw_driver ARGUMENT...`` is that process: it reads examples from
standard input and writes one line of JSON.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from authopt.errors import UserError
from authopt.logs.read_ahead import ahead

_FOLDER = "AUTHOPT_VW_FOLDER"
"""Environment variable: the folder that the driver's process works in."""

_PIPE_BYTES = 1 << 20
"""Of the pipe, where the system lets it be chosen: a small one has both sides wait for each other
often.
"""

_AHEAD = 4
"""Pieces made ahead: a pipe holds little, and the driver would wait while a piece is made."""


class DriverResult(msgspec.Struct, frozen=True):
    """What the driver says when it ends: VW's sums over all examples and passes, its version."""

    sum_loss: float
    weighted_examples: float
    version: str


def run_driver(
    arguments: Sequence[str],
    text: Iterable[bytes | memoryview],
    passes: int = 1,
    folder: Path | None = None,
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
    folder
        where the driver works: models that the text has it save go there, under relative names.

    Raises
    ------
    UserError
        If VW refuses its arguments, or ends before the text does.
    """
    with tempfile.TemporaryDirectory() as scratch:
        words = [*arguments, "--data", "/dev/stdin", "--quiet"]
        if passes > 1:
            cache = str(Path(scratch) / "cache")
            words += ["--passes", str(passes), "--cache_file", cache, "--kill_cache"]
            words += ["--holdout_off"]
        said = Path(scratch) / "stderr"
        with said.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", __name__, *words],
                env=None if folder is None else {**os.environ, _FOLDER: str(folder.resolve())},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pipesize=_PIPE_BYTES,
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
        for piece in ahead(iter(text), _AHEAD):
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

    # Only now: a package that is found by the folder it runs in must have been imported.
    if folder := os.environ.get(_FOLDER):
        os.chdir(folder)
    workspace = Workspace(arg_list=arguments)
    loss, weight = workspace.get_sum_loss(), workspace.get_weighted_examples()
    workspace.finish()
    result = DriverResult(loss, weight, __version__)
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
