"""What a candidate learned from, so that it is not judged on what it has seen."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from authopt.errors import UserError
from authopt.policies.expected_money import ExpectedMoneyFile
from authopt.policies.spibb import read_spibb
from authopt.policies.state_file import read_state
from authopt.policies.vw_manifest import MADE_BY, VwManifest, manifest_path


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """The end of a candidate's training log.

    Attributes
    ----------
    until
        when the last payment that it learned from began, UTC; None where that is not known.
    logs
        sha256 of the training log and, of a model that went on from others, of theirs; as far as
        they are known.
    unseen
        whether it is known to have learned from nothing of the log that it is judged on, whatever
        the times say.
    """

    until: np.datetime64 | None = None
    logs: tuple[str, ...] = ()
    unseen: bool = False


def file_of(spec: str) -> Path | None:
    """The file that a spec names, if it names one that is there."""
    named = spec.rpartition("+")[2].partition(":")[2]
    for piece in (named, named.partition(",")[0]):
        if piece and Path(piece).is_file():
            return Path(piece)
    return None


def fingerprint_of(spec: str) -> str | None:
    """sha256 of the file that a spec names: models may be written anew under the same name.

    Of a file that names other policies by their specs, what theirs hold is part of it, and where
    they lie is not.
    """
    path = file_of(spec)
    if path is None:
        return None
    with suppress(UserError):
        state = read_spibb(path)
        placeless = msgspec.structs.replace(
            state, candidate=_placeless(state.candidate), live=_placeless(state.live)
        )
        return hashlib.sha256(msgspec.json.encode(placeless)).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def trained_on(spec: str) -> TrainedOn | None:
    """What the candidate's file, or the manifest of its model, says; None where neither does."""
    path = file_of(spec)
    if path is None:
        return None
    # Other families keep other files under these names.
    with suppress(UserError):
        manifest = read_state(manifest_path(path), VwManifest, "a manifest", MADE_BY)
        logs = manifest.log, *(each.log for each in manifest.ancestors)
        sums = tuple(log.sha256 for log in logs if log.sha256 is not None)
        return TrainedOn(_moment(manifest.log.last_payment or manifest.log.last), sums)
    with suppress(UserError):
        state = read_state(path, ExpectedMoneyFile, "an expected-money policy", MADE_BY)
        return TrainedOn(_moment(state.last_payment))
    with suppress(UserError):
        counted = read_spibb(path)
        known = TrainedOn(_moment(counted.last_payment))
        for each in (counted.candidate, counted.live):
            known = together(known, trained_on(each))
        return known
    return None


def _placeless(spec: str) -> str:
    """A spec with the fingerprint of its file in the place of the file's name."""
    path, told = file_of(spec), fingerprint_of(spec)
    return spec if path is None or told is None else spec.replace(str(path), told)


def _moment(time: datetime | None) -> np.datetime64 | None:
    return None if time is None else np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "us")


def is_same_log(trained: TrainedOn, log: Path) -> bool:
    """Whether a candidate was trained on this very file."""
    if not trained.logs:
        return False
    with log.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() in trained.logs


def together(one: TrainedOn, other: TrainedOn | None) -> TrainedOn:
    """What is said in two places of one training: the later end, and the logs of both."""
    if other is None:
        return one
    ends = [each.until for each in (one, other) if each.until is not None]
    unseen = one.unseen and other.unseen
    return TrainedOn(max(ends, default=None), (*one.logs, *other.logs), unseen)
