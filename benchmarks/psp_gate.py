"""``python -m benchmarks.psp_gate [LOG]``: learn on January, pass the gate, hold in February.

The log is that of ``benchmarks.psp_money``, the reward a tenth of the approved amount less fees. On
January policies are trained: the best single PSP; a logistic regression of approval for every PSP,
played greedily by the money that it expects; VW on the money itself, as ``authopt train`` makes it
by default; and ``expected-money``, with trees of approval and with VW's regression of approval.
February is not looked at before: nothing is chosen on it. Propensities are estimated on each part
that is judged for itself.

- *February*: every policy is judged on the days from February 1 on; differences are paired. With
  ``--judge-from 2019-02-15`` and a log that goes on, on the days from then on.
- *The gate*: policies trained on the earlier part of January are judged on the rest of it, against
  the policy that made the log, and then again in February. Gate and February agree if both find a
  gain (the gate passes, and February's gain is above 0), or neither does, and the two estimates
  differ by no more than their errors allow (95%). A gate that cannot show a gain fails, so a small
  one may be there all the same.
- *Week by week*: February alone is short. So policies are also trained anew every week from the
  middle of January on, on all that came before, and judged on the week that follows; the weeks
  together are twice as long. That the trees are grown route by route was chosen on the end of
  January, which is among these weeks.

Bar: in February ``expected-money`` with trees earns more than the best single PSP and the logistic
regression, exploration included, by the estimates; and the gate on it agrees with February.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Console
from rich.table import Table

from authopt.evaluation.engine import evaluate
from authopt.evaluation.quantities import Estimate
from authopt.evaluation.result import Evaluation
from authopt.learning.gate.judge import judge
from authopt.learning.gate.settings import Gate
from authopt.learning.gate.verdict import GateVerdict
from authopt.learning.reward_model import fit_reward_model
from authopt.logs.files import AttemptLog, open_log, write_log
from authopt.logs.importing import import_file, load_mapping
from authopt.logs.propensity import estimate_propensities
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PropensitySource
from authopt.logs.split import split_log
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import Policy
from authopt.rewards import MoneyReward, parse_reward
from benchmarks._psp_policies import (
    OURS,
    OURS_VW,
    REGRESSION,
    SINGLE,
    VW,
    Refreshed,
    policies,
    without_propensities,
)
from benchmarks.psp_money import LOG, MAPPING, REWARD

SHOP = ZoneInfo("Europe/Berlin")

FEBRUARY = datetime(2019, 2, 1, tzinfo=SHOP)

WEEKS = tuple(datetime(2019, 1, day, tzinfo=SHOP) for day in (15, 22, 29)) + tuple(
    datetime(2019, 2, day, tzinfo=SHOP) for day in (5, 12)
)
"""When policies are trained anew."""

LEARN_SHARE = 0.7
"""Share of January that a policy is trained on before the gate judges it on the rest."""

EUR = 0.01


def imported(source: Path, folder: Path) -> AttemptLog:
    """The log, without propensities."""
    plain = folder / "plain.parquet"
    with Rejects() as rejects:
        import_file(source, load_mapping(MAPPING), plain, rejects, iter)
    return open_log(plain)


def utc(time: datetime) -> np.datetime64:
    """An instant as logs have it."""
    return np.datetime64(time.astimezone(ZoneInfo("UTC")).replace(tzinfo=None), "us")


def cut(log: AttemptLog, at: datetime | float) -> tuple[AttemptLog, AttemptLog]:
    """What came before, and what came after; whole payments."""
    named = f"{at:%m-%d}" if isinstance(at, datetime) else f"{at:g}"
    paths = [log.path.with_name(f"{log.path.stem}-{side}-{named}.parquet") for side in "ba"]
    where = utc(at) if isinstance(at, datetime) else at
    split_log(log, where, paths[0], paths[1], lambda items, _: iter(items))
    return open_log(paths[0]), open_log(paths[1])


def with_propensities(log: AttemptLog) -> AttemptLog:
    """The log with propensities that were estimated on it alone."""
    model = estimate_propensities(log.batches()).model
    full = log.path.with_name(f"{log.path.stem}-full.parquet")
    write_log(full, map(model.fill, log.batches()), PropensitySource.ESTIMATED)
    return open_log(full)


def judged(log: AttemptLog, found: dict[str, Policy], reward: MoneyReward) -> Evaluation:
    """All policies on one log."""
    model = fit_reward_model(log.batches(reward=reward))
    return evaluate(
        log.batches(reward=reward),
        list(found.values()),
        reward_model=model,
        reward=reward,
        bootstrap=0,
        learn_every=None,
        payments=False,
        specs=list(found),
        propensity_source=log.propensity_source,
    )


def gain(evaluation: Evaluation, first: str, second: str) -> Estimate:
    """The difference between two policies by their specs."""
    names = {each.spec: each.name for each in evaluation.policies}
    for each in evaluation.comparisons:
        if (each.first, each.second) == (names[second], names[first]):
            other = each.difference
            assert other.value is not None
            return _turned(other)
        if (each.first, each.second) == (names[first], names[second]):
            return each.difference
    raise KeyError((first, second))


def _turned(estimate: Estimate) -> Estimate:
    return replace(
        estimate,
        value=None if estimate.value is None else -estimate.value,
        intervals=tuple(
            replace(each, lower=-each.upper, upper=-each.lower) for each in estimate.intervals
        ),
    )


def print_values(console: Console, evaluation: Evaluation, heading: str) -> None:
    """One table: a policy a row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(heading, no_wrap=True)
    headings = ["EUR per attempt", "95%"]
    headings += [f"{OURS}, less it", "95%", "normal"]
    for each in headings:
        table.add_column(each, justify="right", no_wrap=True)
    own = next(each for each in evaluation.policies if each.spec == OURS)
    for policy in evaluation.policies:
        value = policy.value
        assert value.value is not None
        row = [policy.spec, f"{value.value * EUR:.2f}", _limits(value, "cressie-read")]
        if policy is not own:
            found = own.gain if policy.is_logging_policy else gain(evaluation, OURS, policy.spec)
            assert found is not None
            assert found.value is not None
            row += [f"{found.value * EUR:+.2f}", *(_limits(found, m) for m in METHODS)]
        table.add_row(*row)
    console.print(table)


