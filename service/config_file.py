"""The service's configuration as a TOML file: what the flags say, and more.

The top of the file describes the server and the merchant ``default``. Each section
``[tenants.NAME]`` is a further merchant, which takes from the top what it does not say itself.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta

from authopt.card_numbers import redact
from authopt.errors import UserError
from authopt.rules import MerchantRules
from authopt.rules.merchant_file import load_merchant_rules
from service.active_policy import check_spec
from service.settings import MAX_BODY_BYTES, Settings, TenantSettings
from service.store.engine import sqlite_file
from service.tenants import DEFAULT_TENANT
from service.webhooks.source import WebhookSource, sources_of

T = TypeVar("T", bound=msgspec.Struct)

_WHERE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"contains unknown field `(?P<name>[^`]*)`")
_SHOWN = 60


class TenantSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[tenants.NAME]``: what is missing is as at the top of the file."""

    policy: str | None = None
    routes: tuple[str, ...] | None = None
    delays: tuple[int, ...] | None = None
    rules: str | None = None
    webhooks: dict[str, Any] = {}
    alarms: dict[str, Any] | None = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file, or what the flags say in its place.

    In a file, relative paths of ``rules`` and ``spool`` start from its folder; those in ``policy``
    and ``database`` from where the service is started, as on the command line.
    """

    policy: str | None = None
    routes: tuple[str, ...] | None = None
    delays: tuple[int, ...] = (0,)
    rules: str | None = None
    webhooks: dict[str, Any] = {}
    alarms: dict[str, Any] = {}
    tenants: dict[str, Any] = {}
    database: str = "sqlite:///authopt.db"
    spool: str | None = None
    deadline_ms: Annotated[int, Meta(ge=1, le=60_000)] = 50
    batch_deadline_ms: Annotated[int, Meta(ge=1, le=600_000)] = 2_000
    max_body_bytes: Annotated[int, Meta(ge=1_024, le=64 * 1024 * 1024)] = MAX_BODY_BYTES
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535)] = 8000
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    threads: Annotated[int, Meta(ge=1, le=1_024)] = 32
    own_cores: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["text", "json"] = "text"
    open: bool = False


def read_config(path: Path) -> Config:
    """The file, checked as far as it can be without what it names.

    Raises
    ------
    UserError
        If it cannot be read or is no TOML, or naming the key, its value and what is expected.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a TOML file ({error})") from None
    config = _fitted(content, Config, path, "")
    tenants = {
        name: _beside(_fitted(section, TenantSection, path, f"tenants.{name}."), path)
        for name, section in config.tenants.items()
    }
    return msgspec.structs.replace(_beside(config, path), tenants=tenants)


def settings_of(config: Config, source: str) -> Settings:
    """What a worker needs to know.

    Parameters
    ----------
    config
        of :func:`read_config`, with the flags put in.
    source
        what complaints begin with, such as the file's name.

    Raises
    ------
    UserError
        If a value is unsound, or a file that one names.
    """
    if config.policy is None or config.routes is None:
        missing = "policy" if config.policy is None else "routes"
        raise UserError(
            f"{source}: {missing} is missing; expected --{missing}, or {missing} in the file of "
            "--config"
        )
    merchant = _rules(config.rules)
    check_spec(config.policy)
    webhooks = sources_of(config.webhooks, DEFAULT_TENANT)
    tenants = {}
    for name, section in config.tenants.items():
        assert isinstance(section, TenantSection)
        try:
            tenants[name] = _tenant(section, config.policy, config.routes, config.delays, merchant)
            _add(webhooks, sources_of(section.webhooks, name))
        except UserError as error:
            raise UserError(f"{source}: [tenants.{name}] {error}") from None
    return Settings(
        policy=config.policy,
        routes=config.routes,
        delays=config.delays,
        merchant=merchant,
        tenants=tenants,
        webhooks=webhooks,
        database=config.database,
        spool=spool_beside(config.database) if config.spool is None else Path(config.spool),
        deadline_ms=config.deadline_ms,
        batch_deadline_ms=config.batch_deadline_ms,
        max_body_bytes=config.max_body_bytes,
        workers=config.workers,
        log_format=config.log_format,
        own_cores=config.own_cores,
    )


def spool_beside(database: str) -> Path:
    """Where records go while a database cannot take them, unless somebody says otherwise."""
    file = sqlite_file(database)
    return Path("authopt.spool") if file is None else file.with_name(file.name + ".spool")


def _tenant(
    section: TenantSection,
    policy: str,
    routes: tuple[str, ...],
    delays: tuple[int, ...],
    merchant: MerchantRules,
) -> TenantSettings:
    if section.policy is not None:
        check_spec(section.policy)
    return TenantSettings(
        policy=policy if section.policy is None else section.policy,
        routes=routes if section.routes is None else section.routes,
        delays=delays if section.delays is None else section.delays,
        merchant=merchant if section.rules is None else _rules(section.rules),
    )


def _rules(path: str | None) -> MerchantRules:
    return MerchantRules() if path is None else load_merchant_rules(Path(path))


def _add(webhooks: dict[str, WebhookSource], more: dict[str, WebhookSource]) -> None:
    for name, source in more.items():
        if name in webhooks:
            raise UserError(
                f"[webhooks.{name}]: the merchant {webhooks[name].tenant!r} has a webhook of that "
                "name; every name is an address, so choose another"
            )
        webhooks[name] = source


def _beside(section: T, path: Path) -> T:
    """With the files that it names as seen from the file's folder."""
    named = {
        key: str(path.parent / value)
        for key in ("rules", "spool")
        if (value := getattr(section, key, None)) is not None
    }
    return msgspec.structs.replace(section, **named)


def _fitted(content: Any, form: type[T], path: Path, above: str) -> T:
    try:
        return msgspec.convert(content, form)
    except msgspec.ValidationError as error:
        text = str(error)
    where = _WHERE.search(text)
    key = where["path"] if where else ""
    unknown = _UNKNOWN.search(text)
    if unknown:
        name = unknown["name"]
        near = difflib.get_close_matches(name, form.__struct_fields__, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected {_listed(form)}"
        raise UserError(f"{path}: {above}{name}: is not known; {hint}")
    shown = f" {_value(content, key)}" if key else ""
    what = _WHERE.sub("", text)
    choices = get_args(get_type_hints(form).get(key))
    if what.startswith("Invalid enum value"):
        what = f"expected one of {', '.join(choices)}"
    raise UserError(f"{path}: {above}{key or 'section'}:{shown}: {what[0].lower()}{what[1:]}")


def _listed(form: type[msgspec.Struct]) -> str:
    return "one of " + ", ".join(form.__struct_fields__)


def _value(content: Any, key: str) -> str:
    """The value that a path such as ``delays[1]`` leads to, as it may be shown."""
    for piece in re.findall(r"[^.\[\]]+", key):
        try:
            content = content[int(piece)] if isinstance(content, list) else content[piece]
        except (KeyError, IndexError, TypeError, ValueError):
            return ""
    return redact(repr(content))[:_SHOWN]
