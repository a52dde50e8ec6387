"""``authopt models``: the registry, and which policy is live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authopt.errors import UserError
from authopt.terminal import console, existing_file, json_option, notes, print_json
from service.store.at_the_prompt import database_option
from service.tenants import DEFAULT_TENANT, check_tenant

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from service.models.live_policy import LivePolicy


def _checked_tenant(_: click.Context, __: click.Parameter, name: str) -> str:
    check_tenant(name)
    return name


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command of the group."""
    for option in (
        json_option,
        click.option(
            "--tenant",
            default=DEFAULT_TENANT,
            show_default=True,
            callback=_checked_tenant,
            help="The merchant.",
        ),
        database_option,
    ):
        function = option(function)
    return function


_reason = click.option("--reason", default="", metavar="TEXT", help="Why, for the audit log.")


@click.group()
def models() -> None:
    """Keep models, and say which policy is live.

    A running service follows within a second, in all its workers and on all machines that share
    its database, and no request fails. Everything is recorded: who, what, when and why.
    """


@models.command("add")
@click.argument("spec")
@click.option(
    "--evaluation",
    "files",
    type=existing_file,
    multiple=True,
    metavar="FILE.json",
    help="What authopt evaluate or authopt gate said of it (--json); repeatable.",
)
@_reason
@_shared
def add_command(
    spec: str, files: tuple[Path, ...], reason: str, database: str, tenant: str, as_json: bool
) -> None:
    """Put the model of SPEC into the registry, whole.

    It is loaded and asked some probe decisions; a worker that loads it later must get the same
    answers. What it was trained on and with stands in its lineage.

    \b
    Examples:
      authopt models add vw:model.vw --evaluation report.json --reason "trained on May"
      authopt models add recommended:live.json --database postgresql+psycopg://db/authopt
    """
    from service.models.archive import archive
    from service.models.opened import actor, opened
    from service.models.registry import add_model

    archived = archive(spec)
    lineage: dict[str, Any] = {"spec": spec}
    if files:
        lineage["evaluation"] = [_json_of(file) for file in files]
    with opened(database) as engine:
        model, is_new = add_model(engine, tenant, actor("models"), archived, reason, lineage)
    if as_json:
        print_json({"sha256": model.sha256, "spec": model.spec, "new": is_new})
        return
    console().print(model.sha256)
    if not is_new:
        notes().print("it was there already", style="dim")
    notes().print(f"make it live with: authopt models promote {model.sha256[:12]}", style="dim")


@models.command("list")
@_shared
def list_command(database: str, tenant: str, as_json: bool) -> None:
    """List the models, newest first, and what is live."""
    from rich.table import Table

    from authopt.terminal import ACCENT
    from service.api.models import model_row
    from service.models.kill_switch import is_killed
    from service.models.live_policy import read_live_policy
    from service.models.opened import opened
    from service.models.registry import list_models

    with opened(database) as engine, engine.connect() as connection:
        state, killed = read_live_policy(connection, tenant), is_killed(connection, tenant)
        live = state.live
        sha256 = None if live is None else live.sha256
        rows = [model_row(each, sha256) for each in list_models(connection, tenant)]
    if as_json:
        print_json({"models": rows, **_state(state, killed)})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "spec", "added", "by", ""):
        table.add_column(heading, style=ACCENT if heading == "model" else None, overflow="fold")
    for row in rows:
        note = "live" if row.live else "retired" if row.retired else ""
        table.add_row(
            row.sha256[:12], row.spec, f"{row.added_at:%Y-%m-%d %H:%M}", row.added_by, note
        )
    if rows:
        console().print(table)
    _print_state(state, killed)


@models.command("show")
@click.argument("sha256")
@_shared
def show_command(sha256: str, database: str, tenant: str, as_json: bool) -> None:
    """Show how the model SHA256 (or its first characters) was made and judged."""
    from service.api.models import model_row
    from service.models.live_policy import read_live_policy
    from service.models.opened import opened
    from service.models.registry import find_model

    with opened(database) as engine, engine.connect() as connection:
        model = find_model(connection, tenant, sha256)
        live = read_live_policy(connection, tenant).live
    row = model_row(model, None if live is None else live.sha256)
    if as_json:
        print_json(row)
        return
    out = console()
    out.print(row.sha256, style="bold")
    state = "live" if row.live else "retired" if row.retired else "not live"
    out.print(f"{row.spec}, added {row.added_at:%Y-%m-%d %H:%M} UTC by {row.added_by}, {state}")
    print_json(row.lineage)