METHODS = ("cressie-read", "normal")


def _limits(estimate: Estimate, method: str) -> str:
    found = estimate.by(method)
    if found is None:
        return "—"
    sign = "" if found.lower >= 0.0 and estimate.value and estimate.value > 200 else "+"
    return f"{found.lower * EUR:{sign}.2f} to {found.upper * EUR:{sign}.2f}"


@dataclass(frozen=True, slots=True)
class Agreement:
    """The gate's verdict on a policy at the end of January, and what February says of it.

    Attributes
    ----------
    name
        the policy's.
    verdict
        of the gate.
    gate, february
        gains over the policy that made the log, minor units per attempt, with standard errors.
    """

    name: str
    verdict: GateVerdict
    gate: tuple[float, float]
    february: tuple[float, float]

    @property
    def apart(self) -> float:
        """How many standard errors the two estimates are apart."""
        (one, error), (other, more) = self.gate, self.february
        return abs(one - other) / float(np.hypot(error, more))

    @property
    def holds(self) -> bool:
        """Whether gate and February agree."""
        return self.verdict.passed == (self.february[0] > 0.0) and self.apart < 1.96


def agreements(
    january: AttemptLog, february: AttemptLog, reward: MoneyReward, folder: Path
) -> list[Agreement]:
    """Of the policies that are no baseline, trained on the earlier part of January."""
    early, judging = cut(january, LEARN_SHARE)
    trained = policies(early, reward, folder)
    chosen = {name: trained[name] for name in (VW, OURS_VW, OURS)}
    at_the_gate = judged(judging, chosen, reward)
    later = judged(february, chosen, reward)
    found = []
    for place, (name, policy) in enumerate(chosen.items(), start=1):
        verdict = judge(
            judging.batches(reward=reward),
            policy,
            LoggedPolicy(),
            Gate(),
            columns=judging.columns,
            reward=reward,
            specs=(name, "logged"),
            propensity_source=judging.propensity_source,
            path=judging.path,
        )
        gains = [_with_error(each.policies[place].gain) for each in (at_the_gate, later)]
        found.append(Agreement(name, verdict, gains[0], gains[1]))
    return found


