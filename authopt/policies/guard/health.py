"""The health of all routes: which of them, or which part of them, is down, and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from authopt.batch import (
    BoolArray,
    Categorical,
    DecisionBatch,
    FloatArray,
    IntArray,
    LoggedBatch,
)
from authopt.policies.guard.monitor import Cause, Evidence, Monitor, Seen, new_monitor
from authopt.policies.guard.settings import GuardSettings
from authopt.policies.guard.signs import Answers, answers_of
from authopt.policies.guard.silence import silence_ratios

KEPT = 1_000
"""Outages that are remembered."""


class Outage(msgspec.Struct):
    """A route, or a part of one, was judged down: from when, until when, by which test."""

    route: str
    value: str | None
    cause: Cause
    since_us: int
    until_us: int | None = None


class _Judged(NamedTuple):
    """What of a route is down (None: all of it), and since when."""

    value: str | None
    since_us: int


class Health(msgspec.Struct):
    """Monitors of routes, and of routes for single values of the guard's dimension.

    Attributes
    ----------
    routes
        by route.
    parts
        by route and value.
    merchants
        the first two that were seen.
    alarms
        how often a route, or a part of one, went down.
    outages
        the last of them, oldest first.
    """

    routes: dict[str, Monitor] = {}
    parts: dict[str, dict[str, Monitor]] = {}
    merchants: list[str] = []
    alarms: int = 0
    outages: list[Outage] = []

    @property
    def all_up(self) -> bool:
        """Whether nothing is down."""
        return not any(True for _ in self.down())

    def down(self) -> Iterator[tuple[str, str | None, Monitor]]:
        """Route, value (None: all) and monitor of what is down."""
        for route, monitor in self.routes.items():
            if monitor.down is not None:
                yield route, None, monitor
        for route, parts in self.parts.items():
            for value, monitor in parts.items():
                if monitor.down is not None:
                    yield route, value, monitor

    def shares(self, batch: DecisionBatch, settings: GuardSettings) -> FloatArray:
        """float64[m]: largest share that the route of an action may get; 1 where it is up."""
        share = np.ones(batch.m)
        soon = batch.action_delay_s <= settings.horizon_s
        for route, value, monitor in self.down():
            assert monitor.down is not None
            if route not in batch.routes:
                continue
            hit = soon & (batch.action_route == batch.routes.index(route))
            if value is not None:
                concerned = np.array([each == value for each in _names(batch, settings.dimension)])
                hit &= np.repeat(concerned, batch.counts)
            share[hit] = np.minimum(share[hit], monitor.down.share)
        return share

    def observe(self, batch: LoggedBatch, settings: GuardSettings) -> BoolArray:
        """Take in the outcomes of a batch.

        Returns
        -------
        bool[n]
            Whether a decision's attempt fell into a time at which its route was down: from the
            change point by the test's estimate, as far back as this batch goes.
        """
        return self.take_in(batch, answers_of(batch, settings.late_ms), settings)

    def take_in(self, batch: LoggedBatch, answers: Answers, settings: GuardSettings) -> BoolArray:
        """As :meth:`observe`, of answers that were read from the batch."""
        held = np.zeros(batch.n, np.bool_)
        row = answers.row
        if not len(row):
            return held
        self._listen(batch, answers, settings)
        route = batch.action_route[batch.chosen_action]
        names = {
            name: _names(batch, name, row) for name in ("merchant_id", "issuer", settings.dimension)
        }
        self._meet(names["merchant_id"])
        several = len(self.merchants) > 1
        rows = zip(
            row.tolist(),
            route[row].tolist(),
            answers.sign.tolist(),
            answers.at_us.tolist(),
            (batch.attempt[row] > 1).tolist(),
            names["merchant_id"],
            names["issuer"],
            names[settings.dimension],
            strict=True,
        )
        for at, place, sign, at_us, retry, merchant, issuer, value in rows:
            seen = Seen(sign, at_us, retry, merchant, issuer, value, several)
            name = batch.routes[place]
            judged = self._one(name, seen, settings)
            if judged is None:
                continue
            held[at] = True
            if judged.since_us < at_us:
                same = (route[row] == place) & (answers.at_us <= at_us)
                same &= answers.at_us >= judged.since_us
                if judged.value is not None:
                    same &= np.array([each == judged.value for each in names[settings.dimension]])
                held[row[same]] = True
        for _, _, monitor in self.down():
            monitor.adapt(int(answers.at_us[-1]), settings)
        return held

    def _one(self, route: str, seen: Seen, settings: GuardSettings) -> _Judged | None:
        """Take in one outcome: what of its route is down, and since when; None where it is up."""
        whole = self.routes.setdefault(route, new_monitor())
        part = None
        if seen.value is not None:
            parts = self.parts.setdefault(route, {})
            if seen.value not in parts:
                parts[seen.value] = new_monitor(whole)
            part = parts[seen.value]
        for monitor, value in ((whole, None), (part, seen.value)):
            if monitor is not None and monitor.down is not None:
                monitor.observe(seen, settings)
                if monitor.down is None:
                    self._ended(route, value, seen.at_us)
                return _Judged(value, seen.at_us)
        alarm = whole.observe(seen, settings)
        if alarm is not None:
            return self._alarm(route, whole, alarm, seen, settings)
        if part is not None:
            alarm = part.observe(seen, settings)
            if alarm is not None:
                self._goes_down(part, route, seen.value, alarm, seen.at_us, settings)
                whole.evidence[alarm].clear()
                return _Judged(seen.value, part.started_us())
        return None

    def _alarm(
        self, route: str, whole: Monitor, cause: Cause, seen: Seen, settings: GuardSettings
    ) -> _Judged:
        lone = whole.evidence[cause].lone_value()
        if lone is None:
            self._goes_down(whole, route, None, cause, seen.at_us, settings)
            for value, part in self.parts.get(route, {}).items():
                part.evidence.clear()
                if part.down is not None:
                    part.down = None
                    self._ended(route, value, seen.at_us)
            return _Judged(None, whole.started_us())
        part = self.parts[route][lone]
        self._goes_down(part, route, lone, cause, seen.at_us, settings)
        whole.evidence[cause].clear()
        return _Judged(lone, part.started_us())

    def _listen(self, batch: LoggedBatch, answers: Answers, settings: GuardSettings) -> None:
        """Look for routes whose answers stay away."""
        ratios = silence_ratios(batch, answers.row, settings.silent)
        for place, route in enumerate(batch.routes):
            monitor = self.routes.get(route)
            # Only a route that has answered before can fall silent.
            if monitor is None or monitor.down is not None or not ratios[:, place].any():
                continue
            evidence = monitor.evidence.setdefault("silence", Evidence())
            sums = evidence.total + np.cumsum(ratios[:, place])
            sums -= np.minimum(np.minimum.accumulate(sums), 0.0)
            evidence.total = float(sums[-1])
            raised = np.flatnonzero(sums >= settings.alarm)
            if len(raised):
                evidence.since_us = int(answers.at_us[raised[0]])
                at_us = evidence.since_us
                self._goes_down(monitor, route, None, "silence", at_us, settings)

    def _goes_down(
        self,
        monitor: Monitor,
        route: str,
        value: str | None,
        cause: Cause,
        at_us: int,
        settings: GuardSettings,
    ) -> None:
        monitor.go_down(cause, at_us, settings)
        self.alarms += 1
        self.outages.append(Outage(route, value, cause, at_us))
        del self.outages[:-KEPT]

    def _ended(self, route: str, value: str | None, at_us: int) -> None:
        for outage in reversed(self.outages):
            if (outage.route, outage.value) == (route, value):
                outage.until_us = at_us
                return

    def _meet(self, merchants: list[str | None]) -> None:
        if len(self.merchants) > 1:
            return
        for name in merchants:
            if name is not None and name not in self.merchants:
                self.merchants.append(name)
                if len(self.merchants) > 1:
                    return


def _names(
    batch: DecisionBatch, column: str | None, rows: IntArray | None = None
) -> list[str | None]:
    """The names in a context column at some rows (all by default); None where there are none."""
    held = batch.context.get(column) if column is not None else None
    if not isinstance(held, Categorical):
        return [None] * (batch.n if rows is None else len(rows))
    return (held if rows is None else held[rows]).values()
