"""Fixed retry schedules: a policy chooses the route, a timetable says when a retry is made.

The dunning of billing systems without machine learning; ``authopt.policies.timetable`` names the
published schedules.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.policies.family import EPSILON, Family, Options, SpecError
from authopt.policies.priority import Priority
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.policies.state_file import read_state, write_state
from authopt.policies.timetable import WEEKS, Since, Then, Timetable, on_time, timetable_of
from authopt.policies.wrapped_file import WrappedRecord, load_wrapped, save_wrapped

MADE_BY = "a policy scheduled+SPEC that is saved while it acts"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A policy whose retries are made when a timetable says.

    First attempts are decided by the policy as they are. At a retry it is asked about the actions
    of one delay alone, the offered one that is nearest to the wanted one (of two equally near the
    shorter), and all others get 0. ``stop`` is left to the timetable: it is taken when the
    timetable is over, and where nothing else is eligible.

    Attributes
    ----------
    policy
        chooses the route.
    timetable
        chooses the delay.
    """

    policy: Policy
    timetable: Timetable = WEEKS

    @property
    def name(self) -> str:
        """The policy's own name and the waits."""
        return f"{self.policy.name} + retries {self.timetable}"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], those of the policy over the actions that the timetable leaves."""
        if not batch.n or int(batch.attempt.max()) <= 1:
            return self.policy.probabilities(batch)
        if isinstance(batch, LoggedBatch):
            batch = batch.decisions()
        keep = on_time(batch, self.timetable)
        if keep.all():
            return self.policy.probabilities(batch)
        probability = np.zeros(batch.m)
        probability[keep] = self.policy.probabilities(batch.keep_actions(keep))
        return probability


class ScheduleFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="policy", tag="schedule"
):
    """The file of a :class:`LearningSchedule`; the policy is in a file beside it."""

    days: tuple[float, ...]
    then: Then
    since: Since
    same_hour: bool
    wrapped: WrappedRecord
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class LearningSchedule(Schedule):
    """As :class:`Schedule`, of a policy that learns."""

    def update(self, batch: LoggedBatch) -> None:
        """Let the policy learn."""
        assert isinstance(self.policy, LearningPolicy)
        self.policy.update(batch)

    def save(self, path: Path) -> None:
        """Write the timetable, and what the policy has learnt into a file beside it.

        Raises
        ------
        UserError
            If the policy cannot be saved.
        """
        wrapped = save_wrapped(self.policy, path)
        if wrapped is None:
            raise UserError(f"{path}: the policy {self.policy.name!r} cannot be saved")
        table = self.timetable
        state = ScheduleFile(table.days, table.then, table.since, table.same_hour, wrapped)
        write_state(path, state)

    @classmethod
    def load(cls, path: Path) -> LearningSchedule:
        """Read what :meth:`save` wrote.

        Raises
        ------
        UserError
            If a file is missing or holds something else.
        """
        state = read_state(path, ScheduleFile, "a saved schedule", MADE_BY)
        try:
            timetable = Timetable(state.days, state.then, state.since, state.same_hour)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        return cls(load_wrapped(path, state.wrapped), timetable)


def scheduled(policy: Policy, timetable: Timetable = WEEKS) -> Schedule:
    """The policy with its retries on a timetable; it still learns if the policy does."""
    kind = LearningSchedule if isinstance(policy, LearningPolicy) else Schedule
    return kind(policy, timetable)


def wrap(policy: Policy) -> Policy:
    """``scheduled+SPEC``: the policy of a spec with retries after 1, 3, 5 and 7 days.

    Then it goes on every 7 days until the rules, the merchant or the payment's deadline end it.
    """
    return scheduled(policy, WEEKS)


def _make(file: Path | None, options: Options) -> Policy:
    if file is not None:
        return LearningSchedule.load(file)
    routes = tuple(
        route for part in options.list("routes", "+") or () for route in part.split(",") if route
    )
    if not routes:
        raise SpecError(
            f"policy {options.spec!r} needs routes, best first: schedule:routes=a+b+c,days=1+3+5+7"
        )
    return scheduled(Priority(routes, options.flag("cascade", True)), timetable_of(options))


FAMILY = Family(
    "schedule:routes=a+b+c[,days=1+3+5+7 or daily or same-hour][,then=repeat][,since=first]"
    "[,cascade=no][,epsilon=0.05]",
    _make,
    ("routes", "days", "then", "since", "cascade", EPSILON),
    takes_file=True,
)
