"""The checks of the gate, each in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from authopt.batch import utc_datetime
from authopt.evaluation.payments.result import ATTEMPTS, COST_PER_APPROVAL, VALUE
from authopt.evaluation.propensities.verdicts import Verdict
from authopt.evaluation.quantities import Level
from authopt.learning.gate.along_log import AlongLog
from authopt.learning.gate.gains import Sides, trusted
from authopt.learning.gate.pair_segments import ALL
from authopt.learning.gate.segments import difference_in, ranges_of, segment_checks
from authopt.learning.gate.settings import Gate
from authopt.learning.gate.trained_on import TrainedOn
from authopt.learning.gate.verdict import GainBound, GateCheck, Outcome
from authopt.learning.gate.wording import Told

FLOOR_TOLERANCE = 0.01
"""Share of the least epsilon that VW's float32 may take off it."""


def checks_of(
    sides: Sides,
    along: AlongLog,
    gate: Gate,
    bound: GainBound,
    gain: float | None,
    trained: TrainedOn | None,
    same_log: bool,
) -> tuple[GateCheck, ...]:
    """All checks, in the order in which they are shown."""
    told = Told(sides.evaluation)
    work = _Checks(sides, along, gate, told)
    return (
        work.gain(bound, gain),
        work.support(),
        work.propensities(),
        work.freshness(trained, same_log),
        *segment_checks(sides, along, gate, told),
        *work.payments(),
        *work.excess_fees(),
        work.one_route(),
        work.floor(),
        work.exploration(),
    )


