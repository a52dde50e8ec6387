"""``authopt learn``: learn from what the service records, while it decides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authopt.errors import UserError
from authopt.learning.gate.option_flags import settings_option
from authopt.terminal import console, json_option, notes, print_json
from service.follower_options import every_option, lease_option, log_level_option
from service.length_of_time import seconds_in
from service.store.at_the_prompt import database_option
from service.tenants import DEFAULT_TENANT

if TYPE_CHECKING:
    from service.learning.cursor import Cursor

_LONGEST_NAME = 64


@click.command()
@click.option(
    "--policy",
    "spec",
    default="recommended",
    show_default=True,
    metavar="SPEC",
    help="What learns, such as recommended or online:model.vw.",
)
@database_option
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="The merchant.")
@click.option("--name", default="default", show_default=True, help="Of the learner.")
@click.option(
    "--reward",
    default="approved",
    show_default=True,
    help="What an outcome is worth: approved, column:NAME:LOW:HIGH or money:FILE.toml.",
)
@click.option(
    "--wait",
    default="2d",
    show_default=True,
    metavar="TIME",
    help="How long to wait for an outcome after its attempt was due.",
)
@click.option(
    "--missing",
    type=click.Choice(["declined", "left-out"]),
    default="declined",
    show_default=True,
    help="What it means if none came by then.",
)
@click.option(
    "--publish-every",
    default="1h",
    show_default=True,
    metavar="TIME",
    help="Least time between two models.",
)
@click.option(
    "--min-outcomes",
    type=click.IntRange(1),
    default=1_000,
    show_default=True,
    help="Least number of decisions learned between two models.",
)
@click.option(
    "--promote",
    type=click.Choice(["gate", "always", "never"]),
    default="gate",
    show_default=True,
    help="Make a model live once the gate has judged it, at once, or leave that to people. A "
    "pinned policy stays.",
)
@settings_option
@click.option(
    "--keep",
    type=click.IntRange(2),
    default=200,
    show_default=True,
    help="Newest models of this learner that stay in the registry.",
)
@every_option("Between two looks at what is new.")
@lease_option
@click.option("--once", is_flag=True, help="Learn what is there, and end.")
@log_level_option
@json_option
def learn(
    spec: str,
    database: str,
    tenant: str,
    name: str,
    reward: str,
    wait: str,
    missing: str,
    publish_every: str,
    min_outcomes: int,
    promote: str,
    gate_settings: Path | None,
    keep: int,
    every: str,
    lease: str,
    once: bool,
    log_level: str,
    as_json: bool,
) -> None:
    """Learn from the decisions and outcomes of a running service, and give it the model.

    A decision is learned once: as soon as what came back tells its reward, or when nothing came
    within --wait. What comes later, such as a refund, is counted and not learned. What was learned
    is saved in one transaction with how far was read, so a learner may be killed at any moment, and
    several may run, on several machines: one of them learns, and another takes over if it is gone.

    Each model is held against what is live by the gate (authopt gate), on decisions that became
    known after it was made, --min-outcomes of them and more where these are too few to tell. Where
    an earlier model of this learner is live, it passes unless it is shown to be worse by a point
    (exploring may cost that), or to harm a segment; where somebody else made what is live, it has
    to be shown to be better. Reasons are told, stand in the audit log, and in authopt models show.
    One model is judged at a time, and no other is made meanwhile; where people change what is live,
    the judgement begins again.

    \b
    Examples:
      authopt learn
      authopt learn --policy online:model.vw --database postgresql+psycopg://db/authopt
      authopt learn --once --promote never --json
    """
    import secrets
    import signal
    import socket
    import threading
    from os import getpid

    from authopt.card_numbers import contains_card_number
    from authopt.learning.gate.settings import load_gate
    from authopt.rewards import parse_reward
    from service.learning.cursor import Task
    from service.learning.learned_policy import new_policy
    from service.learning.lease import Lease
    from service.learning.publishing import CONDITIONS, Promote, Publishing
    from service.learning.run import Job, run
    from service.log_output import start_logging
    from service.models.opened import opened
    from service.tenants import check_tenant

    start_logging(log_level)
    check_tenant(tenant)
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable() or contains_card_number(name):
        raise UserError(
            f"--name: expected 1 to {_LONGEST_NAME} printable characters, and no card number"
        )
    holder = f"{socket.gethostname()[:80]}:{getpid()}:{secrets.token_hex(8)}"
    length_s = seconds_in("--lease", lease)
    if length_s < 1:
        raise UserError("--lease: expected 1s or more")
    between_s = seconds_in("--publish-every", publish_every)
    conditions = CONDITIONS if gate_settings is None else load_gate(gate_settings, CONDITIONS)
    job = Job(
        Lease(tenant, name, holder, length_s * 1_000_000),
        Task(spec, reward, seconds_in("--wait", wait), missing),
        parse_reward(reward),
        Publishing(between_s * 1_000_000, min_outcomes, Promote(promote), keep, conditions),
        max(seconds_in("--every", every), 0.1),
        once,
    )
    new_policy(spec)
    stop = threading.Event()

    def say(text: str) -> None:
        notes().print(text, style="dim", markup=False, soft_wrap=True)

    before = {
        each: signal.signal(each, lambda *_: stop.set()) for each in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        with opened(database) as engine:
            cursor = run(engine, job, stop, say)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    if as_json:
        told = {} if cursor is None else _told(cursor)
        waiting = 0 if cursor is None else len(cursor.waiting)
        print_json({"learner": name, "held": cursor is not None, "waiting": waiting, **told})
        return
    if cursor is None:
        say(f"learner {name}: another process learns, and goes on")
        return
    counts = cursor.counts
    console().print(
        f"{counts.learned:,} decisions learned ({counts.assumed_declined:,} of them without an "
        f"outcome, counted as declined), {len(cursor.waiting):,} wait for theirs",
        soft_wrap=True,
    )
    for number, what in (
        (counts.left_out, "without a reward, left out"),
        (counts.not_activated, "deferred and never activated, left out"),
        (counts.chosen_otherwise, "where another action was taken with unknown odds, left out"),
        (counts.corrections, "outcomes that came later, not learned"),
    ):
        if number:
            console().print(f"{number:,} {what}")
    if cursor.candidate is not None:
        candidate = cursor.candidate
        console().print(
            f"model {candidate.sha256[:12]} is judged: {candidate.fresh:,} of "
            f"{candidate.look_at:,} decisions until the next look",
            soft_wrap=True,
        )


def _told(cursor: Cursor) -> dict[str, Any]:
    """What was learned, published and judged."""
    candidate = None
    if cursor.candidate is not None:
        candidate = {
            name: getattr(cursor.candidate, name)
            for name in ("sha256", "against", "fresh", "look_at")
        }
    return {
        "counts": cursor.counts,
        "published": cursor.published,
        "candidate": candidate,
        "judged": cursor.judged,
    }
