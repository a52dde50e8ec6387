"""Operations with which the service is run."""

from __future__ import annotations

from service.api.changes import ChangesPage
from service.api.models import ModelsAnswer
from service.api.policies import PoliciesAnswer, PromoteRequest, RollbackRequest, WhyRequest
from service.api.routes import RouteRequest, RoutesAnswer
from service.api.rules import RulesAnswer
from service.openapi.operation import Operation, Parameter
from service.security.caller import Scope

AFTER = Parameter(
    name="after",
    place="query",
    about="number of the last one that was seen; 0 from the beginning",
    schema={"type": "integer", "minimum": 0, "default": 0},
)
LIMIT = Parameter(
    name="limit",
    place="query",
    about="how many at most",
    schema={"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
)

OPERATING: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/v1/changes",
        name="changes",
        group="Operation",
        summary="The audit log: what was changed, by which key, and why",
        about="Oldest first. Ask again with `after` set to `next` until `next` is null.",
        scope=Scope.READ,
        parameters=(
            AFTER,
            LIMIT,
            Parameter(
                name="kind",
                place="query",
                about="only changes of this kind",
                schema={"type": "string", "maxLength": 32, "pattern": "^[a-z-]+$"},
            ),
        ),
        answer=ChangesPage,
        problems=(503,),
    ),
    Operation(
        method="GET",
        path="/v1/policies",
        name="policies",
        group="Operation",
        summary="Which policy is live, whether it is pinned or killed, and how it came to be",
        scope=Scope.READ,
        answer=PoliciesAnswer,
        problems=(503,),
    ),
    Operation(
        method="POST",
        path="/v1/policies/promote",
        name="promote",
        group="Operation",
        summary="Make a policy live",
        about="A model of the registry by its sha256 or the first 6 or more characters of it, or a "
        "policy without files by its spec. All workers follow within a second, and no request "
        "fails. Refused while the live policy is pinned, where the model cannot be loaded, and "
        "unless the gate's verdict on the model lets it through: with the scope `admin`, "
        "`override` and a reason answer for it.",
        scope=Scope.OPERATE,
        request=PromoteRequest,
        answer=PoliciesAnswer,
        example={"spec": "uniform", "override": True, "reason": "gather data"},
        problems=(404, 409, 503),
    ),
    Operation(
        method="POST",
        path="/v1/policies/rollback",
        name="rollback",
        group="Operation",
        summary="Go back to the policy that was live before, and pin it",
        scope=Scope.OPERATE,
        request=RollbackRequest,
        answer=PoliciesAnswer,
        example={"reason": "fewer approvals since noon"},
        problems=(409, 503),
    ),
    *(
        Operation(
            method="POST",
            path=f"/v1/policies/{name}",
            name=name,
            group="Operation",
            summary=summary,
            scope=Scope.OPERATE,
            request=WhyRequest,
            answer=PoliciesAnswer,
            example={"reason": "as agreed with the acquirer"},
            problems=(503,),
        )
        for name, summary in (
            ("pin", "Let nothing replace the live policy"),
            ("unpin", "Let the live policy be replaced again"),
            ("kill", "Let the static priority decide, whatever policy is live"),
            ("revive", "Let the live policy decide again"),
        )
    ),
    Operation(
        method="GET",
        path="/v1/models",
        name="models",
        group="Operation",
        summary="The registry: every model, how it was made and judged",
        scope=Scope.READ,
        answer=ModelsAnswer,
        problems=(503,),
    ),
    Operation(
        method="GET",
        path="/v1/routes",
        name="routes",
        group="Operation",
        summary="The routes: which are up, and their weights",
        scope=Scope.READ,
        answer=RoutesAnswer,
        problems=(503,),
    ),
    Operation(
        method="POST",
        path="/v1/routes/{route}",
        name="change_route",
        group="Operation",
        summary="Take a route down or up, or give it a weight",
        about="A policy's probabilities of the route are multiplied by its weight and made to sum "
        "to 1; what is drawn from is what is logged. The last route that is up stays up.",
        scope=Scope.OPERATE,
        parameters=(
            Parameter(
                name="route",
                place="path",
                about="name of the route",
                schema={"type": "string", "maxLength": 128},
            ),
        ),
        request=RouteRequest,
        answer=RoutesAnswer,
        example={"state": "up", "weight": 0.5, "reason": "its limit is near"},
        problems=(404, 409, 503),
    ),
    Operation(
        method="GET",
        path="/v1/rules",
        name="rules",
        group="Operation",
        summary="What the networks and the merchant forbid, and who says so",
        scope=Scope.READ,
        answer=RulesAnswer,
    ),
)
