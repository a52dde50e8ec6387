"""``authopt watch``: add up, follow shadows, judge trials, raise alarms, beside the service."""

from __future__ import annotations

from pathlib import Path

import click

from authopt.errors import UserError
from authopt.terminal import console, json_option, notes, print_json
from service.follower_options import every_option, lease_option, log_level_option
from service.length_of_time import seconds_in
from service.store.at_the_prompt import database_option
from service.tenants import DEFAULT_TENANT


@click.command()
@database_option
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="The merchant.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The service's configuration file; of it, the section [alarms].",
)
@every_option("Between two rounds.")
@lease_option
@click.option("--once", is_flag=True, help="Do what there is to do, and end.")
@log_level_option
@json_option
def watch(
    database: str,
    tenant: str,
    config: Path | None,
    every: str,
    lease: str,
    once: bool,
    log_level: str,
    as_json: bool,
) -> None:
    """Watch over what a running service records.

    Keeps the sums that the console and the alarms read, asks shadow policies what they would have
    done, judges running experiments and canaries, and raises alarms and sends them out. What was
    done is saved step by step, so the process may be killed at any moment, and several may run, on
    several machines: one of them watches over a merchant, and another takes over if it is gone.

    With --once it exits with 1 if a duty failed.

    \b
    Examples:
      authopt watch --config authopt.toml
      authopt watch --tenant acme --database postgresql+psycopg://db/authopt
      authopt watch --once --json
    """
    import secrets
    import signal
    import socket
    import threading
    from os import getpid

    from service.alarms.config_section import alarms_in
    from service.alarms.settings import AlarmsConfig
    from service.log_output import start_logging
    from service.models.opened import opened
    from service.store.lease import RowLease
    from service.store.tables import watchers
    from service.summaries.duty import share_added
    from service.tenants import check_tenant
    from service.watch.duties import duties_of
    from service.watch.run import Watch, run

    start_logging(log_level)
    check_tenant(tenant)
    holder = f"{socket.gethostname()[:80]}:{getpid()}:{secrets.token_hex(8)}"
    length_s = seconds_in("--lease", lease)
    if length_s < 1:
        raise UserError("--lease: expected 1s or more")
    row = RowLease(watchers, {"tenant": tenant}, holder, length_s * 1_000_000)
    duties = duties_of(AlarmsConfig() if config is None else alarms_in(config, tenant))
    stop = threading.Event()

    def say(text: str) -> None:
        notes().print(text, style="dim", markup=False, soft_wrap=True)

    before = {
        each: signal.signal(each, lambda *_: stop.set()) for each in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        with opened(database) as engine:

            def tell_how_far() -> None:
                with engine.connect() as connection:
                    share = share_added(connection, tenant)
                say(f"adding up what is on record: {share:.0%}")

            job = Watch(row, duties, max(seconds_in("--every", every), 0.1), once)
            watched = run(engine, job, stop, say, tell_how_far)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    failed = {name: times for name, times in watched.failed.items() if times}
    if as_json:
        print_json({"held": watched.held, "rounds": watched.rounds, "failed": failed})
    elif not watched.held:
        say(f"{tenant}: another process watches, and goes on")
    else:
        for name, times in failed.items():
            console().print(f"{name} failed {times:,} times", soft_wrap=True)
    if once and failed:
        raise SystemExit(1)