@dataclass(frozen=True, slots=True)
class _Checks:
    sides: Sides
    along: AlongLog
    gate: Gate
    told: Told

    @property
    def span(self) -> float:
        low, high = self.along.reward.bounds
        return high - low

    def gain(self, bound: GainBound, gain: float | None) -> GateCheck:
        margin, told = self.gate.margin, self.told
        is_worse = bound.upper is not None and bound.upper < margin
        if self.gate.gain_rule == "not-shown-worse":
            passed, side, limit = not is_worse, "upper", bound.upper
            shown = f"{'not ' if passed else ''}shown to be below"
        else:
            passed, side, limit = bound.lower > margin, "lower", bound.lower
            shown = f"{'' if passed else 'not '}shown to exceed"
        method = f"{bound.method}, {bound.confidence:.0%}"
        found = "unknown" if limit is None else told.change(limit)
        reason = (
            f"the gain per {self.gate.unit} is {shown} {told.reward(margin)}: its {side} bound "
            f"({method}) is {found}"
        )
        return GateCheck(
            "gain", "gain over the live policy", _outcome(passed), gain, bound.lower, bound.upper,
            margin, reason, self.told.is_money, not passed and not is_worse,
        )  # fmt: skip

    def support(self) -> GateCheck:
        found = self.sides.candidate.diagnostics
        effective, missing = found.effective_sample_size, found.unsupported_mass
        few = effective < self.gate.least_effective
        lacks = missing is not None and missing > self.gate.most_unsupported
        reason = (
            f"the log speaks for the candidate with an effective sample of {effective:,.0f} "
            f"decisions"
        )
        if few:
            reason += f", fewer than {self.gate.least_effective:,.0f}"
        if missing is None:
            reason += "; it does not say which actions had no chance"
        elif missing > 0.0:
            more = ", more than" if lacks else ", within"
            reason += f"; {missing:.1%} of the candidate's probability is on actions that its "
            reason += f"policy never takes{more} {self.gate.most_unsupported:.1%}"
        return GateCheck(
            "support", "support in the log", _outcome(not (few or lacks)), effective, None, None,
            self.gate.least_effective, reason, is_open=few and not lacks,
        )  # fmt: skip

    def propensities(self) -> GateCheck:
        evaluation, name, title = self.sides.evaluation, "propensities", "propensities of the log"
        wrong = [check for check in evaluation.checks if check.verdict is Verdict.WRONG]
        said = [f"{check.title}: {check.sentence}" for check in wrong]
        said += [r.text for r in evaluation.remarks if r.level is Level.ALARM]
        said += [r.text for r in self.sides.candidate.remarks if r.level is Level.ALARM]
        estimated = evaluation.log.propensity_source == "estimated"
        if said:
            return _plain(name, title, Outcome.FAIL, "they are wrong: " + "; ".join(said))
        if estimated and not self.gate.estimated_propensities:
            reason = "they were estimated, and the conditions ask for logged ones"
            return _plain(name, title, Outcome.FAIL, reason)
        if estimated:
            reason = "they were estimated: no bound covers the error of that model"
            return _plain(name, title, Outcome.PASS, reason)
        tested = sum(check.verdict is not Verdict.UNKNOWN for check in evaluation.checks)
        if not tested:
            return _plain(name, title, Outcome.UNKNOWN, "the log holds nothing to check them by")
        return _plain(name, title, Outcome.PASS, f"{tested} checks found nothing wrong with them")

    def freshness(self, trained: TrainedOn | None, same_log: bool) -> GateCheck:
        name, title = "freshness", "log later than the training"
        if same_log:
            reason = (
                "this is the very log that the candidate was trained on; judge it on a later one"
            )
            return _plain(name, title, Outcome.FAIL, reason)
        if trained is not None and trained.unseen:
            reason = "the candidate learned from none of these decisions"
            return _plain(name, title, Outcome.PASS, reason)
        if trained is None or trained.until is None:
            reason = (
                "it is not known what the candidate was trained on; see to it that it is earlier"
            )
            return _plain(name, title, Outcome.UNKNOWN, reason)
        before, rows = self.along.before, self.along.rows
        until = f"{utc_datetime(trained.until):%Y-%m-%d %H:%M} UTC"
        share = before / rows
        reason = f"all decisions are later than the candidate's training log, which ends {until}"
        if before:
            reason = (
                f"{before:,} of {rows:,} decisions ({share:.1%}) are not later than the "
                f"candidate's training log, which ends {until}: what was learned from cannot judge"
            )
        return GateCheck(name, title, _outcome(not before), share, None, None, 0.0, reason)

    def payments(self) -> Iterator[GateCheck]:
        gate = self.gate
        if gate.unit == "decision":
            yield self._value_per_payment()
        yield self._rise(COST_PER_APPROVAL, "cost per approval", gate.cost_per_approval_rise)
        yield self._rise(ATTEMPTS, "attempts per payment", gate.attempts_rise)

    def _value_per_payment(self) -> GateCheck:
        name, title = "payment_value", "reward per payment"
        gain, limit = self.sides.payment_gain(VALUE), -self.gate.payment_tolerance * self.span
        if gain is None:
            return _plain(name, title, Outcome.UNKNOWN, "the log has no payments to follow")
        interval = gain.interval
        harmed = interval.upper < limit
        told = self.told
        reason = (
            f"whole payments {'lose more than' if harmed else 'are not shown to lose more than'} "
            f"{told.reward(-limit)}: the gain is {told.interval(interval.lower, interval.upper)}"
        )
        return GateCheck(
            name, title, _outcome(not harmed), gain.value, interval.lower, interval.upper, limit,
            reason, told.is_money,
        )  # fmt: skip

    def _rise(self, name: str, title: str, tolerance: float) -> GateCheck:
        measure, gain = self.sides.live_measure(name), self.sides.payment_gain(name)
        if measure is None or gain is None or gain.value is None or not measure.estimate.value:
            return _plain(name, title, Outcome.UNKNOWN, "the log does not say")
        before = measure.estimate.value
        interval = trusted(gain)
        share = gain.value / before
        if interval is None:
            reason = f"about {share:+.1%}, but by too few payments to hold it against a limit"
            return GateCheck(name, title, Outcome.UNKNOWN, share, None, None, tolerance, reason)
        lower, upper = interval.lower / before, interval.upper / before
        failed = lower > tolerance
        reason = (
            f"{'rises' if failed else 'is not shown to rise'} by more than {tolerance:.0%} of "
            f"{before:,.2f}: it changes by {lower:+.1%} to {upper:+.1%}"
        )
        return GateCheck(name, title, _outcome(not failed), share, lower, upper, tolerance, reason)

    def excess_fees(self) -> Iterator[GateCheck]:
        weights, fees, squares = self.along.excess
        if not weights.any():
            return
        name, title = "excess_fees", "networks' fees for excess retries"
        mean = fees / weights
        error = 1.96 * float((squares.sum() ** 0.5) / weights.min())
        rise, limit = float(mean[0] - mean[1]), self.gate.excess_fee_rise
        lower, upper = rise - error, rise + error
        failed = lower > limit
        told = self.told
        reason = (
            f"the fees per decision {'rise' if failed else 'are not shown to rise'} by more than "
            f"{told.reward(limit)}: they change by {told.interval(lower, upper)} (normal limits)"
        )
        yield GateCheck(
            name, title, _outcome(not failed), rise, lower, upper, limit, reason, told.is_money
        )

    def one_route(self) -> GateCheck:
        evaluation, candidate = self.sides.evaluation, self.sides.candidate.name
        shares = {route.route: route.evaluation.get(candidate, 0.0) for route in evaluation.routes}
        name, title = "one_route", "share of traffic on one route"
        if not shares:
            return _plain(name, title, Outcome.UNKNOWN, "the log does not say")
        route = max(shares, key=lambda each: shares[each])
        of_route = next(each for each in evaluation.routes if each.route == route)
        live = self.sides.live
        before = of_route.logged if live is None else of_route.evaluation.get(live.name, 0.0)
        limit = max(self.gate.largest_route_share, before)
        passed = shares[route] <= limit + 1e-9
        reason = (
            f"{route} gets {shares[route]:.1%} of the decisions, "
            f"{'within' if passed else 'more than'} {limit:.1%}; now it gets {before:.1%}"
        )
        return GateCheck(name, title, _outcome(passed), shares[route], None, None, limit, reason)

    def floor(self) -> GateCheck:
        least, floor = self.gate.least_epsilon, self.along.floor
        passed = floor >= least * (1.0 - FLOOR_TOLERANCE)
        reason = f"every action of k keeps a probability of at least {floor:.3g} / k"
        if floor <= 0.0:
            reason = "some actions get no probability at all"
        reason += ": what it logs can judge others" if passed else f"; {least:g} / k is asked for"
        return GateCheck(
            "floor", "exploration that it keeps", _outcome(passed), floor, None, None, least, reason
        )

    def exploration(self) -> GateCheck:
        facts, told = self.sides.evaluation.log, self.told
        limit = self.gate.exploration_budget * self.span
        candidate, _, greedy = ranges_of(self.along, facts.clusters)
        value, low, high = difference_in(
            self.along.exploring,
            ALL,
            (candidate, greedy),
            facts.most_attempts,
            2.0 * self.gate.confidence - 1.0,
        )
        cost, lower, upper = None if value is None else -value, -high, -low
        failed = lower > limit
        reason = (
            f"its exploration {'costs more than' if failed else 'is not shown to cost more than'} "
            f"{told.reward(limit)} per decision: {told.interval(lower, upper)}"
        )
        return GateCheck(
            "exploration", "cost of its exploration", _outcome(not failed), cost, lower, upper,
            limit, reason, told.is_money,
        )  # fmt: skip


def _outcome(passed: bool) -> Outcome:
    return Outcome.PASS if passed else Outcome.FAIL


def _plain(name: str, title: str, outcome: Outcome, reason: str) -> GateCheck:
    return GateCheck(name, title, outcome, None, None, None, None, reason)
