"""Operations that tell about the service itself."""

from __future__ import annotations

from typing import Any

from service.openapi.operation import Operation
from service.openapi.plain_answers import Alive, Ready
from service.security.caller import Scope

ABOUT: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/healthz",
        name="alive",
        group="Health",
        summary="Whether the process lives",
        scope=None,
        answer=Alive,
    ),
    Operation(
        method="GET",
        path="/readyz",
        name="ready",
        group="Health",
        summary="Whether it can do all of its work",
        about="What is amiss is told to keys with the scope `read` alone.",
        scope=None,
        answer=Ready,
        problems=(503,),
    ),
    Operation(
        method="GET",
        path="/metrics",
        name="metrics",
        group="Health",
        summary="Figures for Prometheus",
        about="Of all merchants for a key of the merchant `default` with the scope `admin`, of its "
        "own merchant for any other.",
        scope=Scope.READ,
        media="text/plain; version=1.0.0; charset=utf-8",
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        name="description",
        group="About",
        summary="This description, for machines",
        scope=None,
        answer=dict[str, Any],
    ),
    Operation(
        method="GET",
        path="/docs",
        name="docs",
        group="About",
        summary="This description, for people",
        scope=None,
        media="text/html; charset=utf-8",
    ),
)
