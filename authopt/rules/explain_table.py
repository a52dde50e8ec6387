"""What rules do, for people at the terminal: with one payment, and one by one."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from authopt.actions import STOP_ROUTE
from authopt.batch import Categorical, DecisionBatch
from authopt.payments import CONTEXT_BY_NAME, Kind
from authopt.rules.durations import duration
from authopt.rules.explain import ExplainedAction, Explanation
from authopt.rules.merchant import MerchantRules
from authopt.rules.money_text import money
from authopt.terminal import ACCENT


def print_explanation(explained: Explanation, batch: DecisionBatch, console: Console) -> None:
    """Print what is known of the payment, a row for each action, and what follows."""
    at = explained.decided_at
    of = f" of payment {escape(explained.payment_id)}" if explained.payment_id else ""
    console.print(
        f"Attempt {explained.attempt}{of}, decided "
        f"{f'{at:%Y-%m-%d %H:%M:%S} UTC' if at else 'at an unknown time'}",
        style="bold",
    )
    known = known_context(batch)
    if known:
        console.print(escape(", ".join(known)), style="dim")
    console.print()
    console.print(_table(explained))
    for line in dict.fromkeys(each.fee_reason for each in explained.actions if each.fee_reason):
        console.print(f"fee: {escape(line)}", style="dim")
    if explained.unknown_code:
        console.print("\nThe tables do not know the previous code on this network.", style="yellow")
    if explained.given_up:
        console.print("\nNothing is left but stop: the payment would be given up.", style="yellow")


def print_sentences(file: str, merchant: MerchantRules, console: Console) -> None:
    """Print what a merchant's rules do, one sentence after another."""
    console.print(f"{escape(file)}: sound. After the networks' rules, in this order:\n")
    lines = Table.grid(padding=(0, 1))
    lines.add_column(justify="right", style=ACCENT)
    lines.add_column(overflow="fold")
    for number, sentence in enumerate(merchant.sentences, 1):
        lines.add_row(str(number), escape(sentence))
    console.print(lines)


def known_context(batch: DecisionBatch) -> list[str]:
    """The context, in words; references stay out of sight."""
    said = []
    for name, column in batch.context.items():
        field = CONTEXT_BY_NAME.get(name)
        if isinstance(column, Categorical):
            value = column.values()[0]
        elif field is not None and field.kind in (Kind.REFERENCE, Kind.TIME):
            continue
        elif column[0] != column[0]:
            value = None
        elif field is not None and field.kind is Kind.FLAG:
            value = "yes" if column[0] else "no"
        elif name.startswith("seconds_"):
            value = duration(int(column[0]))
        else:
            value = f"{column[0]:.15g}"
        if value is not None:
            said.append(f"{name.removeprefix('seconds_').replace('_', ' ')} {value}")
    return said


def _table(explained: Explanation) -> Table:
    """The verdict of every action; columns that say nothing are left out."""
    actions = explained.actions
    removed = not all(each.allowed for each in actions)
    charged = any(each.fee_currency for each in actions)
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("route", style=ACCENT, overflow="fold")
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("allowed, or why not", overflow="fold")
    if removed:
        table.add_column("from", no_wrap=True)
    if charged:
        table.add_column("fee if sent", justify="right", no_wrap=True)
    for each in actions:
        cells = [
            escape(each.route),
            "" if each.route == STOP_ROUTE else _delay(each.delay_s),
            "[green]allowed[/]" if each.allowed else escape(each.reason or ""),
        ]
        if removed:
            cells.append(_from(each))
        if charged:
            cells.append(money(each.fee_minor, each.fee_currency) if each.fee_currency else "")
        table.add_row(*cells)
    return table


def _delay(seconds: int) -> str:
    return duration(seconds) if seconds else "now"


def _from(action: ExplainedAction) -> str:
    if action.allowed:
        return ""
    if action.allowed_after_s is None or action.allowed_at is None:
        return "[red]never[/]"
    return f"{action.allowed_at:%Y-%m-%d %H:%M}\n[dim]in {duration(action.allowed_after_s)}[/]"
