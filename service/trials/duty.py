"""Judging the trials of a merchant: what ``authopt watch`` does every few seconds.

The first looks at an experiment read what was before it, by which it is adjusted; no payment counts
until that is done.

A look reads the payments that count by now, adds them to what was kept, and writes what was found
with how far it has read in one transaction: with the change that pauses an experiment or rolls a
canary back, where that is called for. A process that is killed has made all of it or nothing, and
of two that look at once, one finds that the other was faster.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, Engine

from authopt.durations import DAY_S
from authopt.errors import UserError
from authopt.experiments.guardrails import State
from authopt.experiments.reading import Reading
from authopt.rollout.canary import CanaryState, CanaryVerdict
from service.store.changes import MAX_REASON, Change, changing, check_reason, history, present
from service.store.settled import settled
from service.store.tables import decisions
from service.trials.finding import Point, TrialFinding, with_point
from service.trials.operating import pause, roll_back_canary
from service.trials.payments import next_payments
from service.trials.pre_period import forget_pre_period, read_pre_period
from service.trials.tallying import Kept, Tallied
from service.trials.trial import (
    CANARY,
    EXPERIMENT,
    LIVE,
    PAUSED,
    RUNNING,
    Trial,
    trial_of,
    trials_in,
)
from service.watch.findings import finding, keep_finding

ACTOR = "watch"
KEPT = {EXPERIMENT: "experiment-kept", CANARY: "canary-kept"}
"""Kinds of the findings that the next look goes on from; they are of no use to readers."""

STEPS = 8
"""Of reading, at most, for a trial in one look."""
GRACE_S = 7 * DAY_S
"""How long after its last payment counts a trial is still looked at, should nobody have watched."""

_NOTHING = "No payment counts yet."


def judge_trials(engine: Engine, tenant: str, now_us: int) -> bool:
    """Look at the trials that run, and at those whose last payments do not count yet.

    Parameters
    ----------
    engine, tenant
        of the store, and whose trials.
    now_us
        microseconds since 1970, UTC.

    Returns
    -------
    bool
        whether there is more to read at once.
    """
    with engine.connect() as connection:
        found = trials_in(present(connection, tenant))
    more = False
    for change, trial in found:
        until_us = change.changed_at_us + (trial.wait_s + GRACE_S) * 1_000_000
        if trial.is_running or now_us <= until_us:
            more |= _judge(engine, tenant, trial, now_us)
    return more


@dataclass(frozen=True, slots=True)
class _Look:
    """What is known of a trial before a look."""

    change: Change
    trial: Trial
    finding: TrialFinding | None
    kept: Kept | None


def _judge(engine: Engine, tenant: str, trial: Trial, now_us: int) -> bool:
    with engine.connect() as connection:
        look = _look(connection, tenant, trial)
    if look is None or (look.finding is not None and look.finding.complete):
        return False
    last = settled(engine, decisions)
    past = None
    if look.trial.kind == EXPERIMENT and look.kept is None:
        past = read_pre_period(engine, tenant, look.trial, now_us)
        if not past.complete:
            return True
    tallied = Tallied.of(look.trial, look.kept, past)
    began, counted, until_us, more = tallied.place, 0, None, False
    left_out: Counter[str] = Counter()
    with engine.connect() as connection:
        shares = _shares(connection, tenant, look.trial)
        for _ in range(STEPS):
            step = next_payments(connection, tenant, look.trial, tallied.place, last, now_us)
            more = step.more and step.place != tallied.place
            if step.payments and tallied.past is None and look.trial.kind == EXPERIMENT:
                # It may be large, and most looks find nothing new.
                tallied.past = read_pre_period(engine, tenant, look.trial, now_us)
                if not tallied.past.complete:
                    return True
            unknown = tallied.add(step.payments, shares)
            tallied.place = step.place
            left_out.update(step.left_out)
            left_out.update(unknown)
            counted += len(step.payments) - sum(unknown.values())
            until_us = step.payments[-1].decided_at_us if step.payments else until_us
            if not more:
                break
    over_us = look.change.changed_at_us + look.trial.wait_s * 1_000_000
    ended = look.trial.state not in (RUNNING, PAUSED)
    complete = ended and tallied.place.through >= last and now_us > over_us
    if look.finding is not None and tallied.place == began and not complete:
        return False
    reading = tallied.reading() if counted or look.finding is None else None
    verdict = None if reading is None else tallied.canary_verdict(reading)
    news = TrialFinding(
        salt=look.trial.salt,
        arms=list(tallied.arms),
        counted=counted + (0 if look.finding is None else look.finding.counted),
        until_us=until_us,
        left_out=dict(left_out),
        reading=msgspec.to_builtins(reading),
        canary=msgspec.to_builtins(verdict),
        why=_why(reading, verdict),
        history=[],
        complete=complete,
        adjustment=tallied.adjustment(),
    )
    if look.finding is not None:
        news = _after(look.finding, news)
    if reading is not None and until_us is not None:
        point = Point(until_us, news.counted, _differences(reading, verdict))
        news = msgspec.structs.replace(news, history=with_point(news.history, point))
    _write(engine, tenant, look, tallied, news, _ending(reading, verdict), now_us)
    return more


def _after(before: TrialFinding, news: TrialFinding) -> TrialFinding:
    """What was found before, where there is nothing new, and the history of it."""
    news = msgspec.structs.replace(
        news,
        until_us=before.until_us if news.until_us is None else news.until_us,
        left_out=dict(Counter(before.left_out) + Counter(news.left_out)),
        history=before.history,
    )
    if news.reading is not None:
        return news
    return msgspec.structs.replace(
        news,
        reading=before.reading,
        canary=before.canary,
        why=before.why,
        adjustment=before.adjustment,
    )


def _write(
    engine: Engine,
    tenant: str,
    look: _Look,
    tallied: Tallied,
    news: TrialFinding,
    ending: str | None,
    now_us: int,
) -> None:
    trial = look.trial
    with changing(engine) as connection:
        now = _look(connection, tenant, trial)
        if now is None or (now.change.number, now.kept) != (look.change.number, look.kept):
            # Changed meanwhile, or looked at by another: the next look begins from there.
            return
        for kind, content in (
            (trial.kind, msgspec.to_builtins(news)),
            (KEPT[trial.kind], msgspec.to_builtins(tallied.kept())),
        ):
            keep_finding(connection, tenant, kind, trial.subject, content, now_us)
        if news.complete:
            forget_pre_period(connection, tenant, trial)
        if ending is None or not trial.is_running:
            return
        if trial.kind == CANARY:
            roll_back_canary(connection, tenant, ACTOR, ending)
        else:
            pause(connection, tenant, ACTOR, trial.kind, trial.subject, ending)


def _look(connection: Connection, tenant: str, trial: Trial) -> _Look | None:
    change = present(connection, tenant).get((trial.kind, trial.subject))
    if change is None:
        return None
    now = trial_of(change)
    told = finding(connection, tenant, trial.kind, trial.subject)
    kept = finding(connection, tenant, KEPT[trial.kind], trial.subject)
    found = None if told is None else msgspec.convert(told.content, TrialFinding)
    if found is None or kept is None or found.salt != now.salt:
        return _Look(change, now, None, None)
    return _Look(change, now, found, msgspec.convert(kept.content, Kept))


def _shares(connection: Connection, tenant: str, trial: Trial) -> list[tuple[int, float]]:
    """Since when a canary had which share, oldest first."""
    if trial.kind != CANARY:
        return []
    told = history(connection, tenant, CANARY, LIVE)
    return [
        (each.changed_at_us, each.value["share"])
        for each in told
        if each.value["salt"] == trial.salt
    ]


def _why(reading: Reading | None, verdict: CanaryVerdict | None) -> str:
    if verdict is not None:
        return verdict.why
    if reading is None or not sum(reading.units):
        return _NOTHING
    return reading.verdict.why


def _differences(
    reading: Reading, verdict: CanaryVerdict | None
) -> dict[str, tuple[float | None, float | None, float | None]]:
    if verdict is not None:
        return {CANARY: (verdict.difference, verdict.lower, verdict.upper)}
    return {each.arm: (each.estimate, each.lower, each.upper) for each in reading.differences}


def _ending(reading: Reading | None, verdict: CanaryVerdict | None) -> str | None:
    """Why a trial must not go on as it is; None where it may."""
    if verdict is not None:
        return _reason(verdict.why) if verdict.state is CanaryState.ROLLED_BACK else None
    if reading is None:
        return None
    if reading.sample_ratio.mismatch():
        return _reason(reading.verdict.why)
    broken = [each.why for each in reading.guardrails if each.state is State.BROKEN]
    return _reason(f"A guardrail broke: {'; '.join(broken)}.") if broken else None


def _reason(why: str) -> str:
    """A sentence as it may be kept with a change."""
    why = why[:MAX_REASON]
    try:
        check_reason(why)
    except UserError:
        # Figures side by side may look like a card number.
        return "see what was found of it"
    return why
