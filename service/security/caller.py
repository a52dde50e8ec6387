"""Who asks: the key that a request came with, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from flask import g

from service.tenants import DEFAULT_TENANT


class Scope(StrEnum):
    """What a key may be good for."""

    DECIDE = "decide"
    """ask for decisions and rankings"""
    OUTCOME = "outcome"
    """send outcomes"""
    READ = "read"
    """read payments, policies, rules, changes"""
    OPERATE = "operate"
    """promote and roll back policies, take routes up and down"""
    ADMIN = "admin"
    """make and revoke keys"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes
    ----------
    tenant
        the merchant; nothing of another one is shown or changed.
    name
        of the key, as changes are recorded with it.
    scopes
        what it may do.
    """

    tenant: str
    name: str
    scopes: frozenset[Scope]


ANYBODY = Caller(DEFAULT_TENANT, "anybody", frozenset(Scope))
"""The caller where no keys are asked for."""


def caller() -> Caller:
    """The caller of the present request."""
    found = g.get("caller", ANYBODY)
    assert isinstance(found, Caller)
    return found
