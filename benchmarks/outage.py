"""``python -m benchmarks.outage [--quick] [--out PICTURE]``: who leaves an acquirer that is down.

Card payments, 50 a second. The main route, made the best one, goes down for some minutes and comes
back. For each policy and seed, of the first attempts that could take the route: the share that does
before, and from two minutes into the outage on; when it has fallen to 5%; when 90% of the share
before is back; and the approvals lost from the outage on, in expectation, to the action of the
highest true chance at each decision. The bar is on the recommended policy and its worst seed: left
within 60 seconds, back within 10 minutes. Those who learn of routes alone retry on a timetable.

Without a bar: outages of half the attempts, and of one large issuer's; and what guarding costs
while nothing happens.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from authopt.batch import FloatArray
from authopt.errors import UserError
from authopt.policies.guard import Guarded
from benchmarks._outage_quiet import Month, quiet_month
from benchmarks._outage_stage import (
    BIN_S,
    DOWN,
    FIRST,
    HALF,
    ISSUER,
    NOTHING,
    PER_SECOND,
    SLOT_S,
    TROUBLES,
    Course,
    Times,
    course,
    stage,
)
from simulator.scenarios.contenders import contenders
from simulator.scenarios.follow import follow_one
from simulator.scenarios.places import MAIN_ROUTE, success_rate
from simulator.scenarios.scenario import ALL

LEAVE_S, RETURN_S = 60.0, 600.0
RECOMMENDED = "recommended"
HEDGED = "success rate, hedged"
UNGUARDED = "the same, unguarded"
POLICIES = {
    RECOMMENDED: "recommended",
    UNGUARDED: "recommended",
    "success rate": "scheduled+" + success_rate("currency", window=100, hedging=0.0),
    HEDGED: "scheduled+" + success_rate("currency", window=100, hedging=0.05),
    "success rate, elimination": "scheduled+success-rate-elimination",
    "discounted Thompson": "scheduled+thompson:discount=0.999",
}
FULL, QUICK = Times(600, 600, 900), Times(240, 240, 660)


@dataclass(frozen=True, slots=True)
class Job:
    """One policy in one run."""

    label: str
    trouble: str
    times: Times
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """What came out: the course, the share on the route by bin, alarms of a guard (None: none)."""

    course: Course
    share: FloatArray
    expected: float
    alarms: int | None


def ran(job: Job) -> Ran:
    """Let one policy meet its trouble."""
    spec = {job.label: POLICIES[job.label]}
    where = stage(TROUBLES[job.trouble], job.times, job.seed, spec)
    (contender,) = contenders(where.world, where.policies)
    if job.label == UNGUARDED:
        assert isinstance(contender.policy, Guarded)
        contender = replace(contender, policy=contender.policy.policy)
    series = {each.group: each for each in follow_one(where, contender)}
    first, whole = series[FIRST], series[ALL]
    alarms = contender.policy.alarms if isinstance(contender.policy, Guarded) else None
    return Ran(
        course(first, job.times),
        first.share_on(MAIN_ROUTE),
        float(whole.expected.sum() / whole.first.sum()),
        alarms,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one seed, shorter, with a single baseline"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("outage.png"), help="the picture")
    options = parser.parse_args()
    times, seeds = (QUICK, 1) if options.quick else (FULL, options.seeds)
    labels = [RECOMMENDED, HEDGED] if options.quick else list(POLICIES)
    jobs = [Job(label, DOWN.name, times, seed) for label in labels for seed in range(1, seeds + 1)]
    extra = [] if options.quick else _without_bar(times)
    console = Console(highlight=False)
    with ProcessPoolExecutor() as pool:
        months = [] if options.quick else [pool.submit(quiet_month, seed) for seed in (1, 2)]
        done = dict(zip([*jobs, *extra], pool.map(ran, [*jobs, *extra]), strict=True))
        found = [each.result() for each in months]
    runs = {label: [done[job] for job in jobs if job.label == label] for label in labels}
    console.print(_table(runs, times))
    if extra:
        console.print(_others(done, extra))
        console.print(_quiet(done, times, found), soft_wrap=True)
    try:
        draw(runs, times, options.out)
        console.print(f"picture: {options.out}")
    except UserError as error:
        console.print(f"no picture: {error}", soft_wrap=True)
    return _verdict(console, [each.course for each in runs[RECOMMENDED]])


def _without_bar(times: Times) -> list[Job]:
    troubles = [
        Job(label, trouble.name, times, 1)
        for trouble in (HALF, ISSUER)
        for label in (RECOMMENDED, HEDGED)
    ]
    quiet = [Job(label, NOTHING.name, times, 1) for label in (RECOMMENDED, UNGUARDED)]
    return troubles + quiet


def _verdict(console: Console, courses: Sequence[Course]) -> int:
    left, back = _worst(courses, "left_s"), _worst(courses, "back_s")
    console.print(
        f"outage: 95% left after {_seconds(left)}, 90% back after {_minutes(back)} "
        f"(bar {LEAVE_S:.0f} s, {RETURN_S / 60:.0f} min)",
        soft_wrap=True,
    )
    met = left is not None and left <= LEAVE_S and back is not None and back <= RETURN_S
    return 0 if met else 1


def _table(runs: dict[str, list[Ran]], times: Times) -> Table:
    seeds = len(next(iter(runs.values())))
    table = _plain_table(
        f"{MAIN_ROUTE} down for {times.down_s // 60} minutes, {PER_SECOND} payments/s, "
        f"{seeds} {'seeds' if seeds > 1 else 'seed'}: median (worst)"
    )
    table.add_column("policy", no_wrap=True)
    for heading in ("before", "95% left", "later", "90% back", "lost"):
        table.add_column(heading, justify="right")
    for label, of in runs.items():
        courses = [each.course for each in of]
        table.add_row(
            label,
            f"{median(each.usual for each in courses):.1%}",
            f"{_seconds(_median(courses, 'left_s'))} ({_seconds(_worst(courses, 'left_s'))})",
            f"{median(each.kept for each in courses):.1%}",
            f"{_minutes(_median(courses, 'back_s'))} ({_minutes(_worst(courses, 'back_s'))})",
            f"{median(each.lost for each in courses):,.0f} "
            f"({max(each.lost for each in courses):,.0f})",
        )
    return table


def _others(done: dict[Job, Ran], extra: Sequence[Job]) -> Table:
    table = _plain_table("parts of an outage, one seed; no bar")
    for heading in ("trouble", "policy"):
        table.add_column(heading, no_wrap=True)
    for heading in ("before", "95% left", "later", "90% back", "lost"):
        table.add_column(heading, justify="right")
    for job in extra:
        if job.trouble == NOTHING.name:
            continue
        found = done[job].course
        table.add_row(
            job.trouble,
            job.label,
            f"{found.usual:.1%}",
            _seconds(found.left_s),
            f"{found.kept:.1%}",
            _minutes(found.back_s),
            f"{found.lost:,.0f}",
        )
    return table


def _plain_table(title: str) -> Table:
    return Table(title=title, box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left")


def _quiet(done: dict[Job, Ran], times: Times, months: Sequence[Month]) -> str:
    calm = {job.label: each for job, each in done.items() if job.trouble == NOTHING.name}
    guarded, plain = calm[RECOMMENDED], calm[UNGUARDED]
    attempts = sum(each.attempts for each in months)
    false = sum(each.false_alarms for each in months)
    found = sum(each.true_alarms for each in months)
    return (
        f"{times.total_s // 60} minutes at {PER_SECOND} payments/s without trouble: "
        f"{guarded.alarms} alarms, "
        f"{guarded.expected:.4f} approvals a payment against {plain.expected:.4f} unguarded\n"
        f"{len(months)} times {months[0].days} days of card traffic, {attempts:,} attempts: "
        f"{false} false alarms, and {found} within a route's own hidden outages; "
        f"{sum(each.guarded for each in months) / len(months):.5f} approvals a decision against "
        f"{sum(each.plain for each in months) / len(months):.5f} unguarded"
    )


def _median(courses: Sequence[Course], name: str) -> float | None:
    """Of a time that may never have come; None counts as longer than any."""
    values = sorted(_or_never(getattr(each, name)) for each in courses)
    middle = values[len(values) // 2]
    return middle if np.isfinite(middle) else None


def _worst(courses: Sequence[Course], name: str) -> float | None:
    worst = max(_or_never(getattr(each, name)) for each in courses)
    return worst if np.isfinite(worst) else None


def _or_never(value: float | None) -> float:
    return float("inf") if value is None else value


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


def _minutes(value: float | None) -> str:
    return "never" if value is None else f"{value / 60:.1f} min"


def draw(runs: dict[str, list[Ran]], times: Times, path: Path) -> None:
    """The share of the first attempts on the route over time, of the first seed, by policy."""
    from authopt.look.static_charts import (
        EndLabel,
        chart_defaults,
        label_ends,
        new_figure,
        save,
        say,
        shade,
        stroke,
    )
    from simulator.scenarios.pictures import percent_axis

    with chart_defaults() as look:
        figure = new_figure(8.4, 4.8)
        axes = figure.subplots()
        ends = []
        for number, (label, of) in enumerate(runs.items()):
            share, drawn = of[0].share, stroke(number)
            minutes = (np.arange(len(share)) * BIN_S + BIN_S / 2 - times.before_s) / 60.0
            axes.plot(minutes, share, linewidth=2.2 if number == 0 else 1.5, **drawn.line)
            ends.append(EndLabel(label, float(share[-6:].mean()), drawn))
        shade(axes, look, 0.0, times.down_s / 60.0, f"{MAIN_ROUTE} is down")
        axes.set_xlim(-times.before_s / 60.0, (times.down_s + times.after_s) / 60.0)
        axes.set_xlabel(f"minutes since {MAIN_ROUTE} went down")
        percent_axis(axes, 0.0, 1.16)
        first = runs[RECOMMENDED][0].course
        say(
            figure,
            look,
            f"The recommended policy has left after {_seconds(first.left_s)} and is back "
            f"{_minutes(first.back_s)} after the outage",
            f"Share of the first attempts that could take {MAIN_ROUTE} and do, in stretches of "
            f"{BIN_S} s; {PER_SECOND} payments a second, policies learn every {SLOT_S} s.",
        )
        label_ends(axes, look, ends)
        save(figure, path)


if __name__ == "__main__":
    sys.exit(main())
