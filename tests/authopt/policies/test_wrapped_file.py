from __future__ import annotations

from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.policies.success_rate import SuccessRate
from authopt.policies.uniform import Uniform
from authopt.policies.wrapped_file import WrappedRecord, load_wrapped, save_wrapped

KIND = "authopt.policies.success_rate:SuccessRate"


def test_a_wrapped_policy_is_saved_beside_its_wrapper_and_found_again(tmp_path: Path) -> None:
    record = save_wrapped(SuccessRate(window=17), tmp_path / "outer.json")
    assert record == WrappedRecord(KIND, "outer.wrapped.json")
    moved = tmp_path / "moved"
    moved.mkdir()
    (tmp_path / record.file).rename(moved / record.file)
    again = load_wrapped(moved / "outer.json", record)
    assert isinstance(again, SuccessRate)
    assert again.window == 17


def test_a_policy_without_anything_to_save_has_no_record(tmp_path: Path) -> None:
    assert save_wrapped(Uniform(), tmp_path / "outer.json") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "kind",
    [
        "os:system",
        "authopt.policies.nowhere:SuccessRate",
        "authopt.policies.state_file:read_state",
        "authopt.policies.uniform:Uniform",
        "authopt.policies.success_rate:",
        "authopt.policies.success_rate:SuccessRate.load",
        "",
    ],
)
def test_a_file_has_no_code_run_but_the_policies_own(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match="is no policy that can be loaded"):
        load_wrapped(tmp_path / "outer.json", WrappedRecord(kind, "outer.wrapped.json"))


@pytest.mark.parametrize("file", ["../outer.json", "/etc/passwd", "", "."])
def test_a_file_in_another_folder_is_not_read(tmp_path: Path, file: str) -> None:
    with pytest.raises(UserError, match="no name of a file"):
        load_wrapped(tmp_path / "outer.json", WrappedRecord(KIND, file))


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lost\.json: no such file"):
        load_wrapped(tmp_path / "outer.json", WrappedRecord(KIND, "lost.json"))
