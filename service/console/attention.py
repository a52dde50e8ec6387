"""What needs attention: everything that is not as it should be, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import current_app, url_for

from service.console.degradations import alarm_address
from service.live.live import ROUTE
from service.live.serving import Serving
from service.store.changes import Change
from service.store.records import moment
from service.summaries.cuts import Span
from service.summaries.sums import Sums
from service.trials.trial import PAUSED, ROLLED_BACK, Trial

STALE_US = 5 * 60_000_000
"""Sums that are older than this are not those of now."""

_LEAST_ATTEMPTS = 20
_ROLLED_BACK_US = 7 * Span.DAY.us


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing.

    Attributes
    ----------
    tone
        ``bad`` or ``warn``.
    kind
        in a word or two.
    what
        one sentence.
    since
        when it began; None where that is not known.
    to
        the page behind it; None where there is none.
    """

    tone: str
    kind: str
    what: str
    since: datetime | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """All that is looked at.

    Attributes
    ----------
    now_us
        microseconds since 1970, UTC.
    caught_up_us
        until when the sums are complete; None: not yet.
    serving, state, alarms, trials
        what is live, what holds, which alarms fire, and the trials.
    lately
        sums of the last day but its last hour.
    spool_holds
        whether records wait for the store.
    """

    now_us: int
    caught_up_us: int | None
    serving: Serving
    state: Mapping[tuple[str, str], Change]
    alarms: Sequence[Change]
    trials: Sequence[tuple[Change, Trial]]
    lately: Sums
    spool_holds: bool


def concerns(known: Known) -> list[Concern]:
    """What needs attention; empty where nothing does."""
    found = [*_alarms(known), *_service(known), *_routes(known), *_trials(known), *_sums(known)]
    return sorted(found, key=lambda each: each.tone != "bad")


def _alarms(known: Known) -> Iterator[Concern]:
    for each in known.alarms:
        since = moment(each.value["since_us"])
        yield Concern("bad", "alarm", each.value["what"], since, alarm_address(each.number))


def _service(known: Known) -> Iterator[Concern]:
    serving = known.serving
    if serving.killed is not None:
        yield Concern(
            "bad",
            "kill switch",
            f"The static priority decides: {serving.killed}.",
            None,
            url_for("console.routes"),
        )
    if serving.active.policy is None:
        fault = serving.active.fault or "there is none"
        yield Concern("bad", "policy", f"The policy cannot decide: {fault}.", None, _policies())
    if serving.candidate is not None:
        what = f"What should be live could not be loaded: {serving.candidate}."
        yield Concern("bad", "policy", what, None, _policies())
    if known.spool_holds:
        what = "The store is behind: decisions wait in the spool, and no sum has them yet."
        yield Concern("bad", "store", what)


def _routes(known: Known) -> Iterator[Concern]:
    for route in known.serving.routes:
        change = known.state.get((ROUTE, route))
        if route in known.serving.down and change is not None:
            because = f": {change.reason}" if change.reason else ""
            yield Concern(
                "warn",
                "route down",
                f"{route} was taken down by {change.actor}{because}.",
                moment(change.changed_at_us),
                url_for("console.routes"),
            )


def _trials(known: Known) -> Iterator[Concern]:
    for change, trial in known.trials:
        since = moment(change.changed_at_us)
        because = f": {change.reason}" if change.reason else ""
        if trial.state == PAUSED:
            what = f"The {trial.kind} {trial.name} was paused by {change.actor}{because}."
            yield Concern("warn", "paused", what, since, _trial_address(trial))
        recent = known.now_us - change.changed_at_us < _ROLLED_BACK_US
        if trial.state == ROLLED_BACK and recent:
            what = f"The canary was rolled back by {change.actor}{because}."
            yield Concern("bad", "rolled back", what, since, _policies())
    running = known.serving.trial
    if running is not None and running.fault is not None:
        what = f"{running.trial.name} is not run: {running.fault}."
        yield Concern("bad", "trial", what, None, _trial_address(running.trial))


def _sums(known: Known) -> Iterator[Concern]:
    if known.caught_up_us is None:
        what = "The sums are not complete yet: authopt watch is still adding up, or does not run."
        yield Concern("warn", "sums", what)
    elif known.now_us - known.caught_up_us > STALE_US:
        what = (
            "These figures are not those of now: authopt watch does not run, or cannot keep up. "
            "They hold what was recorded until"
        )
        yield Concern("bad", "sums", what, moment(known.caught_up_us))
    if known.lately.attempts >= _LEAST_ATTEMPTS and not known.lately.answered:
        what = (
            f"No outcome is known of the {known.lately.attempts:,} attempts of the last day: is "
            "anybody telling them?"
        )
        yield Concern("bad", "outcomes", what, None, url_for("console.payments", outcome="none"))


def _policies() -> str | None:
    return _page("policies")


def _trial_address(trial: Trial) -> str | None:
    if trial.kind == "experiment" and "console.experiment" in current_app.view_functions:
        return url_for("console.experiment", name=trial.name)
    return _page("experiments" if trial.kind == "experiment" else "policies")


def _page(endpoint: str) -> str | None:
    there = f"console.{endpoint}" in current_app.view_functions
    return url_for(f"console.{endpoint}") if there else None
