"""The conditions of the gate as a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.learning.gate.settings import Gate, load_gate


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gate.toml"
    path.write_text(text, "utf-8")
    return path


def test_keys_that_a_file_lacks_have_their_defaults(tmp_path: Path) -> None:
    found = load_gate(
        written(tmp_path, 'margin = 0.01\nsegments = ["issuer", "network+attempt"]\n')
    )
    assert found == Gate(margin=0.01, segments=("issuer", "network+attempt"))


def test_a_file_may_change_other_defaults_than_the_gates_own(tmp_path: Path) -> None:
    found = load_gate(written(tmp_path, "margin = 0.01\n"), Gate(least_epsilon=0.005))
    assert found == Gate(margin=0.01, least_epsilon=0.005)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("margins = 0.1", "margins"),
        ("confidence = 1.5", "confidence is 1.5; expected 0.5 to"),
        ('unit = "card"', "card"),
        ('segment_rule = "none"', "none"),
        ("margin = [", "not a TOML file"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=r"gate\.toml") as error:
        load_gate(written(tmp_path, text))
    assert said in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.toml"):
        load_gate(tmp_path / "gone.toml")
