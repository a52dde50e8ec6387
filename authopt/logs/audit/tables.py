"""The report of an audit at the terminal: tables first, the verdict last, at most 100 columns."""

from __future__ import annotations

from collections import Counter

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from authopt.logs.audit.report import (
    AuditReport,
    Column,
    Finding,
    InverseCheck,
    Level,
    Rate,
    Segmentation,
)
from authopt.terminal import ACCENT

WIDTH = 100

_STYLES = {
    Level.PROBLEM: "bold red",
    Level.WARNING: "bold yellow",
    Level.NOTE: ACCENT,
    Level.OK: "green",
}

_HEADLINES = {
    Level.PROBLEM: "Do not trust this log yet",
    Level.WARNING: "Usable, with care",
    Level.NOTE: "This log can be trusted",
    Level.OK: "This log can be trusted",
}

_SEGMENTS_SHOWN = 8
_REJECTED_SHOWN = 8
_BAR = 30


def print_audit(report: AuditReport, out: Console) -> None:
    """Print the whole report; the verdict stands at the end, where the eye is."""
    width = min(out.width, WIDTH)
    for section in (
        _overview(report),
        _columns(report),
        _rejected(report),
        *(_success(part, width) for part in report.segmentations),
        _support(report),
        _inverse(report),
        _slices(report),
    ):
        if section is not None:
            out.print(section, width=width)
            out.print()
    out.print(_verdict(report, width), width=width)


def _verdict(report: AuditReport, width: int) -> Panel:
    counts = Counter(finding.level for finding in report.findings)
    parts = [
        f"{counts[level]} {level.value}{'s' if counts[level] != 1 else ''}"
        for level in (Level.PROBLEM, Level.WARNING, Level.NOTE)
        if counts[level]
    ]
    style = _STYLES[report.verdict]
    headline = Text(_HEADLINES[report.verdict], style=style)
    headline.append(f": {', '.join(parts)}." if parts else ".", style="not bold default")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in report.findings:
        level = Text(finding.level.value, style=_STYLES[finding.level])
        table.add_row(level, _sentence(finding))
    return Panel(
        Group(headline, "", table),
        title=Text(f"verdict on {report.log}", overflow="ellipsis", no_wrap=True),
        title_align="left",
        border_style=style.removeprefix("bold "),
        width=width,
        padding=(1, 2),
    )


def _sentence(finding: Finding) -> Text:
    text = Text(finding.text)
    if finding.examples:
        examples = ", ".join(finding.examples)
        text.append(f" For example {finding.examples_of} {examples}.", style="dim")
    if finding.advice:
        text.append(f"\n{finding.advice}", style=ACCENT)
    return text


def _heading(title: str, remark: str = "") -> Text:
    return Text.assemble((title, "bold"), (f"   {remark}" if remark else "", "dim"))


def _overview(report: AuditReport) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style=ACCENT, no_wrap=True)
    table.add_column()
    rejected = f", {report.rejected:,} of them cannot be used" if report.rejected else ""
    table.add_row("rows", f"{report.rows:,}{rejected}")
    stops = f" and {report.stops:,} decisions to stop" if report.stops else ""
    table.add_row("payments", f"{report.payments:,} with {report.attempts:,} attempts{stops}")
    if report.first and report.last:
        table.add_row("time", f"{_minute(report.first)} to {_minute(report.last)} UTC")
    source = report.propensity_source
    if report.with_propensity < report.sound:
        source += f", for {report.with_propensity:,} of {report.sound:,} decisions"
    style = "" if source == "logged" else "bold yellow"
    table.add_row("propensities", Text(source, style=style))
    return table


def _columns(report: AuditReport) -> Group | None:
    """Two columns of the log side by side, so that the table stays short."""
    if not report.columns:
        return None
    table = _table()
    half = (len(report.columns) + 1) // 2
    for _ in range(2 if len(report.columns) > 1 else 1):
        table.add_column("column", style=ACCENT, overflow="fold", max_width=28)
        table.add_column("missing", justify="right", no_wrap=True)
        table.add_column("values", justify="right", no_wrap=True)
    left, right = report.columns[:half], report.columns[half:]
    for at, column in enumerate(left):
        cells = _column_cells(column)
        table.add_row(*cells, *(_column_cells(right[at]) if at < len(right) else ()))
    absent = Text(f"not in the log: {', '.join(report.absent)}", style="dim")
    return Group(_heading("columns"), table, *([absent] if report.absent else []))


def _column_cells(column: Column) -> tuple[Text, Text, str]:
    share = column.missing / column.rows if column.rows else 0.0
    missing = Text("-", style="dim")
    if column.missing:
        missing = Text(f"{share:.1%}" if share >= 0.001 else "< 0.1%", style="yellow")
    values = "" if column.distinct is None else f"{column.distinct:,}"
    if not column.distinct_exact:
        values = f"about {values}"
    return Text(column.name), missing, values


def _rejected(report: AuditReport) -> Group | None:
    if not report.rejected:
        return None
    reasons = _table()
    reasons.add_column("rows", justify="right", no_wrap=True)
    reasons.add_column("why they cannot be used", overflow="fold")
    for reason in report.rejections[:_REJECTED_SHOWN]:
        reasons.add_row(f"{reason.count:,}", Text(reason.value))
    examples = _table()
    examples.add_column("row", justify="right", style=ACCENT, no_wrap=True)
    examples.add_column("column", overflow="fold", max_width=26)
    examples.add_column("value", overflow="fold", max_width=40)
    examples.add_column("reason", overflow="fold")
    seen: Counter[str] = Counter()
    for row in report.rejected_examples:
        seen[row.reason] += 1
        if seen[row.reason] <= 2 and examples.row_count < _REJECTED_SHOWN:
            examples.add_row(f"{row.row:,}", Text(row.column), Text(row.value), Text(row.reason))
    return Group(_heading("rejected rows"), reasons, "", examples)


