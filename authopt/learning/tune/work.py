"""The folder that tuning works in: slices are cut once, and results of another log refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np

from authopt.errors import UserError
from authopt.learning.tune.slices import Slices, cut
from authopt.logs.files import AttemptLog
from authopt.logs.split import Track
from authopt.policies.vw_options import VwOptions
from authopt.rewards import Reward

FILE = "tuning.json"


class Work(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the results in the folder rest on."""

    sha256: str
    reward: str
    base: VwOptions
    begin: tuple[str, ...]
    rows: tuple[int, ...]
    to_go: bool


def sliced(
    log: AttemptLog, slices: int, folder: Path, reward: Reward, base: VwOptions, track: Track
) -> tuple[Slices, bool]:
    """The log in slices, cut now or before; and whether a payment has more than one attempt.

    Raises
    ------
    UserError
        If the folder holds the tuning of another log, or with other options.
    """
    path = folder / FILE
    with log.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    files = tuple(folder / f"slice-{number}.parquet" for number in range(slices))
    if path.is_file():
        work = msgspec.json.decode(path.read_bytes(), type=Work)
        same = (digest, reward.spec, base, slices) == (
            work.sha256,
            work.reward,
            work.base,
            len(work.rows),
        )
        if not same:
            raise UserError(
                f"{folder}: holds the tuning of another log, or with other options; give another "
                "folder, or remove it"
            )
        begin = tuple(np.datetime64(each) for each in work.begin)
        return Slices(files, begin, work.rows), work.to_go
    found = cut(log, slices, folder, track)
    to_go = any(bool((batch.attempt > 1).any()) for batch in found.read(0, slices, reward))
    work = Work(digest, reward.spec, base, tuple(map(str, found.begin)), found.rows, to_go)
    path.write_bytes(msgspec.json.encode(work))
    return found, to_go
