"""``authopt serve``: the decision service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authopt.errors import UserError
from authopt.terminal import existing_file, notes
from service.log_output import FORMATS, LEVELS

if TYPE_CHECKING:
    from service.settings import Settings


@click.command()
@click.option(
    "--config",
    "config_file",
    type=existing_file,
    metavar="FILE.toml",
    help="All of this in a file, and several merchants; options override it.",
)
@click.option("--policy", metavar="SPEC", help="Such as vw:model.vw.")
@click.option("--routes", metavar="A,B,C", help="Your routes, best first.")
@click.option(
    "--delays",
    show_default="0",
    metavar="S,S",
    help="Seconds after which a route may be used.",
)
@click.option(
    "--rules",
    type=existing_file,
    metavar="FILE.toml",
    help="Your own rules, beside the networks' (authopt rules check FILE.toml).",
)
@click.option(
    "--database",
    show_default="sqlite:///authopt.db",
    metavar="URL",
    help="Where decisions and outcomes are kept.",
)
@click.option(
    "--spool",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that takes them while the database cannot. By default beside a SQLite database.",
)
@click.option(
    "--deadline-ms",
    type=click.IntRange(1, 60_000),
    show_default="50",
    help="Longest time to the answer of a decision.",
)
@click.option("--host", show_default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), show_default="8000")
@click.option("--workers", type=click.IntRange(1, 256), show_default="1", help="Processes.")
@click.option("--threads", type=click.IntRange(1, 1024), show_default="32", help="Per worker.")
@click.option(
    "--own-cores",
    is_flag=True,
    default=None,
    help="Keep each worker to a core of its own: faster, on a machine that has one for each.",
)
@click.option(
    "--open",
    is_flag=True,
    default=None,
    help="Answer everybody who can reach --host, while there is no API key.",
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    show_default="warning",
    help="What to log, to standard error.",
)
@click.option("--log-format", type=click.Choice(FORMATS), show_default="text")
def serve(config_file: Path | None, **flags: Any) -> None:
    """Answer decisions over HTTP, each durably recorded first.

    POST /v1/decisions asks for one, POST /v1/outcomes says what came of it; GET /readyz says
    whether all is well, and /docs describes the rest. A model that cannot be loaded does not keep
    the service from starting: the routes are then used in their order, and every answer says so.

    Until an API key is made (authopt keys create), it answers everybody, and so listens on this
    machine alone.

    \b
    Examples:
      authopt serve --policy vw:model.vw --routes adyen,checkout,braintree
      authopt serve --policy priority:routes=a,b --routes a,b --delays 0,3600 --port 9000
      authopt serve --policy vw:model.vw --routes adyen,checkout --rules merchant.toml
      authopt serve --config service.toml --port 9000
    """
    import msgspec

    from service.config_file import Config, read_config, settings_of
    from service.log_output import start_logging
    from service.server import check_free, run

    config = Config() if config_file is None else read_config(config_file)
    config = msgspec.structs.replace(config, **_said(flags))
    start_logging(config.log_level, config.log_format)
    settings = settings_of(config, "authopt serve" if config_file is None else str(config_file))
    check_free(config.host, config.port)
    settings = _prepare(settings, config.host, config.open)
    notes().print(f"listening on http://{config.host}:{config.port}", markup=False, soft_wrap=True)
    run(settings, config.host, config.port, config.workers, config.threads, config.log_level)


def _said(flags: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as the configuration holds them."""
    said = {name: value for name, value in flags.items() if value is not None}
    if "routes" in said:
        said["routes"] = tuple(name.strip() for name in said["routes"].split(",") if name.strip())
    if "delays" in said:
        said["delays"] = _seconds(said["delays"])
    return said | {name: str(said[name]) for name in ("rules", "spool") if name in said}


def _seconds(text: str) -> tuple[int, ...]:
    pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
    for piece in pieces:
        if not (piece.isascii() and piece.isdigit()):
            raise UserError(
                f"--delays: {piece!r} is not a number of seconds; expected such as 0,3600"
            )
    return tuple(int(piece) for piece in pieces)


def _prepare(settings: Settings, host: str, open_to_all: bool) -> Settings:
    """Open the database once before any worker does, so that a mistake is told at the prompt."""
    from dataclasses import replace

    from sqlalchemy.exc import SQLAlchemyError

    from service.security.api_keys import any_keys
    from service.security.loopback import is_loopback
    from service.store.engine import open_engine
    from service.store.recording import prepare_store
    from service.store.spool import Spool
    from service.store.store import Store

    store = Store(open_engine(settings.database, settings.busy_timeout_s))
    try:
        prepare_store(store, Spool(settings.spool))
        with store.engine.connect() as connection:
            keys = any_keys(connection)
    except (SQLAlchemyError, OSError) as error:
        raise UserError(
            f"{settings.spool}: what it holds cannot be moved into the database: {error}"
        ) from None
    finally:
        store.close()
    if not keys and not open_to_all and not is_loopback(host):
        raise UserError(
            f"--host {host}: there is no API key yet, so everybody who can reach it could ask. "
            "Make one with: authopt keys create --name NAME --scope decide. Or say --open"
        )
    if settings.tenants and not keys:
        names = ", ".join(settings.tenants)
        notes().print(f"without keys, nobody speaks for {names}", markup=False, soft_wrap=True)
    return replace(settings, keys_required=keys)