def _success(segmentation: Segmentation, width: int) -> Group | None:
    segments = segmentation.segments
    # One segment that all rows are in says nothing of its own.
    if not segments or (len(segments) == 1 and segmentation.columns != ("route",)):
        return None
    shown = segments[:_SEGMENTS_SHOWN]
    limits = [limit for rate in shown for limit in (rate.lower, rate.upper) if limit is not None]
    low, high = (min(limits), max(limits)) if limits else (0.0, 1.0)
    bar = _BAR if width >= WIDTH else _BAR // 2
    table = _table()
    for name in segmentation.columns:
        table.add_column(Text(name), style=ACCENT, overflow="fold", max_width=24)
    table.add_column("attempts", justify="right", no_wrap=True)
    table.add_column("approved", justify="right", no_wrap=True)
    table.add_column("95% interval", justify="right", no_wrap=True)
    table.add_column(f"{low:.0%}".ljust(bar - 4) + f"{high:.0%}".rjust(4), no_wrap=True)
    table.add_column(no_wrap=True)
    for rate in shown:
        names = [Text("(missing)" if value is None else value) for value in rate.values]
        table.add_row(*names, *_rate_cells(rate, low, high, bar))
    left = len(segments) - len(shown)
    more = [Text(f"and {left:,} smaller ones; --json has them all", style="dim")] if left else []
    return Group(_heading(f"success by {' x '.join(segmentation.columns)}"), table, *more)


def _rate_cells(rate: Rate, low: float, high: float, width: int) -> tuple[Text, ...]:
    attempts = Text(f"{rate.attempts:,}")
    if rate.rate is None or rate.lower is None or rate.upper is None:
        return attempts, Text("unknown", style="dim"), Text(""), Text(""), Text("")
    style = "dim" if rate.thin else ""

    def place(value: float) -> int:
        return round((value - low) / (high - low) * (width - 1)) if high > low else 0

    start, end, middle = place(rate.lower), place(rate.upper), place(rate.rate)
    line = " " * start + "─" * (end - start + 1)
    bar = Text(line[:middle] + "●" + line[middle + 1 :], style=style or ACCENT)
    interval = f"{rate.lower:.1%} - {rate.upper:.1%}"
    return (
        attempts,
        Text(f"{rate.rate:.1%}", style=style),
        Text(interval, style=style),
        bar,
        Text("thin" if rate.thin else "", style="dim"),
    )


def _support(report: AuditReport) -> Group | None:
    if not report.routes:
        return None
    table = _table()
    table.add_column("route", style=ACCENT, overflow="fold", max_width=24)
    for title in ("eligible", "share", "taken", "share", "least p", "1% below", "median p"):
        table.add_column(title, justify="right", no_wrap=True)
    for route in report.routes:
        table.add_row(
            Text(route.route),
            f"{route.eligible:,}",
            f"{route.eligible_share:.0%}",
            f"{route.taken:,}",
            f"{route.taken_share:.1%}" if route.taken else Text("never", style="yellow"),
            *map(_probability, (route.smallest, route.first_percentile, route.median)),
        )
    return Group(_heading("support", _overlap(report)), table)


def _overlap(report: AuditReport) -> str:
    overlap = report.overlap
    if overlap.effective_actions is None:
        return f"{overlap.actions:.1f} eligible actions per decision with a choice"
    parts = [
        f"{overlap.effective_actions:.2f} effective of {overlap.actions:.1f} actions",
        f"an action below 1% in {overlap.below_1_percent:.1%}",
        f"largest weight {overlap.largest_possible or 0:,.0f}",
    ]
    return ", ".join(parts)


def _inverse(report: AuditReport) -> Group | None:
    if not report.inverse:
        return None
    table = _table()
    table.add_column("1/propensity of", style=ACCENT, overflow="fold", max_width=32)
    for title in ("decisions", "mean", "± s.e.", "expected", "z"):
        table.add_column(title, justify="right", no_wrap=True)
    for check in report.inverse:
        table.add_row(
            Text(check.what),
            f"{check.decisions:,}",
            f"{check.mean:.3f}",
            f"{check.standard_error:.3f}",
            _expected(check),
            _z(check),
        )
    remark = "has to be the number of actions, or 1 for a route"
    return Group(_heading("propensity check", remark), table)


def _slices(report: AuditReport) -> Group | None:
    if len(report.slices) < 2:
        return None
    table = _table()
    table.add_column("from", style=ACCENT, no_wrap=True)
    checked = ("1/propensity", "expected", "z") if report.inverse else ()
    for title in ("decisions", "approved", *checked):
        table.add_column(title, justify="right", no_wrap=True)
    for part in report.slices:
        check = part.inverse
        table.add_row(
            _minute(part.start),
            f"{part.decisions:,}",
            "" if part.rate is None else f"{part.rate:.1%}",
            *(
                ("", "", "")
                if check is None
                else (f"{check.mean:.3f}", _expected(check), _z(check))
            ),
        )
    return Group(_heading("over time", "UTC"), table)


def _expected(check: InverseCheck) -> str:
    return f"{check.expected:.3f}" if check.exact else f"<= {check.expected:.3f}"


def _z(check: InverseCheck) -> Text:
    if check.z is None:
        return Text("-", style="dim")
    return Text(f"{check.z:+.1f}", style="bold red" if check.alarm else "")


def _probability(value: float | None) -> Text:
    if value is None:
        return Text("-", style="dim")
    if 0 < value < 0.0001:
        return Text(f"{value:.0e}", style="yellow")
    return Text(f"{value:.4f}", style="yellow" if value < 0.01 else "")


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
