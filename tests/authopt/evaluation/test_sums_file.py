"""Sums come back from disk as they were, and only to the run that they are of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.evaluation.block import State
from authopt.evaluation.sums_file import Checkpoint, fingerprint_of


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """Whatever arrays."""

    arrays: State

    def __add__(self, other: Plain) -> Plain:
        raise NotImplementedError

    def state(self) -> State:
        return self.arrays


ARRAYS: State = {
    "log/hours": np.array([3, 4], np.int64),
    "log/first": np.array(["2026-01-01T00:00:00.000001"], "M8[us]"),
    "policy 0/sums": np.arange(6.0).reshape(2, 3) / 7.0,
    "policy 0/routes": np.array(["a/b", "été"]),
    "policy 0/hashes": np.array([2**64 - 1], np.uint64),
    "empty": np.empty(0),
    "largest": np.array(np.inf),
}


def checkpoint(path: Path, **fingerprint: str) -> Checkpoint[Plain]:
    return Checkpoint(path, fingerprint, Plain)


def test_the_state_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path / "sums", policies="uniform")
    assert kept.read() is None
    kept.write(3, Plain(ARRAYS))
    found = kept.read()
    assert found is not None
    done, sums = found
    assert done == 3
    assert list(sums.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert sums.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(sums.arrays[name], array)


def test_a_later_state_replaces_the_earlier_one_and_leaves_nothing_behind(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path / "sums")
    kept.write(1, Plain(ARRAYS))
    kept.write(2, Plain({"one": np.ones(1)}))
    found = kept.read()
    assert found is not None
    assert found[0] == 2
    assert list(found[1].arrays) == ["one"]
    assert [path.name for path in tmp_path.iterdir()] == ["sums"]


def test_objects_are_refused_for_they_would_be_pickled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds objects, not numbers or text: names"):
        checkpoint(tmp_path / "sums").write(1, Plain({"names": np.array(["a", None])}))
    assert list(tmp_path.iterdir()) == []


def test_another_run_is_refused_and_told_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "sums"
    checkpoint(path, reward="approved", policies="uniform", seed="1").write(1, Plain(ARRAYS))
    with pytest.raises(UserError) as caught:
        checkpoint(path, reward="approved", policies="logged", cluster="bin").read()
    message = str(caught.value)
    assert "policies (was uniform, is logged)" in message
    assert "cluster (was not there, is bin)" in message
    assert "seed (was 1, is not there)" in message
    assert "reward" not in message


@pytest.mark.parametrize("cut", [0, 10, 500])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    kept = checkpoint(tmp_path / "sums")
    kept.write(1, Plain(ARRAYS))
    kept.path.write_bytes(kept.path.read_bytes()[:cut])
    with pytest.raises(UserError, match="not a file that an evaluation can be resumed from"):
        kept.read()


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "bare.npy", np.ones(3))
    np.savez(tmp_path / "others.npz", sums=np.ones(3))
    np.savez(tmp_path / "header.npz", header=np.frombuffer(b'{"format": 1}', np.uint8))
    for path in tmp_path.iterdir():
        with pytest.raises(UserError, match=f"{path.name}: not a file that"):
            checkpoint(path).read()


def test_a_place_that_cannot_be_written_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere/sums: cannot be written"):
        checkpoint(tmp_path / "nowhere" / "sums").write(1, Plain(ARRAYS))


def test_the_fingerprint_changes_with_the_log_its_time_and_the_files(tmp_path: Path) -> None:
    log, model = tmp_path / "log", tmp_path / "model"
    log.write_text("log")
    model.write_text("model")

    def taken() -> dict[str, str]:
        return fingerprint_of(log, [model], {"the reward": ("approved", 0.0, 1.0)})

    first = taken()
    assert taken() == first
    assert first["the reward"] == "('approved', 0.0, 1.0)"
    stood = log.stat()
    model.write_text("other")
    assert [name for name, value in taken().items() if value != first[name]] == [
        f"the contents of {model}"
    ]
    model.write_text("model")
    os.utime(log, ns=(stood.st_atime_ns, stood.st_mtime_ns + 1))
    assert [name for name, value in taken().items() if value != first[name]] == [
        "the time the log was written"
    ]
    log.write_text("longer")
    os.utime(log, ns=(stood.st_atime_ns, stood.st_mtime_ns))
    assert [name for name, value in taken().items() if value != first[name]] == [
        "the size of the log"
    ]
