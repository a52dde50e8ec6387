"""Operations on a merchant's API keys."""

from __future__ import annotations

from service.api.keys import (
    KeyRequest,
    KeyRow,
    KeysAnswer,
    NewKey,
    RevokeRequest,
    RotateRequest,
)
from service.openapi.operation import Operation, Parameter
from service.security.caller import Scope

_KEY_ID = Parameter(
    name="key_id",
    place="path",
    about="the public half of the key: ak_KEYID_...",
    schema={"type": "string", "pattern": "^[0-9a-f]{12}$"},
)

ADMINISTERING: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/v1/keys",
        name="keys",
        group="Keys",
        summary="The merchant's API keys, without their secrets",
        scope=Scope.ADMIN,
        answer=KeysAnswer,
        problems=(503,),
    ),
    Operation(
        method="POST",
        path="/v1/keys",
        name="create_key",
        group="Keys",
        summary="Make a key",
        about="It is shown this once. The first key of a service is made at its machine, with "
        "`authopt keys create`. A limit is for all workers together: each of N grants an Nth.",
        scope=Scope.ADMIN,
        request=KeyRequest,
        answer=NewKey,
        example={"name": "checkout-eu", "scopes": ["decide", "outcome"], "per_second": 500},
        problems=(409, 503),
    ),
    Operation(
        method="POST",
        path="/v1/keys/{key_id}/rotate",
        name="rotate_key",
        group="Keys",
        summary="Make a key that may do the same, and let the old one end",
        scope=Scope.ADMIN,
        parameters=(_KEY_ID,),
        request=RotateRequest,
        answer=NewKey,
        example={"overlap_s": 86_400, "reason": "every quarter"},
        problems=(404, 409, 503),
    ),
    Operation(
        method="POST",
        path="/v1/keys/{key_id}/revoke",
        name="revoke_key",
        group="Keys",
        summary="End a key; all workers refuse it within a second",
        scope=Scope.ADMIN,
        parameters=(_KEY_ID,),
        request=RevokeRequest,
        answer=KeyRow,
        example={"reason": "was in a log"},
        problems=(404, 409, 503),
    ),
)
