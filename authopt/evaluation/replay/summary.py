"""From the sums of a replay to its answer, with what a reader must know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from authopt.batch import utc_datetime
from authopt.errors import UserError
from authopt.evaluation.quantities import Level, Remark
from authopt.evaluation.replay.estimates import curve_of, estimate_of
from authopt.evaluation.replay.result import Acceptance, Method, ReplayResult, Run
from authopt.evaluation.replay.run import Follower
from authopt.evaluation.replay.totals import Replayed
from authopt.evaluation.result import LeftOut

FEW_ACCEPTED = 100
"""Accepted rows below which a learner has hardly begun to learn."""

RARE = 0.01
"""Share of accepted rows below which most of the log is lost to the learner."""

DISTORTED = 0.01
"""Distortion, or mass without support, from which on it is a warning."""

OFF = 4.0
"""Standard errors between the mean weight and what it should be, to call propensities wrong."""


def summarise_replay(
    replayed: Replayed,
    followers: Sequence[Follower],
    policy: str,
    learns: bool,
    left_out: Counter[str],
) -> ReplayResult:
    """The answer that the sums hold.

    Raises
    ------
    UserError
        If no row could be used.
    """
    settings = replayed.settings
    if not replayed.rows:
        reasons = "; ".join(f"{rows:,} rows: {why}" for why, rows in left_out.items())
        raise UserError(
            f"{settings.path or 'the log'}: no row can be used for a replay"
            + (f" ({reasons})" if reasons else ": it is empty")
        )
    acceptance = _acceptance(replayed, followers)
    order = sorted(Method, key=lambda method: method is not settings.method)
    updates = float(np.mean([each.updates for each in followers]))
    live_updates = -(-replayed.rows // settings.update_every) if learns else 0
    return ReplayResult(
        path=None if settings.path is None else str(settings.path),
        rows=replayed.rows,
        retries=replayed.retries,
        first=utc_datetime(replayed.first),
        last=utc_datetime(replayed.last),
        left_out=tuple(LeftOut(why, rows) for why, rows in left_out.most_common()),
        reward=settings.reward,
        reward_low=settings.reward_low,
        reward_high=settings.reward_high,
        reward_currency=settings.reward_currency,
        mean_reward=settings.reward_of(replayed.dr.mean_reward),
        policy=policy,
        learns=learns,
        method=settings.method,
        confidence=settings.confidence,
        reward_model=settings.reward_model,
        update_every=settings.update_every,
        accepted=acceptance.rate * replayed.rows,
        updates=updates,
        live_updates=live_updates,
        acceptance=acceptance,
        estimates=tuple(estimate_of(each, replayed, acceptance, gain=False) for each in order),
        gains=tuple(estimate_of(each, replayed, acceptance, gain=True) for each in order),
        curve=curve_of(replayed),
        runs=tuple(
            Run(
                repetition=repetition,
                accepted=follower.accepted,
                updates=follower.updates,
                rejection=(
                    settings.reward_of(totals.earned / totals.accepted) if totals.accepted else None
                ),
                dr=settings.reward_of(totals.c_term / totals.c),
            )
            for repetition, (follower, totals) in enumerate(
                zip(followers, replayed.runs, strict=True)
            )
        ),
        remarks=tuple(_remarks(replayed, acceptance, learns, updates, live_updates)),
    )


def _acceptance(replayed: Replayed, followers: Sequence[Follower]) -> Acceptance:
    settings, totals = replayed.settings, replayed.runs
    c = sum(run.c for run in totals)
    unsupported = sum(run.c_unsupported for run in totals) / c
    return Acceptance(
        exact=settings.max_weight is not None,
        quantile=settings.quantile,
        first=replayed.first_multiplier,
        last=float(np.mean([each.acceptance.multiplier for each in followers])),
        rate=float(np.mean([each.accepted for each in followers])) / replayed.rows,
        distortion=min(sum(run.c_excess for run in totals) / c, 1.0),
        unsupported_mass=unsupported if replayed.support_known else None,
    )


def _remarks(
    replayed: Replayed, acceptance: Acceptance, learns: bool, updates: float, live_updates: int
) -> Iterator[Remark]:
    accepted, rows = acceptance.rate * replayed.rows, replayed.rows
    if not learns:
        yield Remark(Level.NOTE, "the policy does not learn: it is judged as it stands")
    if accepted < FEW_ACCEPTED:
        yield Remark(
            Level.ALARM if accepted < 1.0 else Level.WARNING,
            f"only {accepted:,.0f} of {rows:,} rows were accepted: the log is too short, or too "
            "far from the policy, to show how it learns",
        )
    if acceptance.rate < RARE:
        advice = (
            ". A c at a quantile of the weights lets the learner see more, at the price of a bias "
            "that is reported"
            if acceptance.exact
            else ""
        )
        yield Remark(
            Level.WARNING,
            f"{acceptance.rate:.2%} of the rows were accepted (c = {acceptance.last:.2g}): the log "
            f"takes some actions very rarely{advice}",
        )
    if learns and updates < 0.5 * live_updates:
        yield Remark(
            Level.NOTE,
            f"the learner had {updates:,.0f} updates; live, as many decisions would have given it "
            f"{live_updates:,}. The figures are of its beginnings: see the learning curve for "
            "where it is heading",
        )
    if not acceptance.exact:
        yield Remark(
            Level.WARNING if acceptance.distortion > DISTORTED else Level.NOTE,
            f"c follows a quantile of the weights: accepted rows are off by at most "
            f"{acceptance.distortion:.2%} (total variation) from what the learner would have met",
        )
    if (acceptance.unsupported_mass or 0.0) > DISTORTED:
        yield Remark(
            Level.WARNING,
            f"{acceptance.unsupported_mass:.1%} of the learner's probability is on actions that "
            "the log never took: it cannot learn of them here",
        )
    if not replayed.support_known:
        yield Remark(
            Level.NOTE,
            "the log has the probability of the taken actions alone: whether the learner would "
            "take actions that the log never took cannot be seen",
        )
    if replayed.retries:
        yield Remark(
            Level.NOTE,
            f"{replayed.retries:,} of the decisions are retries. They are decision points that the "
            "logging policy met; the learner might have met others. Values are per decision over "
            "those points, not per payment",
        )
    yield from _propensity_remarks(replayed)


def _propensity_remarks(replayed: Replayed) -> Iterator[Remark]:
    run = replayed.runs[0]
    expected = run.c - run.c_unsupported
    error = run.spread**0.5
    if error > 0.0 and abs(run.cw - expected) > OFF * error:
        yield Remark(
            Level.ALARM,
            f"mean weight {run.cw / run.c:.3f}, expected {expected / run.c:.3f} "
            f"({abs(run.cw - expected) / error:.0f} standard errors off): the propensities are "
            "wrong",
        )
