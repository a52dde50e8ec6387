"""How ``authopt tune`` tells what it found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from authopt.learning.train_answer import worth
from authopt.learning.tune.final import FinalExam
from authopt.learning.tune.judging import Limits
from authopt.learning.tune.space import Value
from authopt.learning.tune.trial import Setting
from authopt.learning.tune.tune import Row, Tuned
from authopt.terminal import ACCENT

SHOWN = 9
"""Rows of each rung that the table shows."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice of the log: when it begins (UTC), and its decisions."""

    begin: str
    decisions: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of the command, as JSON tells it."""

    model: Path
    spec: str
    log: Path
    reward: str
    reward_to_go: bool
    winner: str
    values: dict[str, Value]
    slices: tuple[Slice, ...]
    rungs: tuple[Row, ...]
    final: FinalExam
    seconds: float


def answer_of(tuned: Tuned, setting: Setting, log: Path, out: Path, seconds: float) -> Answer:
    """The answer, from what was found."""
    slices = setting.slices
    return Answer(
        model=out,
        spec=f"vw:{out}",
        log=log,
        reward=setting.reward.name,
        reward_to_go=setting.to_go,
        winner=tuned.winner.label,
        values=dict(tuned.winner.values),
        slices=tuple(
            Slice(str(begin), rows) for begin, rows in zip(slices.begin, slices.rows, strict=True)
        ),
        rungs=tuned.rows,
        final=tuned.final,
        seconds=seconds,
    )


def print_tuned(answer: Answer, currency: str | None, out: Console) -> None:
    """Rungs as a table, then the winner on the last slice."""
    rows: list[tuple[str, ...]] = [_HEADINGS]
    last = max(row.rung for row in answer.rungs)
    for rung in range(1, last + 1):
        of_rung = [row for row in answer.rungs if row.rung == rung]
        rows += [_cells(row, currency, rung == last) for row in of_rung[:SHOWN]]
        if len(of_rung) > SHOWN:
            rows.append(("", "", "", "", "", f"and {len(of_rung) - SHOWN} more"))
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(_HEADINGS) - 1)]
    for number, cells in enumerate(rows):
        line = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=False))
        # The candidate comes last and on one line: copied, it can be given to `authopt train`.
        out.print(
            Text.assemble((line, ACCENT if number == 0 else ""), "  ", cells[-1]), soft_wrap=True
        )
    final = answer.final
    begin, told = answer.slices[-1].begin[:16], _told(final.greedy, currency)
    out.print()
    out.print(Text.assemble("winner   ", (answer.winner, "bold")), soft_wrap=True)
    out.print(
        f"On the last slice, from {begin} UTC, which took no part in the choice "
        f"({final.decisions:,} decisions):"
    )
    summary = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    summary.add_column(style=ACCENT, no_wrap=True)
    summary.add_column()
    summary.add_row("greedy", told)
    summary.add_row("with its floor", _told(final.floored, currency))
    summary.add_row("the log's policy", worth(currency, final.logged))
    if final.gain is not None:
        summary.add_row("gain over it", _told(final.gain, currency, sign=True))
    if final.over_default is not None:
        summary.add_row("gain over defaults", _told(final.over_default, currency, sign=True))
    out.print(summary)
    over = final.over_default
    if over is not None and over.lower <= 0.0:
        out.print(
            "The winner is not shown to be better than the defaults: the log explored too little, "
            "or they are as good.",
            style="bold yellow",
        )
    out.print("Intervals cover at 95%. What exploring is worth later does not show in this log.")
    out.print()
    command = f"authopt evaluate LATER-LOG --policy {answer.spec}"
    out.print(Text.assemble("next: ", (command, "bold")), soft_wrap=True)


_HEADINGS = ("rung", "greedy", "interval", "with floor", "", "candidate")


def _cells(row: Row, currency: str | None, is_last: bool) -> tuple[str, ...]:
    judged = row.trial.judged
    if judged is None:
        return str(row.rung), "failed", "", "", "", f"{row.candidate}: {row.trial.failed}"
    return (
        str(row.rung),
        worth(currency, judged.score),
        f"{worth(currency, judged.greedy.lower)} to {worth(currency, judged.greedy.upper)}",
        _value(judged.floored.value, currency),
        ("winner" if is_last else "goes on") if row.kept else "",
        row.candidate,
    )


def _told(limits: Limits, currency: str | None, sign: bool = False) -> str:
    plus = "+" if sign and limits.value is not None and limits.value > 0 else ""
    return (
        f"{plus}{_value(limits.value, currency)}, from {worth(currency, limits.lower)} to "
        f"{worth(currency, limits.upper)}"
    )


def _value(value: float | None, currency: str | None) -> str:
    return "not known" if value is None else worth(currency, value)
