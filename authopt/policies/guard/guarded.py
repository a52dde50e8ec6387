"""The wrapper: another policy, kept off the routes that are down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.policies.family import Family, Options
from authopt.policies.guard.health import Health, Outage
from authopt.policies.guard.rerouting import rerouted
from authopt.policies.guard.settings import GuardSettings
from authopt.policies.guard.signs import Answers, Sign, answered_us
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.policies.state_file import read_state, write_state
from authopt.policies.wrapped_file import WrappedRecord, load_wrapped, save_wrapped

MADE_BY = "a policy guarded+SPEC that is saved while it acts"


class GuardedFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="policy", tag="guarded"
):
    """The file of a :class:`Guarded`: settings, health, and where the wrapped policy is saved."""

    settings: GuardSettings
    health: Health
    held_back: int
    wrapped: WrappedRecord | None
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """How a route stands.

    Attributes
    ----------
    route
        by name.
    value
        of the guard's dimension; None: the route as a whole.
    is_up
        whether the guard lets the wrapped policy use it freely.
    since
        when it went down (UTC); None where it is up.
    why
        what raised the alarm, in words; None where it is up.
    share
        largest probability that it gets; 1 where it is up.
    probes
        outcomes since it went down.
    usual_approvals
        usual share of approvals of first attempts, answers about the card alone left out.
    """

    route: str
    value: str | None
    is_up: bool
    since: datetime | None
    why: str | None
    share: float
    probes: int
    usual_approvals: float


WHY = {
    "failures": "the route or its switch fails",
    "unreachable": "too many issuers are out of reach",
    "approvals": "far fewer approvals than usual",
    "silence": "answers stay away",
}


@dataclass(slots=True, eq=False)
class Guarded:
    """A policy that leaves a failing route within seconds and comes back by itself.

    The probabilities are the wrapped policy's, except on routes that are judged down: such a route
    gets a share of its traffic that is enough to see it recover, and what it had beyond that goes
    where the wrapped policy would go without it. Where every route of a decision is down, the
    wrapped policy decides alone.

    The wrapped policy learns from all outcomes but those of a route while it is down: they say
    nothing of the route as it is otherwise, and would keep the policy away long after it is well.
    Once the route is down, which are held back depends on when an attempt was answered and not on
    how. ``held_back`` counts them.

    One thread may not ask it while another lets it learn.

    Attributes
    ----------
    policy
        what is guarded; it learns if it can.
    settings
        of the tests and the probes.
    held_back
        outcomes that the wrapped policy was not shown.
    """

    policy: Policy
    settings: GuardSettings = field(default_factory=GuardSettings)
    held_back: int = 0
    _health: Health = field(default_factory=Health, repr=False)
    _all_up: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._all_up = self._health.all_up

    @property
    def name(self) -> str:
        """The policy's own name, guarded."""
        return f"guarded {self.policy.name}"

    @property
    def alarms(self) -> int:
        """How often a route, or a part of one, has been judged down."""
        return self._health.alarms

    @property
    def outages(self) -> tuple[Outage, ...]:
        """The last thousand of those, oldest first; times are microseconds since 1970."""
        return tuple(self._health.outages)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the policy's own; at most the probe's share on a route that is down."""
        own = self.policy.probabilities(batch)
        if self._all_up or not batch.n:
            return own
        share = self._health.shares(batch, self.settings)
        return rerouted(batch, own, share, self.policy) if (share < 1.0).any() else own

    def update(self, batch: LoggedBatch) -> None:
        """Watch the routes, and let the policy learn from what they did while they were up."""
        held = self._health.observe(batch, self.settings)
        self._all_up = self._health.all_up
        self.held_back += int(held.sum())
        if isinstance(self.policy, LearningPolicy):
            self.policy.update(batch.take(np.flatnonzero(~held)) if held.any() else batch)

    def missed(self, batch: LoggedBatch, at: datetime) -> None:
        """Take attempts whose answers are overdue for failures of their routes.

        For callers that know which attempts are open. A route whose answers merely stay away from
        ``update`` is found out too, a little later, as long as the policy explores.

        Parameters
        ----------
        batch
            decisions whose attempts were sent and not answered in time.
        at
            now.
        """
        rows = np.flatnonzero(~batch.is_stop[batch.chosen_action])
        # Not before they were sent, so that a delayed attempt is no failure in advance.
        rows = rows[answered_us(batch)[rows] <= at.timestamp() * 1e6]
        at_us = np.full(len(rows), round(at.timestamp() * 1e6), np.int64)
        failed = np.full(len(rows), int(Sign.FAILED), np.int64)
        self._health.take_in(batch, Answers(rows, at_us, failed), self.settings)
        self._all_up = self._health.all_up

    def status(self) -> list[Standing]:
        """How every route stands, and every part of one that is down, by name."""
        found = [(route, None, monitor) for route, monitor in self._health.routes.items()]
        found += [each for each in self._health.down() if each[1] is not None]  # type: ignore[misc]
        standings = []
        for route, value, monitor in sorted(found, key=lambda each: (each[0], each[1] or "")):
            down = monitor.down
            standings.append(
                Standing(
                    route,
                    value,
                    down is None,
                    None if down is None else datetime.fromtimestamp(down.since_us / 1e6, UTC),
                    None if down is None else WHY[down.cause],
                    1.0 if down is None else down.share,
                    0 if down is None else down.probes,
                    monitor.first.value,
                )
            )
        return standings

    def save(self, path: Path) -> None:
        """Write settings and state; a wrapped policy that can be saved is written beside it.

        The wrapped policy's file is ``PATH.wrapped`` with the suffix of ``path``.
        """
        wrapped = save_wrapped(self.policy, path)
        write_state(path, GuardedFile(self.settings, self._health, self.held_back, wrapped))

    @classmethod
    def load(cls, path: Path, policy: Policy | None = None) -> Guarded:
        """Read settings and state.

        Parameters
        ----------
        path
            what :meth:`save` wrote.
        policy
            the wrapped policy; by default the one that was saved with the guard.

        Raises
        ------
        UserError
            If the file is missing or holds something else, or no policy was saved with it and none
            is given.
        """
        state = read_state(path, GuardedFile, "a guarded policy", MADE_BY)
        if policy is None:
            if state.wrapped is None:
                raise UserError(f"{path}: holds a guard alone; name the policy that it guards")
            policy = load_wrapped(path, state.wrapped)
        return cls(policy, state.settings, state.held_back, state.health)


def wrap(policy: Policy) -> Guarded:
    """A policy guarded with the default settings."""
    return Guarded(policy)


def _make(file: Path | None, options: Options) -> Guarded:
    assert file is not None
    return Guarded.load(file)


FAMILY = Family("guarded:FILE.json", _make, takes_file=True, needs_file=True)
