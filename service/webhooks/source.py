"""Webhooks that a merchant's providers send to the service: their names, shapes and secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from authopt.errors import UserError
from service.webhooks.shape import Shape, load_shape
from service.webhooks.signatures import is_adyen_secret

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
LEAST_SECRET = 16


@dataclass(frozen=True, slots=True)
class WebhookSource:
    """One provider of one merchant.

    Attributes
    ----------
    name
        last part of the address ``/v1/webhooks/NAME``.
    tenant
        whose decisions its outcomes are of.
    shape
        what its events look like.
    secrets
        that sign; during a change of the secret there are two.
    """

    name: str
    tenant: str
    shape: Shape
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        """Without the secrets, which end up in no log."""
        return f"WebhookSource({self.name!r}, {self.tenant!r})"


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    shape: str
    secret_env: str
    previous_secret_env: str | None = None
    decision_id: list[str] | None = None


def sources_of(
    sections: Mapping[str, Any], tenant: str, environ: Mapping[str, str] | None = None
) -> dict[str, WebhookSource]:
    """The sources that the ``[webhooks.NAME]`` sections of a configuration describe.

    Parameters
    ----------
    sections
        by name: ``shape`` (``stripe``, ``adyen``, ``checkout`` or a file), ``secret_env`` (name of
        the variable of the environment that holds the secret), and, where needed,
        ``previous_secret_env`` and ``decision_id`` (paths, instead of the shape's own).
    tenant
        whose they are.
    environ
        by default the process's.

    Raises
    ------
    UserError
        If a section is unsound, or its secret is not set.
    """
    environ = os.environ if environ is None else environ
    found = {}
    for name, section in sections.items():
        where = f"[webhooks.{name}]"
        if not _NAME.fullmatch(name):
            raise UserError(f"{where}: expected small letters, digits and hyphens, at most 64")
        try:
            told = msgspec.convert(section, _Section)
        except msgspec.ValidationError as error:
            raise UserError(f"{where}: {error}") from None
        shape = load_shape(told.shape)
        if told.decision_id:
            shape = msgspec.structs.replace(shape, decision_id=told.decision_id)
        variables = [told.secret_env]
        if told.previous_secret_env is not None:
            variables.append(told.previous_secret_env)
        secrets = tuple(_secret(where, each, shape, environ) for each in variables)
        found[name] = WebhookSource(name, tenant, shape, secrets)
    return found


def _secret(where: str, variable: str, shape: Shape, environ: Mapping[str, str]) -> str:
    secret = environ.get(variable, "")
    if len(secret) < LEAST_SECRET:
        raise UserError(
            f"{where}: the environment's {variable} "
            + ("is not set" if not secret else f"has fewer than {LEAST_SECRET} characters")
            + "; expected the secret that the provider signs with"
        )
    if shape.signature.scheme == "adyen" and not is_adyen_secret(secret):
        raise UserError(f"{where}: the environment's {variable} is no key of hexadecimal digits")
    return secret
