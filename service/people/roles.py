"""What people may do in the console."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from service.security.caller import Scope


class Role(StrEnum):
    """What a person may do."""

    VIEWER = "viewer"
    """see everything of the merchant"""
    OPERATOR = "operator"
    """also take routes up and down, start and stop experiments, promote and roll back"""
    ADMIN = "admin"
    """also whatever an administrator's key may"""


MEANS: Mapping[Role, str] = MappingProxyType(
    {
        Role.VIEWER: "sees everything",
        Role.OPERATOR: "also changes routes, policies and experiments",
        Role.ADMIN: "also overrides the gate, and manages users",
    }
)
"""What a role is for, in a few words."""

SCOPES: Mapping[Role, frozenset[Scope]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({Scope.READ}),
        Role.OPERATOR: frozenset({Scope.READ, Scope.OPERATE}),
        Role.ADMIN: frozenset(Scope),
    }
)
"""The scopes that stand for a role."""
