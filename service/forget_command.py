"""``authopt forget``: delete what is older than it has to be kept."""

from __future__ import annotations

import click

from authopt.errors import UserError
from authopt.terminal import console, json_option, print_json
from service.length_of_time import seconds_in


@click.command()
@click.option(
    "--older-than",
    required=True,
    metavar="TIME",
    help="Decisions made longer ago than this, such as 400d.",
)
@click.option("--tenant", help="Of this merchant only; by default of all.")
@click.option(
    "--database",
    default="sqlite:///authopt.db",
    show_default=True,
    metavar="URL",
    help="Where the service keeps decisions and outcomes.",
)
@json_option
def forget(older_than: str, tenant: str | None, database: str, as_json: bool) -> None:
    """Delete old decisions with their outcomes, for good.

    Small transactions, with a pause after each: the service may run meanwhile. What was cut off
    goes on at the next call. Export first what is still to be learned from
    (authopt log export). The audit log, the models and the sums that the console shows stay.

    \b
    Examples:
      authopt forget --older-than 400d
      authopt forget --older-than 90d --tenant acme --database postgresql+psycopg://db/authopt
    """
    from dataclasses import asdict
    from datetime import UTC, datetime, timedelta

    from sqlalchemy.exc import SQLAlchemyError

    from service.store.engine import cause_of, check_there, open_engine
    from service.store.records import microseconds
    from service.store.retention import forget as forget_before

    before = datetime.now(UTC) - timedelta(seconds=seconds_in("--older-than", older_than))
    check_there(database)
    engine = open_engine(database)
    try:
        gone = forget_before(engine, microseconds(before), tenant)
    except SQLAlchemyError as error:
        raise UserError(f"the database cannot be written: {cause_of(error)}") from None
    finally:
        engine.dispose()
    if as_json:
        print_json({"before": before, **asdict(gone)})
        return
    console().print(
        f"gone, from before {before:%Y-%m-%d %H:%M} UTC: {gone.decisions:,} decisions, "
        f"{gone.outcomes:,} outcomes, {gone.activations:,} activations"
    )
