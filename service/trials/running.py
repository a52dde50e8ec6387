"""The trial that a merchant's payments are in, as one worker runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from authopt.errors import UserError
from authopt.experiments.assignment import Assignment
from service.active_policy import ActivePolicy
from service.api.forms import DecisionRequest
from service.live.serving import Serving
from service.live.weighted import Weighted
from service.trials.left_out import NO_UNIT, NOT_LOADED, count_left_out
from service.trials.trial import Trial


@dataclass(frozen=True, slots=True, eq=False)
class RunningTrial:
    """A trial with what each arm decides with.

    A trial runs whole or not at all: where the policy of one arm cannot be loaded, the live one
    decides for all, and no decision is marked. Otherwise one arm would be compared with a part of
    another.

    Attributes
    ----------
    trial
        what was asked for.
    policies
        of its arms, without the weights of the routes; empty where there is a fault.
    fault
        why it does not run here; None where it does.
    assignment
        who is in which arm.
    servings
        by arm, what its decisions are made with.
    """

    trial: Trial
    policies: Sequence[ActivePolicy]
    fault: str | None
    assignment: Assignment | None = None
    servings: Mapping[str, Serving] | None = None

    def serving(self, present: Serving, request: DecisionRequest) -> Serving:
        """What a decision is made with.

        Parameters
        ----------
        present
            the merchant's state, for payments that are not in the trial.
        request
            which payment it is about.
        """
        if self.assignment is None or self.servings is None:
            count_left_out(present.tenant, self.trial.name, NOT_LOADED)
            return present
        unit = self.trial.unit_of(request)
        if unit is None:
            count_left_out(present.tenant, self.trial.name, NO_UNIT)
            return present
        arm = self.assignment.arm_of(unit)
        return present if arm is None else self.servings[arm]


def run_trial(
    trial: Trial, policies: Sequence[ActivePolicy], fault: str | None, present: Serving
) -> RunningTrial:
    """Give every arm what it decides with: the merchant's present state, but for the policy.

    Parameters
    ----------
    trial
        what was asked for.
    policies
        of its arms, in their order, without the weights of the routes.
    fault
        why there are none.
    present
        the merchant's state; its kill switch, routes and weights hold in every arm.
    """
    if fault is not None:
        return RunningTrial(trial, (), fault)
    try:
        assignment = trial.assignment
    except Exception as error:
        # Whatever a row holds: the other changes that came with it must be followed.
        why = str(error) if isinstance(error, UserError) else type(error).__name__
        return RunningTrial(trial, (), f"it cannot be split: {why}")
    servings = {
        arm.name: replace(
            present,
            active=present.active if arm.is_live else _weighted(policy, present),
            # Its own: a policy that hangs holds up no payment of another arm.
            lane=present.lane if arm.is_live else at,
            experiment=trial.name,
            arm=arm.name,
            trial=None,
        )
        for at, (arm, policy) in enumerate(zip(trial.arms, policies, strict=True), 1)
    }
    return RunningTrial(trial, policies, None, assignment, servings)


def _weighted(active: ActivePolicy, present: Serving) -> ActivePolicy:
    if not present.weights or active.policy is None:
        return active
    return replace(active, policy=Weighted(active.policy, present.weights))
