"""Bad input gets a clear answer: from the library, and from the command that a user has.

A log of 60 sound decisions is spoilt in one way at a time. The command leaves unsound rows out and
says so, or stops at the first one (``--strict``); arrays are refused as a whole.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authopt.cli import main
from authopt.errors import UserError
from authopt.evaluation.arrays import evaluate_arrays
from authopt.logs.files import write_log
from tests.factories import logged_batch

N, SPOILT = 60, 8
Row = dict[str, str]
Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The sound log as the cells of a CSV."""
    path = tmp_path_factory.mktemp("sound") / "log.csv"
    write_log(path, [logged_batch(N)])
    with path.open(newline="", encoding="utf-8") as file:
        next(file)
        return list(csv.DictReader(file))


def written(path: Path, rows: list[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(logged_columns()))
        writer.writeheader()
        writer.writerows(rows)
    return path


def logged_columns() -> list[str]:
    return [
        "decision_id", "payment_id", "attempt", "decided_at", "eligible_route",
        "eligible_delay_s", "chosen", "propensity", "eligible_probability", "network",
        "currency", "amount_minor", "approved",
    ]  # fmt: skip


def spoilt(rows: list[Row], at: int, **cells: str) -> list[Row]:
    return [row | cells if place == at else row for place, row in enumerate(rows)]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    code = stopped.value.code
    return (0 if code is None else int(code)), said.out, re.sub(r"\s+", " ", said.err)


def judged(capsys: pytest.CaptureFixture[str], log: Path, *more: object) -> dict[str, Any]:
    options = ("--policy", "uniform", "--no-reward-model", "--bootstrap", 50)
    code, out, err = run(capsys, "evaluate", log, *options, "--json", *more)
    assert code == 0, err

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    answer: dict[str, Any] = json.loads(out, parse_constant=refuse)
    return answer


UNSOUND: dict[str, tuple[Row, str]] = {
    "propensity 0": ({"propensity": "0"}, "expected a probability above 0 and at most 1"),
    "a negative propensity": ({"propensity": "-0.5"}, "expected a probability above 0"),
    "a propensity above 1": ({"propensity": "1.5"}, "expected a probability above 0 and at most"),
    "probabilities that do not sum to 1": (
        {"eligible_probability": "[0.2, 0.2, 0.2]"},
        "does not sum to 1",
    ),
    "a negative probability": ({"eligible_probability": "[1.2, -0.4, 0.2]"}, "no probability"),
    "a probability NaN": ({"eligible_probability": "[0.5, NaN, 0.5]"}, "each value a number"),
    "an action that is not eligible": ({"chosen": "3"}, "not among the eligible actions"),
    "no eligible action": (
        {"eligible_route": "[]", "eligible_delay_s": "[]", "eligible_probability": "[]"},
        "at least one action is eligible",
    ),
}


@pytest.mark.parametrize("fault", UNSOUND)
def test_an_unsound_row_is_left_out_counted_and_explained(
    rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    cells, reason = UNSOUND[fault]
    log = written(tmp_path / "log.csv", spoilt(rows, SPOILT, **cells))
    answer = judged(capsys, log)
    left_out = answer["log"]["left_out"]
    assert answer["log"]["rows"] == N - 1
    assert [each["rows"] for each in left_out] == [1]
    assert reason in left_out[0]["reason"]


@pytest.mark.parametrize("fault", UNSOUND)
def test_with_strict_the_first_unsound_row_stops_everything(
    rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    cells, reason = UNSOUND[fault]
    log = written(tmp_path / "log.csv", spoilt(rows, SPOILT, **cells))
    options = ("--policy", "uniform", "--no-reward-model", "--strict")
    code, out, err = run(capsys, "evaluate", log, *options)
    assert (code, out) == (2, "")
    assert "log.csv" in err
    assert reason in err
    assert f"row {SPOILT + 1}" in err


@pytest.mark.parametrize("fault", UNSOUND)
def test_a_log_of_unsound_rows_alone_says_why_none_can_be_used(
    rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    cells, reason = UNSOUND[fault]
    log = written(tmp_path / "log.csv", [row | cells for row in rows])
    code, out, err = run(capsys, "evaluate", log, "--policy", "uniform", "--no-reward-model")
    assert (code, out) == (2, "")
    assert "log.csv" in err
    assert f"{N} rows" in err
    assert reason in err


@pytest.mark.parametrize("cell", ["nan", ""])
def test_a_row_without_a_propensity_is_left_out_and_a_log_without_any_is_refused(
    rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str], cell: str
) -> None:
    some = written(tmp_path / "some.csv", spoilt(rows, SPOILT, propensity=cell))
    answer = judged(capsys, some)
    assert answer["log"]["rows"] == N - 1
    assert answer["log"]["left_out"] == [{"reason": "the propensity is not known", "rows": 1}]
    none = written(tmp_path / "none.csv", [row | {"propensity": cell} for row in rows])
    code, out, err = run(capsys, "evaluate", none, "--policy", "uniform", "--no-reward-model")
    assert (code, out) == (2, "")
    assert "none.csv has no propensities" in err
    assert "authopt log propensities" in err


def test_an_empty_log_is_refused(
    rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for log in (written(tmp_path / "log.csv", []), tmp_path / "log.parquet"):
        if log.suffix == ".parquet":
            write_log(log, [logged_batch(N).take(slice(0, 0))])
        for model in ("--reward-model", "--no-reward-model"):
            code, out, err = run(capsys, "evaluate", log, "--policy", "uniform", model)
            assert (code, out) == (2, "")
            assert log.name in err
            assert "empty" in err or "no row" in err


def test_an_empty_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.csv").write_text("")
    code, _, err = run(capsys, "evaluate", tmp_path / "log.csv", "--policy", "uniform")
    assert code == 2
    assert "log.csv" in err


@pytest.mark.parametrize(
    ("fault", "spoil"),
    [
        ("one decision", lambda rows: rows[:1]),
        ("one bucket filled", lambda rows: [row | {"payment_id": "p"} for row in rows]),
    ],
)
def test_a_log_that_tells_nothing_of_its_errors_gives_no_narrow_interval(
    rows: list[Row],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    spoil: Callable[[list[Row]], list[Row]],
) -> None:
    answer = judged(capsys, written(tmp_path / "log.csv", spoil(rows)))
    for estimate in answer["policies"][1]["estimates"]:
        for interval in estimate["intervals"]:
            width = interval["upper"] - interval["lower"]
            assert interval["vetoed"] or width > 0.5, (estimate["estimator"], interval)
    said = [*answer["remarks"], *answer["policies"][1]["remarks"]]
    assert said, "nothing warns of it"


def test_a_policy_that_asks_for_what_is_not_eligible_is_named(
    rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = written(tmp_path / "log.csv", rows)
    (tmp_path / "router.csv").write_text("route,probability\nadyen,0.5\nbraintree,0.5\n")
    spec = f"table:{tmp_path / 'router.csv'}"
    code, _, err = run(capsys, "evaluate", log, "--policy", spec, "--no-reward-model")
    assert code == 2
    assert "router.csv" in err
    assert "checkout" in err


def arrays() -> Arrays:
    rng = np.random.default_rng(0)
    return {
        "chosen": rng.integers(0, 3, N),
        "reward": rng.random(N),
        "logging": rng.dirichlet(np.ones(3), N),
        "evaluation": {"new": rng.dirichlet(np.ones(3), N)},
        "q": rng.random((N, 3)),
    }


def _with(array: Any, place: Any, value: Any) -> Any:
    changed = np.array(array)
    changed[place] = value
    return changed


def new(array: Any) -> Arrays:
    return {"evaluation": {"new": array}}


HALF = np.full(N, 0.5)
NEGATIVE = [1.5, 0.0, -0.5]
IMPOSSIBLE: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "propensity 0": (lambda a: {"propensity": _with(HALF, 8, 0.0)}, "row 8: propensity is 0"),
    "propensity NaN": (lambda a: {"propensity": _with(HALF, 8, np.nan)}, "row 8: propensity"),
    "logging 0": (lambda a: {"logging": _with(a["logging"], 8, 0.0)}, "row 8"),
    "logging NaN": (lambda a: {"logging": _with(a["logging"], (8, 1), np.nan)}, "decision '8'"),
    "logging sum": (lambda a: {"logging": _with(a["logging"], 8, 0.9)}, "decision '8'"),
    "reward NaN": (lambda a: {"reward": _with(a["reward"], 8, np.nan)}, "row 8: reward is nan"),
    "reward 1.5": (lambda a: {"reward": _with(a["reward"], 8, 1.5)}, "row 8: reward is 1.5"),
    "q NaN": (lambda a: {"q": _with(a["q"], (8, 1), np.nan)}, "row 8"),
    "q infinite": (lambda a: {"q": _with(a["q"], (8, 1), np.inf)}, "row 8"),
    "policy's sum": (lambda a: new(_with(a["logging"], 8, 0.5)), "decision '8'"),
    "policy's sign": (lambda a: new(_with(a["logging"], 8, NEGATIVE)), "decision '8'"),
    "policy's NaN": (lambda a: new(_with(a["logging"], (8, 1), np.nan)), "decision '8'"),
    "not eligible": (lambda a: {"chosen": _with(a["chosen"], 8, 3)}, "row 8: the logged action 3"),
    "below 0": (lambda a: {"chosen": _with(a["chosen"], 8, -1)}, "row 8: the logged action -1"),
}


@pytest.mark.parametrize("fault", IMPOSSIBLE)
def test_arrays_that_hold_what_cannot_be_are_refused_by_row(fault: str) -> None:
    spoil, said = IMPOSSIBLE[fault]
    sound = arrays()
    evaluate_arrays(**sound, bootstrap=0)
    with pytest.raises(UserError, match=re.escape(said)):
        evaluate_arrays(**(sound | spoil(sound)), bootstrap=0)


def test_empty_arrays_are_refused() -> None:
    empty = {name: each[:0] for name, each in arrays().items() if name != "evaluation"}
    with pytest.raises(UserError, match=r"no row can be used.*empty"):
        evaluate_arrays(**empty, evaluation={"new": np.zeros((0, 3))})
