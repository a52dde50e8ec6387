"""``authopt serve``: the decision service; ``authopt export``: what it recorded, as a log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.errors import UserError
from authopt.terminal import existing_file, json_option, new_file, notes, print_json, tracked
from service.log_output import LEVELS

if TYPE_CHECKING:
    from service.settings import Settings


@click.command()
@click.option("--policy", "spec", required=True, metavar="SPEC", help="Such as vw:model.vw.")
@click.option("--routes", required=True, metavar="A,B,C", help="Your routes, best first.")
@click.option(
    "--delays",
    default="0",
    show_default=True,
    metavar="S,S",
    help="Seconds after which a route may be used.",
)
@click.option(
    "--rules",
    "rules_file",
    type=existing_file,
    metavar="FILE.toml",
    help="Your own rules, beside the networks' (authopt rules check FILE.toml).",
)
@click.option(
    "--database",
    default="sqlite:///authopt.db",
    show_default=True,
    metavar="URL",
    help="Where decisions and outcomes are kept.",
)
@click.option(
    "--spool",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that takes them while the database cannot. By default beside a SQLite database.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes. SQLite takes one writer, so one.",
)
@click.option(
    "--threads", type=click.IntRange(1, 1024), default=32, show_default=True, help="Per worker."
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    default="warning",
    show_default=True,
    help="What to log, to standard error.",
)
def serve(
    spec: str,
    routes: str,
    delays: str,
    rules_file: Path | None,
    database: str,
    spool: Path | None,
    host: str,
    port: int,
    workers: int,
    threads: int,
    log_level: str,
) -> None:
    """Answer decisions over HTTP, each durably recorded first.

    POST /v1/decisions asks for one, POST /v1/outcomes says what came of it; GET /readyz says
    whether all is well. A model that cannot be loaded does not keep the service from starting: the
    routes are then used in their order, and every answer says so.

    \b
    Examples:
      authopt serve --policy vw:model.vw --routes adyen,checkout,braintree
      authopt serve --policy priority:routes=a,b --routes a,b --delays 0,3600 --port 9000
      authopt serve --policy vw:model.vw --routes adyen,checkout --rules merchant.toml
    """
    from authopt.rules import MerchantRules
    from authopt.rules.merchant_file import load_merchant_rules
    from service.active_policy import check_spec
    from service.log_output import start_logging
    from service.server import check_free, check_workers, run
    from service.settings import Settings

    start_logging(log_level)

    settings = Settings(
        policy=spec,
        routes=tuple(name.strip() for name in routes.split(",") if name.strip()),
        delays=_seconds(delays),
        merchant=MerchantRules() if rules_file is None else load_merchant_rules(rules_file),
        database=database,
        spool=spool or _spool_beside(database),
    )
    check_spec(spec)
    check_workers(workers, database)
    check_free(host, port)
    _prepare(settings)
    notes().print(f"listening on http://{host}:{port}", markup=False, soft_wrap=True)
    run(settings, host, port, workers, threads, log_level)


def _seconds(text: str) -> tuple[int, ...]:
    pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
    for piece in pieces:
        if not (piece.isascii() and piece.isdigit()):
            raise UserError(
                f"--delays: {piece!r} is not a number of seconds; expected such as 0,3600"
            )
    return tuple(int(piece) for piece in pieces)


def _spool_beside(database: str) -> Path:
    from service.store.engine import sqlite_file

    file = sqlite_file(database)
    return Path("authopt.spool") if file is None else file.with_name(file.name + ".spool")


def _prepare(settings: Settings) -> None:
    """Open the database once before any worker does, so that a mistake is told at the prompt."""
    from sqlalchemy.exc import SQLAlchemyError

    from service.app import prepare_store
    from service.store.engine import open_engine
    from service.store.spool import Spool
    from service.store.store import Store

    store = Store(open_engine(settings.database, settings.busy_timeout_s))
    try:
        prepare_store(store, Spool(settings.spool))
    except (SQLAlchemyError, OSError) as error:
        raise UserError(
            f"{settings.spool}: what it holds cannot be moved into the database: {error}"
        ) from None
    finally:
        store.close()


@click.command()
@click.option(
    "--database",
    default="sqlite:///authopt.db",
    show_default=True,
    metavar="URL",
    help="Where the service keeps decisions and outcomes.",
)
@click.option("--out", type=new_file, required=True, help="Where to write the attempt log.")
@json_option
def export(database: str, out: Path, as_json: bool) -> None:
    """Write what the service recorded as an attempt log, with the propensities drawn with.

    Every decision is joined with the outcome that arrived last. The service may run meanwhile.

    \b
    Examples:
      authopt export --out log.parquet
      authopt export --database sqlite:///authopt.db --out log.csv.gz --json
    """
    from sqlalchemy.exc import SQLAlchemyError

    from authopt.logs.files import write_log
    from service.store.engine import open_engine, sqlite_file
    from service.store.export import logged_batches

    file = sqlite_file(database)
    if file is not None and not file.exists():
        raise UserError(f"{file}: there is no such database. Make one with: authopt serve")
    engine = open_engine(database)
    try:
        rows = write_log(out, tracked(logged_batches(engine), "exporting", None, len))
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise UserError(f"the database cannot be read: {cause}") from None
    finally:
        engine.dispose()
    if as_json:
        print_json({"out": out, "decisions": rows})
    else:
        notes().print(f"written: {out}, {rows:,} decisions", markup=False, soft_wrap=True)
