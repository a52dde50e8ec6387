"""The state of every merchant that a worker serves, and how it follows what is changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from authopt.rules import load_rules
from service.active_policy import ActivePolicy, load_active
from service.live.present_policy import PresentPolicy
from service.live.serving import Serving
from service.live.weighted import Weighted
from service.models.kill_switch import DECISIONS, KILL
from service.models.live_policy import LIVE, POLICY, live_policy
from service.settings import Settings
from service.store.changes import Change, history, last_change, present
from service.tenants import DEFAULT_TENANT
from service.trials.arm_policies import ArmPolicies
from service.trials.running import RunningTrial, run_trial
from service.trials.trial import Trial, running_trial

_log = logging.getLogger(__name__)

EVERY_S = 0.25
"""Seconds between two looks into the store."""

ROUTE = "route"
"""Kind of the changes of routes."""

KILLED = "the kill switch is on"

State: TypeAlias = Mapping[tuple[str, str], Change]
"""By kind and subject, the change that holds now."""


class Live:
    """Gives the present state of a merchant, at the cost of a look-up.

    Parameters
    ----------
    servings
        by tenant, as the operator started them.
    """

    def __init__(self, servings: Mapping[str, Serving]) -> None:
        self._servings = dict(servings)
        self._policies = {
            tenant: PresentPolicy(tenant, serving.active) for tenant, serving in servings.items()
        }
        self._arms = {tenant: ArmPolicies(tenant) for tenant in servings}
        self._seen = 0
        self._failing = False
        self._refreshing = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def of_settings(cls, settings: Settings, active: ActivePolicy | None = None) -> Live:
        """As the operator started it; ``active`` is for the merchant ``default``."""
        return cls(
            {
                name: Serving(
                    name,
                    active
                    if active is not None and name == DEFAULT_TENANT
                    else load_active(served.policy),
                    served.routes,
                    served.delays,
                    load_rules(merchant=served.merchant),
                )
                for name, served in settings.served().items()
            }
        )

    def serving(self, tenant: str) -> Serving:
        """The present state of a merchant."""
        return self._servings[tenant]

    def servings(self) -> list[Serving]:
        """The present states of all merchants."""
        return list(self._servings.values())

    def started(self, tenant: str) -> ActivePolicy:
        """The policy of a merchant that the service was started with."""
        return self._policies[tenant].started

    def refresh(self, engine: Engine) -> bool:
        """Take in what was changed since the last look.

        Returns
        -------
        bool
            Whether the store answered; the last state stays where it did not.
        """
        with self._refreshing:
            try:
                with engine.connect() as connection:
                    last = last_change(connection)
                    if last != self._seen:
                        self._take(connection, last)
            except SQLAlchemyError as error:
                if not self._failing:
                    _log.error("changes cannot be read: %s", type(error).__name__)
                self._failing = True
                return False
            self._failing = False
            return True

    def follow(self, engine: Engine, every_s: float = EVERY_S) -> None:
        """Refresh now, and then in a thread until it is closed."""
        self.refresh(engine)

        def run() -> None:
            while not self._stop.wait(every_s):
                try:
                    self.refresh(engine)
                except Exception:
                    # The thread must outlive whatever a row holds: nothing else would see the
                    # change that mends it.
                    _log.exception("changes cannot be followed")

        self._thread = threading.Thread(target=run, name="live", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _take(self, connection: Connection, last: int) -> None:
        states = {tenant: present(connection, tenant) for tenant in self._servings}
        # At once: what an operator stops must not wait until a model is loaded.
        self._servings = {
            tenant: _at_once(serving, states[tenant]) for tenant, serving in self._servings.items()
        }
        self._servings = {
            tenant: self._serving(connection, serving, states[tenant], last)
            for tenant, serving in self._servings.items()
        }
        self._seen = last

    def _serving(
        self, connection: Connection, serving: Serving, state: State, last: int
    ) -> Serving:
        tenant = serving.tenant
        weights = _weights(state)
        wanted = live_policy(history(connection, tenant, POLICY, LIVE)).promoted
        active, candidate = self._policies[tenant].load(connection, wanted)
        if weights and active.policy is not None:
            active = replace(active, policy=Weighted(active.policy, weights))
        made = replace(
            serving,
            active=active,
            weights=weights,
            candidate=candidate,
            change=last,
            trial=None,
        )
        trial = running_trial(state)
        policies, fault = self._arms[tenant].load(connection, trial, active)
        if trial is None:
            return made
        return replace(made, trial=run_trial(trial, policies, fault, made))


def _at_once(serving: Serving, state: State) -> Serving:
    """What a change means before any policy is loaded."""
    made = replace(serving, down=_down(state), killed=_killed(state), trial=None)
    trial, before = running_trial(state), serving.trial
    if trial is None or before is None or not _decides_alike(trial, before):
        return made
    return replace(made, trial=run_trial(trial, before.policies, before.fault, made))


def _decides_alike(trial: Trial, before: RunningTrial) -> bool:
    """Whether the policies that are loaded are those of the arms."""
    wanted, there = (
        [(arm.name, arm.spec, arm.sha256) for arm in each.arms] for each in (trial, before.trial)
    )
    return trial.name == before.trial.name and wanted == there


def _down(state: State) -> frozenset[str]:
    return frozenset(
        subject
        for (kind, subject), change in state.items()
        if kind == ROUTE and change.value["state"] == "down"
    )


def _weights(state: State) -> dict[str, float]:
    return {
        subject: float(change.value["weight"])
        for (kind, subject), change in state.items()
        if kind == ROUTE and change.value["weight"] not in (None, 1.0)
    }


def _killed(state: State) -> str | None:
    change = state.get((KILL, DECISIONS))
    if change is None or not change.value["killed"]:
        return None
    return f"{KILLED}: {change.reason}" if change.reason else KILLED
