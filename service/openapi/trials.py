"""Operations on experiments, canaries and shadows."""

from __future__ import annotations

from dataclasses import replace

from service.api.canary import (
    CanaryPromoteRequest,
    CanaryRequest,
    CanaryShareRequest,
    CanaryWhyRequest,
)
from service.api.experiments import (
    ExperimentRequest,
    ExperimentsAnswer,
    StopRequest,
    TrialAnswer,
    TrialWhyRequest,
)
from service.api.shadows import ShadowRequest, ShadowsAnswer, ShadowWhyRequest
from service.openapi.operation import Operation, Parameter
from service.security.caller import Scope
from service.trials.pre_period import FEWEST_PAYMENTS

_NAME = Parameter(
    name="name",
    place="path",
    about="name of the experiment",
    schema={"type": "string", "maxLength": 64, "pattern": "^[a-z0-9][a-z0-9_-]*$"},
)

_SHADOW = replace(_NAME, about="name of the shadow")

TRIALS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/v1/experiments",
        name="experiments",
        group="Trials",
        summary="All experiments, and how they stand",
        scope=Scope.READ,
        answer=ExperimentsAnswer,
        problems=(503,),
    ),
    Operation(
        method="GET",
        path="/v1/experiments/{name}",
        name="experiment",
        group="Trials",
        summary="An experiment, what was found of it, and its history",
        about="`found.reading.differences` decide. Where "
        f"{FEWEST_PAYMENTS} payments of the four weeks before the experiment are on record, they "
        "are adjusted (CUPED) by what payments of the same card, merchant, issuer, BIN and network "
        "came to then, which no arm had to do with; `unadjusted` has the differences without that, "
        "`narrower` the part by which the limits of each are narrower for it, and "
        "`variance_reduction` the part of the variance that it takes away. `found.adjustment` says "
        "by which `covariates`, from how many `payments`, and how many of the `units` were "
        "`without_past`, which is no reason to leave them out.",
        scope=Scope.READ,
        parameters=(_NAME,),
        answer=TrialAnswer,
        problems=(404, 503),
    ),
    Operation(
        method="POST",
        path="/v1/experiments",
        name="start_experiment",
        group="Trials",
        summary="Compare policies on live payments",
        about="Units are split by a hash of their id, and stay with their arm; one trial runs at a "
        "time. `authopt watch` judges it, and pauses it where a guardrail breaks or units do not "
        "come to the arms as planned. An arm of the spec `live` decides by the live policy.",
        scope=Scope.OPERATE,
        request=ExperimentRequest,
        answer=TrialAnswer,
        example={
            "name": "checkout-first",
            "arms": [
                {"name": "now", "spec": "live"},
                {"name": "new", "spec": "uniform", "weight": 1},
            ],
            "segments": ["network"],
            "reason": "is it better?",
        },
        problems=(404, 409, 503),
    ),
    *(
        Operation(
            method="POST",
            path=f"/v1/experiments/{{name}}/{name}",
            name=f"{name}_experiment",
            group="Trials",
            summary=summary,
            scope=Scope.OPERATE,
            parameters=(_NAME,),
            request=TrialWhyRequest,
            answer=TrialAnswer,
            problems=(404, 409, 503),
        )
        for name, summary in (
            ("pause", "Let the live policy decide for all until it is resumed"),
            ("resume", "Let a paused experiment go on, with everybody in the arm of before"),
        )
    ),
    Operation(
        method="POST",
        path="/v1/experiments/{name}/stop",
        name="stop_experiment",
        group="Trials",
        summary="End an experiment, with what was decided",
        about="The live policy decides from then on. An arm that is shipped is promoted apart from "
        "this.",
        scope=Scope.OPERATE,
        parameters=(_NAME,),
        request=StopRequest,
        answer=TrialAnswer,
        problems=(404, 409, 503),
    ),
    Operation(
        method="GET",
        path="/v1/canary",
        name="canary",
        group="Trials",
        summary="The canary, what was found of it, and its history",
        scope=Scope.READ,
        answer=TrialAnswer,
        problems=(404, 503),
    ),
    Operation(
        method="POST",
        path="/v1/canary",
        name="start_canary",
        group="Trials",
        summary="Let a policy decide for a share of the payments",
        about="`authopt watch` takes them back where it does harm or breaks a guardrail.",
        scope=Scope.OPERATE,
        request=CanaryRequest,
        answer=TrialAnswer,
        example={"spec": "uniform", "share": 0.05, "reason": "as the gate allows"},
        problems=(404, 409, 503),
    ),
    Operation(
        method="POST",
        path="/v1/canary/share",
        name="share_canary",
        group="Trials",
        summary="Give the canary another share",
        about="Raising it takes no payment back from the canary.",
        scope=Scope.OPERATE,
        request=CanaryShareRequest,
        answer=TrialAnswer,
        problems=(404, 409, 503),
    ),
    Operation(
        method="POST",
        path="/v1/canary/stop",
        name="stop_canary",
        group="Trials",
        summary="End the canary",
        scope=Scope.OPERATE,
        request=CanaryWhyRequest,
        answer=TrialAnswer,
        problems=(404, 409, 503),
    ),
    Operation(
        method="POST",
        path="/v1/canary/promote",
        name="promote_canary",
        group="Trials",
        summary="Make the policy of the canary live for all, and end the canary",
        about="Its payments must show that it does no harm, or the gate's verdict let it through: "
        "with the scope `admin`, `override` and a reason answer for it.",
        scope=Scope.OPERATE,
        request=CanaryPromoteRequest,
        answer=TrialAnswer,
        problems=(404, 409, 503),
    ),
    Operation(
        method="GET",
        path="/v1/shadows",
        name="shadows",
        group="Trials",
        summary="Policies that look on, and what they would have done",
        scope=Scope.READ,
        answer=ShadowsAnswer,
        problems=(503,),
    ),
    Operation(
        method="POST",
        path="/v1/shadows",
        name="turn_on_shadow",
        group="Trials",
        summary="Let a policy look on",
        about="It decides nothing: `authopt watch` asks it what it would have done.",
        scope=Scope.OPERATE,
        request=ShadowRequest,
        answer=ShadowsAnswer,
        example={"name": "even", "spec": "uniform", "reason": "what would it do?"},
        problems=(404, 409, 503),
    ),
    Operation(
        method="POST",
        path="/v1/shadows/{name}/off",
        name="turn_off_shadow",
        group="Trials",
        summary="Let a shadow look on no longer",
        scope=Scope.OPERATE,
        parameters=(_SHADOW,),
        request=ShadowWhyRequest,
        answer=ShadowsAnswer,
        problems=(404, 409, 503),
    ),
)
