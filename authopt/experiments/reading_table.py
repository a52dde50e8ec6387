"""An experiment's reading, and a plan, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from authopt.experiments.difference import ArmValue, Difference
from authopt.experiments.from_log import Counted
from authopt.experiments.planning import Plan
from authopt.experiments.reading import Reading


def print_reading(reading: Reading, counted: Counted, screen: Console) -> None:
    """The verdict, then what it rests on."""
    found = reading.verdict
    screen.print(f"[bold]{found.why}[/bold]")
    for reason in found.reasons:
        screen.print(reason)
    screen.print(_values(reading))
    for name, what in (
        (
            "Segments",
            [(f"{each.column} = {each.segment}", each.difference) for each in reading.segments],
        ),
        ("Metrics", [(each.metric, one) for each in reading.metrics for one in each.differences]),
    ):
        if what:
            screen.print(_differences(name, what))
    for judgement in reading.guardrails:
        if judgement.guardrail.metric in reading.unmeasured:
            continue
        screen.print(f"guardrail {judgement.state.value}: {judgement.why}")
    for metric in reading.unmeasured:
        screen.print(f"guardrail unknown: the log says nothing of {metric}")
    if reading.variance_reduction is not None:
        screen.print(f"covariates took away {reading.variance_reduction:.1%} of the variance")
        for plain, part in zip(reading.unadjusted, reading.narrower, strict=True):
            screen.print(
                f"without them {plain.arm} gains {_number(plain.estimate, sign=True)} "
                f"({_limits(plain)}); with them its limits are {_narrower(part)}"
            )
    ratio = reading.sample_ratio
    planned = " : ".join(f"{share:.4g}" for share in ratio.shares)
    screen.print(
        f"split: {' : '.join(f'{units:,}' for units in ratio.units)} units, planned {planned}; "
        f"p = {ratio.p_value:.2g} at every look, {ratio.chi_square_p_value:.2g} by chi-square "
        "at one look"
    )
    screen.print(_counted(counted))


def print_plans(plans: Sequence[Plan], screen: Console) -> None:
    """One row per effect."""
    first = plans[0]
    screen.print(
        f"value per payment {first.mean:.4g}, variance {first.variance:.4g}, design effect "
        f"{first.design_effect:.3g}, {first.reduction:.1%} of it foretold by covariates; "
        f"{first.payments_per_day:,.0f} payments a day in the experiment"
    )
    table = Table()
    for name in (
        "effect",
        "fixed test",
        "days",
        "every look: half are done by",
        "days",
        f"{first.power:.0%} by",
        "days",
    ):
        table.add_column(name, justify="right")
    for each in plans:
        table.add_row(
            f"{each.effect:g}",
            f"{each.fixed:,}",
            f"{each.fixed_days:,.1f}",
            f"{each.sequential_median:,}",
            f"{each.median_days:,.1f}",
            f"{each.sequential_enough:,}",
            f"{each.enough_days:,.1f}",
        )
    screen.print(table)


def _values(reading: Reading) -> Table:
    table = Table(title="Value per payment")
    for name in ("arm", "payments", "value", "limits", "difference", "its limits"):
        table.add_column(name, justify="left" if name == "arm" else "right")
    by_arm = {each.arm: each for each in reading.differences}
    for value in reading.values:
        found = by_arm.get(value.arm)
        table.add_row(
            value.arm,
            f"{value.units:,}",
            _number(value.mean),
            _limits(value),
            "" if found is None else _number(found.estimate, sign=True),
            "" if found is None else _limits(found),
        )
    return table


def _differences(title: str, what: Sequence[tuple[str, Difference]]) -> Table:
    table = Table(title=title)
    for name in (title.lower(), "arm", "difference", "its limits"):
        table.add_column(name, justify="right" if "d" in name[:1] or "limits" in name else "left")
    for name, found in what:
        mark = " worse" if found.worse and title == "Segments" else ""
        table.add_row(
            name, found.arm, _number(found.estimate, sign=True), f"{_limits(found)}{mark}"
        )
    return table


def _number(value: float | None, sign: bool = False) -> str:
    if value is None:
        return "-"
    return f"{value:+.4g}" if sign else f"{value:.4g}"


def _limits(found: Difference | ArmValue) -> str:
    if found.lower is None or found.upper is None:
        return "-"
    sign = isinstance(found, Difference)
    return f"{_number(found.lower, sign)} to {_number(found.upper, sign)}"


def _narrower(part: float | None) -> str:
    if part is None:
        return "not known yet"
    return f"{abs(part):.1%} {'wider' if part < 0.0 else 'narrower'}"


def _counted(counted: Counted) -> str:
    left_out = {
        "not in the experiment": counted.outside,
        "had begun before it": counted.began_before,
        "without a unit": counted.without_unit,
        "without a reward": counted.without_value,
        "too young": counted.too_young,
    }
    noted = {
        "count as not paid, as no outcome is known": counted.unknown,
        "changed arms and count for the first": counted.switched,
        f"in another currency than {counted.currency} are not in the fees": counted.other_currency,
    }
    parts = [f"{counted.payments:,} payments"]
    parts += [f"left out: {number:,} {why}" for why, number in left_out.items() if number]
    parts += [f"{number:,} {why}" for why, number in noted.items() if number]
    return "; ".join(parts)
