"""Sums on disk: what a run has added up so far, so that a run which was cut off goes on from there.

The file is a NumPy ``.npz`` of plain arrays: no pickle, nothing that runs when it is read. Beside
the sums it holds the fingerprint of the run: the sums of another log or of other policies are
refused.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import msgspec
import numpy as np

from authopt import __version__
from authopt.errors import UserError
from authopt.evaluation.block import State
from authopt.whole_file import writing_whole

FORMAT = "authopt sums 1"

# A file of another kind makes NumPy raise almost anything; a TypeError where it is a bare array.
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    zipfile.BadZipFile,
    msgspec.MsgspecError,
)


class Sums(Protocol):
    """What is added up over a log; merged with ``+``, and kept as plain arrays."""

    def __add__(self, other: Self, /) -> Self:
        """The sums of both."""

    def state(self) -> State:
        """Plain arrays that say all there is."""


T = TypeVar("T", bound=Sums)


class _Header(msgspec.Struct, frozen=True):
    """What a file says of itself."""

    format: str
    fingerprint: dict[str, str]
    done: int
    names: list[str]


@dataclass(frozen=True, slots=True)
class Checkpoint(Generic[T]):
    """The file of a run that can be resumed.

    Attributes
    ----------
    path
        the file; it need not exist yet.
    fingerprint
        what the sums are of (:func:`fingerprint_of`).
    load
        makes the sums from their ``state()``.
    """

    path: Path
    fingerprint: Mapping[str, str]
    load: Callable[[State], T]

    def read(self) -> tuple[int, T] | None:
        """How many spans are in the sums, and the sums; None where there is no file yet.

        Raises
        ------
        UserError
            If the file is none of ours, or is of a run over something else.
        """
        if not self.path.exists():
            return None
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                header = msgspec.json.decode(stored["header"].tobytes(), type=_Header)
                self._compare(header)
                state = {name: stored[f"array{at}"] for at, name in enumerate(header.names)}
            return header.done, self.load(state)
        except _UNREADABLE as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{self.path}: not a file that an evaluation can be resumed from ({reason}). "
                "Name a new file, or remove this one to begin again"
            ) from error

    def write(self, done: int, sums: T) -> None:
        """Keep the sums of the first ``done`` spans, whole or not at all.

        Raises
        ------
        UserError
            If the file cannot be written.
        """
        state = sums.state()
        objects = [name for name, array in state.items() if array.dtype.hasobject]
        if objects:
            raise ValueError(f"the state holds objects, not numbers or text: {', '.join(objects)}")
        header = _Header(FORMAT, dict(self.fingerprint), done, list(state))
        arrays: dict[str, Any] = {f"array{at}": array for at, array in enumerate(state.values())}
        try:
            with writing_whole(self.path) as file:
                text = np.frombuffer(msgspec.json.encode(header), np.uint8)
                np.savez(file, header=text, **arrays)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror})") from error

    def _compare(self, header: _Header) -> None:
        if header.format != FORMAT:
            raise UserError(f"{self.path}: sums of format {header.format!r}; expected {FORMAT!r}")
        then, now = header.fingerprint, self.fingerprint
        differing = [
            f"{name} (was {then.get(name, 'not there')}, is {now.get(name, 'not there')})"
            for name in dict.fromkeys([*now, *then])
            if then.get(name) != now.get(name)
        ]
        if differing:
            raise UserError(
                f"{self.path}: holds the sums of another evaluation; what differs: "
                f"{'; '.join(differing)}. Run that evaluation again as it was, name a new file, "
                "or remove this one to begin again"
            )


def fingerprint_of(
    log: Path, files: Iterable[Path] = (), settings: Mapping[str, object] | None = None
) -> dict[str, str]:
    """What the sums of a run depend on, in words that :class:`Checkpoint` can quote.

    Parameters
    ----------
    log
        the log; by its size and the time at which it was last written, since reading all of it
        would cost as much as the run.
    files
        whatever else is read, such as models of policies; by their contents.
    settings
        all else, by name.
    """
    status = log.stat()
    facts = {
        "the version of authopt": __version__,
        "the size of the log": f"{status.st_size} bytes",
        "the time the log was written": str(np.datetime64(status.st_mtime_ns, "ns")),
    }
    facts |= {f"the contents of {file}": _digest(file) for file in files}
    return facts | {name: str(value) for name, value in (settings or {}).items()}


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