def _with_error(gain: Estimate | None) -> tuple[float, float]:
    assert gain is not None
    assert gain.value is not None
    normal = gain.by("normal")
    assert normal is not None
    return gain.value, normal.width / (2.0 * 1.96)


def print_agreements(console: Console, found: list[Agreement]) -> None:
    """One table: a policy a row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("trained on early January", no_wrap=True)
    for heading in (
        "gate", "lower bound", "gain at the gate", "gain in February", "apart", "agree",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        figures = (
            f"{value * EUR:+.2f} ± {1.96 * error * EUR:.2f}"
            for value, error in (each.gate, each.february)
        )
        table.add_row(
            each.name,
            each.verdict.word,
            f"{each.verdict.lower * EUR:+.2f}",
            *figures,
            f"{each.apart:.1f} s.e.",
            "yes" if each.holds else "no",
        )
    console.print(table)
    for each in found:
        for check in each.verdict.failed:
            console.print(f"{each.name}: {check.title}: {check.reason}", soft_wrap=True)


def week_by_week(log: AttemptLog, reward: MoneyReward) -> Evaluation:
    """Policies that are trained anew every week, on the weeks after the first training."""
    trained: dict[str, list[Policy]] = {}
    for start in WEEKS:
        for name, policy in without_propensities(cut(log, start)[0], reward).items():
            trained.setdefault(name, []).append(policy)
    since = np.array([utc(start) for start in WEEKS])
    refreshed: dict[str, Policy] = {
        name: Refreshed(since, tuple(found), name) for name, found in trained.items()
    }
    return judged(with_propensities(cut(log, WEEKS[0])[1]), refreshed, reward)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", nargs="?", type=Path, default=LOG, help="the log as a CSV file")
    parser.add_argument("--quick", action="store_true", help="without the weeks")
    parser.add_argument(
        "--judge-from",
        type=lambda text: datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=SHOP),
        default=FEBRUARY,
        help="first day that is judged, by the shop's clock: February 1",
    )
    options = parser.parse_args()
    console = Console(highlight=False, width=130)
    if not options.log.is_file():
        console.print(f"{options.log}: no such file; give the path of the log", soft_wrap=True)
        return 2
    start = time.perf_counter()
    reward = parse_reward(f"money:{REWARD}")
    assert isinstance(reward, MoneyReward)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = imported(options.log, folder)
        january = with_propensities(cut(log, FEBRUARY)[0])
        february = with_propensities(cut(log, options.judge_from)[1])
        evaluation = judged(february, policies(january, reward, folder), reward)
        agreed = agreements(january, february, reward, folder)
        weeks = None if options.quick else week_by_week(log, reward)
    facts = evaluation.log
    console.print(
        f"trained on {january.num_rows:,} attempts of January; judged on {facts.rows:,} attempts, "
        f"{facts.first:%Y-%m-%d} to {facts.last:%Y-%m-%d}. Propensities are ESTIMATED, and no "
        "interval covers their error.",
        soft_wrap=True,
    )
    console.print()
    print_values(console, evaluation, "February")
    console.print()
    print_agreements(console, agreed)
    console.print()
    if weeks is not None:
        print_values(console, weeks, "week by week")
        facts = weeks.log
        console.print(
            f"{facts.rows:,} attempts, {facts.first:%Y-%m-%d} to {facts.last:%Y-%m-%d}, each by "
            "policies trained on all before its week",
        )
        console.print()
    ahead = {name: gain(evaluation, OURS, name).value or 0.0 for name in (SINGLE, REGRESSION)}
    holds = next(each for each in agreed if each.name == OURS).holds
    console.print(
        f"{OURS}: {ahead[SINGLE] * EUR:+.2f} EUR an attempt against the best single PSP, "
        f"{ahead[REGRESSION] * EUR:+.2f} against the regression; its gate "
        f"{'agrees' if holds else 'does not agree'} with February; "
        f"{time.perf_counter() - start:.0f} seconds",
        soft_wrap=True,
    )
    figure = min(ahead.values()) * EUR
    console.print(f"psp_gate: {figure:+.2f} EUR an attempt (bar above 0, and the gate agrees)")
    return 0 if figure > 0.0 and holds else 1


if __name__ == "__main__":
    sys.exit(main())