@models.command("promote")
@click.argument("sha256", required=False)
@click.option("--spec", help="Instead of a model: a policy without files, such as uniform.")
@click.option(
    "--started",
    metavar="SPEC",
    default="",
    help="What the service was started with: the live policy, while nothing was promoted.",
)
@click.option("--override", is_flag=True, help="Answer for it yourself, with --reason.")
@_reason
@_shared
def promote_command(
    sha256: str | None,
    spec: str | None,
    started: str,
    override: bool,
    reason: str,
    database: str,
    tenant: str,
    as_json: bool,
) -> None:
    """Make the model SHA256 (or its first characters) live.

    The gate's verdict (authopt models add --evaluation verdict.json) must let it through, against
    the policy that is live now; or --override, with a reason. The model is loaded and asked its
    probes first. Refused while the live policy is pinned.

    \b
    Examples:
      authopt models promote 3f2a9c1b77d0 --reason "May"
      authopt models promote 3f2a9c1b77d0 --override --reason "acquirer is down"
      authopt models promote --spec uniform --override --reason "gather data"
    """
    from service.models.gated import promote_by_gate, promote_unjudged
    from service.models.opened import actor, opened

    if (sha256 is None) == (spec is None):
        raise UserError("say what to promote: a model's SHA256, or --spec")
    with opened(database) as engine:
        if sha256 is not None:
            promote_by_gate(
                engine,
                tenant,
                actor("models"),
                sha256,
                reason,
                started=started,
                override=override,
            )
        elif spec is not None:
            promote_unjudged(engine, tenant, actor("models"), spec, reason, override=override)
        _tell(engine, tenant, as_json)


@models.command("rollback")
@click.option(
    "--pin/--no-pin", default=True, show_default=True, help="Let nothing replace it afterwards."
)
@_reason
@_shared
def rollback_command(pin: bool, reason: str, database: str, tenant: str, as_json: bool) -> None:
    """Go back to the policy that was live before.

    It is pinned too, so that no learner puts back what was just taken away.
    """
    from service.models.live_policy import roll_back

    _change(
        database,
        tenant,
        as_json,
        lambda connection, who: roll_back(connection, tenant, who, reason, pin=pin),
    )


@models.command("pin")
@_reason
@_shared
def pin_command(reason: str, database: str, tenant: str, as_json: bool) -> None:
    """Let nothing replace the live policy."""
    from service.models.live_policy import set_pinned

    _change(database, tenant, as_json, lambda c, who: set_pinned(c, tenant, who, True, reason))


@models.command("unpin")
@_reason
@_shared
def unpin_command(reason: str, database: str, tenant: str, as_json: bool) -> None:
    """Let the live policy be replaced again."""
    from service.models.live_policy import set_pinned

    _change(database, tenant, as_json, lambda c, who: set_pinned(c, tenant, who, False, reason))


@models.command("kill")
@_reason
@_shared
def kill_command(reason: str, database: str, tenant: str, as_json: bool) -> None:
    """Let the static priority decide, whatever policy is live."""
    from service.models.kill_switch import set_killed

    _change(database, tenant, as_json, lambda c, who: set_killed(c, tenant, who, True, reason))


@models.command("revive")
@_reason
@_shared
def revive_command(reason: str, database: str, tenant: str, as_json: bool) -> None:
    """Let the live policy decide again."""
    from service.models.kill_switch import set_killed

    _change(database, tenant, as_json, lambda c, who: set_killed(c, tenant, who, False, reason))


@models.command("retire")
@click.argument("sha256")
@_reason
@_shared
def retire_command(sha256: str, reason: str, database: str, tenant: str, as_json: bool) -> None:
    """Keep the model SHA256 (or its first characters) from being promoted again.

    Its files stay, for the record and for explanations.
    """
    from service.models.live_policy import retire
    from service.trials.in_use import models_in_use

    def change(connection: Connection, who: str) -> object:
        in_use = models_in_use(connection, tenant)
        return retire(connection, tenant, who, sha256, reason, in_use)

    _change(database, tenant, as_json, change)


def _change(
    database: str, tenant: str, as_json: bool, change: Callable[[Connection, str], Any]
) -> None:
    from service.models.opened import actor, opened
    from service.store.changes import changing

    with opened(database) as engine:
        with changing(engine) as connection:
            change(connection, actor("models"))
        _tell(engine, tenant, as_json)


def _tell(engine: Engine, tenant: str, as_json: bool) -> None:
    from service.models.kill_switch import is_killed
    from service.models.live_policy import read_live_policy

    with engine.connect() as connection:
        state, killed = read_live_policy(connection, tenant), is_killed(connection, tenant)
    if as_json:
        print_json(_state(state, killed))
    else:
        _print_state(state, killed)


def _state(state: LivePolicy, killed: bool) -> dict[str, Any]:
    return {"live": state.live, "pinned": state.pinned, "killed": killed}


def _print_state(state: LivePolicy, killed: bool) -> None:
    live = state.live
    if live is None:
        shown = "the policy that the service was started with"
    else:
        shown = live.spec if live.sha256 is None else f"{live.sha256[:12]} ({live.spec})"
    console().print(f"live: {shown}{', pinned' if state.pinned else ''}", soft_wrap=True)
    if killed:
        console().print(
            "The kill switch is on: the static priority decides. authopt models revive",
            style="bold yellow",
        )


def _json_of(file: Path) -> Any:
    import msgspec

    try:
        return msgspec.json.decode(file.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: no JSON: {error}. Expected what --json wrote") from None
