"""``authopt log export``: what the service recorded, as an attempt log."""

from __future__ import annotations

from pathlib import Path

import click

from authopt.errors import UserError
from authopt.terminal import json_option, new_file, notes, print_json, tracked
from service.length_of_time import seconds_in
from service.store.joining import Join, Missing
from service.tenants import DEFAULT_TENANT


@click.command()
@click.option(
    "--database",
    default="sqlite:///authopt.db",
    show_default=True,
    metavar="URL",
    help="Where the service keeps decisions and outcomes.",
)
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose decisions.")
@click.option("--out", type=new_file, required=True, help="Where to write the attempt log.")
@click.option(
    "--outcomes",
    "join",
    type=click.Choice([each.value for each in Join]),
    default=Join.MERGED.value,
    show_default=True,
    help="What several outcomes of a decision mean: each field as it was given last, the earliest "
    "or the last one alone, or the sum of rewards, fees and refunds.",
)
@click.option(
    "--wait",
    metavar="TIME",
    help="Leave out outcomes that came later than this after the attempt, such as 36h or 7d.",
)
@click.option(
    "--missing",
    type=click.Choice([each.value for each in Missing]),
    default=Missing.UNKNOWN.value,
    show_default=True,
    help="What no outcome means once the wait is over.",
)
@json_option
def export(
    database: str,
    tenant: str,
    out: Path,
    join: str,
    wait: str | None,
    missing: str,
    as_json: bool,
) -> None:
    """Write what the service recorded as an attempt log, with the propensities drawn with.

    Every decision is joined with what came back for it, once. What was left out or assumed is
    counted and told. The service may run meanwhile.

    \b
    Examples:
      authopt log export --out log.parquet
      authopt log export --out log.parquet --wait 3d --missing declined
      authopt log export --database postgresql+psycopg://host/authopt --out log.csv.gz --json
    """
    from dataclasses import asdict

    from sqlalchemy.exc import SQLAlchemyError

    from authopt.logs.files import write_log
    from service.store.carried_out import Exported
    from service.store.engine import cause_of, check_there, open_engine
    from service.store.export import logged_batches
    from service.store.joining import JoinRules

    rules = JoinRules(
        Join(join), None if wait is None else seconds_in("--wait", wait), Missing(missing)
    )
    check_there(database)
    counts = Exported()
    engine = open_engine(database)
    try:
        batches = logged_batches(engine, tenant=tenant, rules=rules, counts=counts)
        write_log(out, tracked(batches, "exporting", None, len))
    except SQLAlchemyError as error:
        raise UserError(f"the database cannot be read: {cause_of(error)}") from None
    finally:
        engine.dispose()
    if as_json:
        told = {"outcomes": rules.join, "wait_s": rules.wait_s, "missing": rules.missing}
        print_json({"out": out, "tenant": tenant, "rules": told, **asdict(counts)})
        return
    notes().print(f"written: {out}, {counts.decisions:,} decisions", markup=False, soft_wrap=True)
    for count, what in (
        (counts.without_outcome, "have no outcome yet: their reward is missing"),
        (counts.assumed_declined, "had none in time and count as declined"),
        (counts.late_outcomes, "outcomes came after the wait and do not count"),
        (counts.not_activated, "deferred decisions were never activated: left out"),
        (counts.chosen_otherwise, "were overruled without a propensity: left out"),
    ):
        if count:
            notes().print(f"  {count:,} {what}", markup=False, soft_wrap=True)
