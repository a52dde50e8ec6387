"""How ``authopt train`` tells what it made."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from authopt.prices.currencies import DECIMALS
from authopt.terminal import ACCENT


def print_answer(answer: dict[str, Any], out: Console) -> None:
    """The answer as a table, what was left out, and what comes next."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    table.add_column(style=ACCENT, no_wrap=True)
    table.add_column(overflow="fold")
    for what, value in _lines(answer):
        table.add_row(what, Text(value))
    out.print(table)
    for left_out in answer.get("left_out", ()):
        out.print(
            Text.assemble(
                ("left out ", "bold yellow"), f"{left_out.rows:,} rows: {left_out.reason}"
            )
        )
    out.print()
    command = f"authopt evaluate LATER-LOG --policy {answer['spec']}"
    out.print(Text.assemble("next: ", (command, "bold")), soft_wrap=True)


def _lines(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    told = partial(worth, answer["currency"])
    yield "model", str(answer["model"])
    yield "learned from", f"{answer['rows']:,} decisions"
    if answer.get("ancestors"):
        before = sum(each.rows for each in answer["ancestors"])
        yield "went on from", f"{answer['from']}, which had learned from {before:,} decisions"
    if "reward_to_go" in answer:
        of_payment = "the payment from the decision on" if answer["reward_to_go"] else "the attempt"
        yield "reward", f"{answer['reward']} of {of_payment}"
        if answer["completed"]:
            yield "completed", answer["completed"]
        yield "logging policy", f"{told(answer['mean_reward'])} mean reward"
        yield "while it learned", _while_it_learned(answer["progressive"], told)
        total = sum(answer["routes"].values())
        shares = (f"{route} {count / total:.1%}" for route, count in answer["routes"].items())
        yield "routes taken", "   ".join(shares)
        yield "time", f"{answer['seconds']:.1f} s"
    elif "least" in answer:
        yield "held to the live", answer["live"]
        classes = (
            f"{answer['classes']} classes by {', '.join(answer['class_columns']) or 'nothing'}"
        )
        yield "actions taken", f"{answer['actions']} in {classes}"
        share = answer["certain_rows"] / answer["rows"]
        yield (
            "of them certain",
            f"{answer['certain']}, taken {answer['least']} times or more: {share:.1%} of the "
            "decisions",
        )
    else:
        if "trees" in answer:
            yield "approved", f"{answer['mean_reward']:.4f} of the attempts"
            yield "trees", f"{answer['trees']} gradient-boosted trees"
        elif "approval_model" in answer:
            yield "approved", f"{answer['mean_reward']:.4f} of the attempts"
            yield "time", f"{answer['seconds']:.1f} s"
        else:
            yield "mean reward", f"{told(answer['mean_reward'])} {answer['reward']}"
            rates = (f"{route} {told(rate)}" for route, rate in answer["routes"].items())
            yield "rates", "   ".join(rates)


def _while_it_learned(progressive: Any, told: Any) -> str:
    if progressive is None:
        return "no progressive value: that takes one pass, over more than a few decisions"
    limits = progressive.interval
    said = f"{limits.confidence:.0%} interval {told(limits.lower)} to {told(limits.upper)}"
    value = "nothing to estimate it from" if progressive.value is None else told(progressive.value)
    return f"{value} progressive value, {said} ({progressive.decisions:,} decisions judged)"


def worth(currency: str | None, value: float) -> str:
    """A mean reward, in money in the major unit of its currency."""
    if currency is None:
        return f"{value:.4f}"
    return f"{currency} {value / 10 ** DECIMALS[currency]:,.4f}"
