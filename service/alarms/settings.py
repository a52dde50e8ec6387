"""The ``[alarms]`` section of the configuration: when alarms are raised, and where they go."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from authopt.alarms.kinds import AlarmSettings
from authopt.alarms.standing import Holding
from authopt.errors import UserError

LEAST_SECRET = 16
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ADDRESS = re.compile(r"[^@\s<>,]{1,64}@[^@\s<>,]{1,250}")


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that alarms are posted to.

    Attributes
    ----------
    name
        of the channel.
    url
        https, or http.
    secret
        signs what is sent; None: nothing is signed.
    timeout_s
        for the whole of a try.
    """

    name: str
    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Mailbox:
    """People whom alarms are mailed to.

    Attributes
    ----------
    name
        of the channel.
    host, port
        of the mail server.
    sender, to
        addresses.
    starttls
        whether the connection must be encrypted before anything is said.
    user, password
        for the mail server; None: it asks for none.
    timeout_s
        for the whole of a try.
    """

    name: str
    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    starttls: bool = True
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0


Channel: TypeAlias = Webhook | Mailbox


@dataclass(frozen=True, slots=True)
class AlarmsConfig:
    """What the section says.

    Attributes
    ----------
    alarms
        of the detectors.
    outcomes_within_s
        a minute is judged so long after its end: by then the outcomes of attempts that were made at
        once should be known.
    overdue_after_s
        an outcome that is not known by then is overdue.
    channels
        where alarms go.
    """

    alarms: AlarmSettings = AlarmSettings()  # noqa: RUF009
    outcomes_within_s: int = 60
    overdue_after_s: int = 1_800
    channels: tuple[Channel, ...] = ()


class _Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    secret_env: str | None = None
    timeout_s: Annotated[float, Meta(gt=0, le=30)] = 5.0


class _Mailbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    host: str
    sender: str
    to: Annotated[tuple[str, ...], Meta(min_length=1, max_length=50)]
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    starttls: bool = True
    user: str | None = None
    password_env: str | None = None
    timeout_s: Annotated[float, Meta(gt=0, le=30)] = 10.0


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    days_between_false_alarms: Annotated[float, Meta(ge=1)] = 90.0
    least_firing_s: Annotated[int, Meta(ge=0, le=86_400)] = 600
    least_clear_s: Annotated[int, Meta(ge=0, le=86_400)] = 300
    outcomes_within_s: Annotated[int, Meta(ge=0, le=10_800)] = 60
    overdue_after_s: Annotated[int, Meta(ge=60, le=10_800)] = 1_800
    webhooks: dict[str, _Webhook] = {}
    mail: dict[str, _Mailbox] = {}


def alarms_of(
    section: Mapping[str, Any], where: str, environ: Mapping[str, str] | None = None
) -> AlarmsConfig:
    """What an ``[alarms]`` section means.

    Parameters
    ----------
    section
        as it stands in the file; empty: everything as by default, and no channel.
    where
        what complaints begin with, such as ``authopt.toml: [alarms]``.
    environ
        holds the secrets; by default that of the process.

    Raises
    ------
    UserError
        If a value is unsound, or a secret is not set.
    """
    environ = os.environ if environ is None else environ
    try:
        told = msgspec.convert(section, _Section)
    except msgspec.ValidationError as error:
        raise UserError(f"{where} {error}") from None
    holding = Holding(
        told.least_firing_s,
        told.least_clear_s,
        most_firing_s=max(Holding().most_firing_s, told.least_firing_s),
    )
    twice = sorted(set(told.webhooks) & set(told.mail))
    if twice:
        raise UserError(f"{where} {twice[0]!r} is a webhook and a mailbox; names must differ")
    for name in (*told.webhooks, *told.mail):
        if not _NAME.fullmatch(name):
            raise UserError(
                f"{where} channel {name!r}: expected small letters, digits and hyphens, at most 64"
            )
    channels: list[Channel] = [
        _webhook(name, of, f"{where} webhooks.{name}", environ)
        for name, of in told.webhooks.items()
    ]
    channels += [
        _mailbox(name, of, f"{where} mail.{name}", environ) for name, of in told.mail.items()
    ]
    return AlarmsConfig(
        AlarmSettings(told.days_between_false_alarms, holding=holding),
        told.outcomes_within_s,
        told.overdue_after_s,
        tuple(channels),
    )


def _webhook(name: str, of: _Webhook, where: str, environ: Mapping[str, str]) -> Webhook:
    try:
        parts = urlsplit(of.url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        sound = sound and parts.username is None and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not of.url.isascii() or not of.url.isprintable() or " " in of.url:
        raise UserError(f"{where}: url: expected https://HOST/PATH without a user or password")
    secret = None
    if of.secret_env is not None:
        secret = _from(environ, of.secret_env, where)
        if len(secret) < LEAST_SECRET:
            raise UserError(
                f"{where}: the environment's {of.secret_env} has fewer than {LEAST_SECRET} "
                "characters; expected a secret to sign with"
            )
    return Webhook(name, of.url, secret, of.timeout_s)


def _mailbox(name: str, of: _Mailbox, where: str, environ: Mapping[str, str]) -> Mailbox:
    for address in (of.sender, *of.to):
        if not _ADDRESS.fullmatch(address):
            raise UserError(f"{where}: {address!r} is no address; expected somebody@example.org")
    if (of.user is None) != (of.password_env is None):
        raise UserError(f"{where}: user and password_env belong together")
    if of.user is not None and not of.starttls:
        raise UserError(f"{where}: a password is not sent without starttls")
    password = None if of.password_env is None else _from(environ, of.password_env, where)
    return Mailbox(
        name, of.host, of.port, of.sender, of.to, of.starttls, of.user, password, of.timeout_s
    )


def _from(environ: Mapping[str, str], variable: str, where: str) -> str:
    found = environ.get(variable, "")
    if not found:
        raise UserError(f"{where}: the environment's {variable} is not set")
    return found
