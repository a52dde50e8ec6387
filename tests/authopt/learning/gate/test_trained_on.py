"""What a candidate's own files say of its training."""

from __future__ import annotations

from pathlib import Path

import pytest

from authopt.learning.gate.trained_on import file_of, fingerprint_of, trained_on


@pytest.mark.parametrize(
    "spec", ["uniform", "vw:gone.vw", "success-rate:dimensions=network+currency"]
)
def test_a_spec_without_a_file_says_nothing(spec: str) -> None:
    assert file_of(spec) is None
    assert fingerprint_of(spec) is None
    assert trained_on(spec) is None


def test_a_file_is_found_behind_wrappers_and_before_options(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    path.write_text("{}", "utf-8")
    for spec in (
        f"best-route:{path}",
        f"guarded+best-route:{path}",
        f"best-route:{path},epsilon=0.1",
    ):
        assert file_of(spec) == path


def test_the_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    path.write_text("{}", "utf-8")
    before = fingerprint_of(f"best-route:{path}")
    path.write_text("{ }", "utf-8")
    assert fingerprint_of(f"best-route:{path}") != before


def test_a_file_of_another_family_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    path.write_text("{}", "utf-8")
    assert trained_on(f"best-route:{path}") is None
