"""``authopt replay``: follow a log again, with another policy or with the running service."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authopt.errors import CheckFailed, UserError
from authopt.learning.log_options import log_argument
from authopt.terminal import (
    distinct_files,
    existing_file,
    json_option,
    new_file,
    notes,
    print_json,
    tracked,
)

if TYPE_CHECKING:
    from authopt.rules import Rules
    from simulator.replay.answering import Answering
    from simulator.replay.logged_payments import LoggedPayments


@click.command()
@log_argument
@click.option("--policy", "spec", metavar="SPEC", help="Decide in process, such as vw:model.vw.")
@click.option(
    "--url", metavar="URL", help="Ask the running service, such as http://127.0.0.1:8000."
)
@click.option(
    "--key",
    envvar="AUTHOPT_KEY",
    metavar="KEY",
    help="With --url: an API key with the scopes decide and outcome. Better in the environment, as "
    "AUTHOPT_KEY: others on this machine may see command lines.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="With --url: seconds of the log per second, 1 is real time. As fast as possible by "
    "default.",
)
@click.option(
    "--outcomes",
    type=click.Choice(["log", "model", "world"]),
    help="Who says what comes of an action that the log did not take: nobody, a model fitted to "
    "the log (the default), or the world that made it (the default with --world).",
)
@click.option(
    "--world",
    "world_name",
    type=click.Choice(["small", "cards"]),
    help="For simulated logs: the world that the log is of.",
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="Of what model or world draw. A world answers in full as it did for the log only with "
    "the seed that the log was simulated with.",
)
@click.option("--payments", type=click.IntRange(1), metavar="N", help="The first N alone.")
@click.option(
    "--run",
    metavar="NAME",
    help="Ids of decisions and payments begin with it: replay-SEED by default. A service answers "
    "the same run alike again; another name draws anew.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=16,
    show_default=True,
    help="With --url: requests under way at a time.",
)
@click.option(
    "--slot",
    type=click.IntRange(1),
    metavar="SECONDS",
    help="With --policy, if it learns: how often, in seconds of the log. By default as often as "
    "makes 2,000 times over the log, and at most every minute.",
)
@click.option("--rules", type=existing_file, help="With --policy: the merchant's own rules (TOML).")
@click.option("--out", type=new_file, help="Write the replay as an attempt log.")
@click.option("--plot", type=new_file, help="Write charts as one HTML file that opens offline.")
@json_option
def replay(
    log: Path,
    spec: str | None,
    url: str | None,
    key: str | None,
    speed: float | None,
    outcomes: str | None,
    world_name: str | None,
    seed: int,
    payments: int | None,
    run: str | None,
    concurrency: int,
    slot: int | None,
    rules: Path | None,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Follow a log's payments again, with a policy or with the running service.

    Decisions are asked for in the order of the log. Where the action is the log's, the log's
    outcome comes back after the log's delay; where it is another one, --outcomes says who answers,
    and the payment goes its own way from there. With a model that is a what-if: for an estimate
    with an interval, see authopt evaluate.

    \b
    Examples:
      authopt replay log.parquet --policy vw:model.vw
      authopt replay log.parquet --url http://127.0.0.1:8000 --speed 3600
      authopt replay log.parquet --policy success-rate --world small --plot replay.html
    """
    from authopt.logs.files import write_log
    from authopt.policies.protocol import LearningPolicy
    from authopt.policies.spec import load_policy
    from simulator.replay.course import Course
    from simulator.replay.figures import figures_of
    from simulator.replay.ids import asked_as
    from simulator.replay.in_process import InProcessReplay
    from simulator.replay.logged_payments import read_payments
    from simulator.replay.over_http import AS_FAST_AS_POSSIBLE, ServiceReplay
    from simulator.replay.page import write_page
    from simulator.replay.summary import print_figures

    _check_options(spec, url, outcomes, world_name, speed=speed, slot=slot, rules=rules)
    distinct_files("LOG, --out and --plot", log, out, plot)
    run = f"replay-{seed}" if run is None else run
    if not run or len(run) > 64 or not run.isprintable():
        raise UserError(f"--run is {run[:80]!r}; expected 1 to 64 printable characters")
    if url is not None:
        url = _checked(url, key)
    policy = None if spec is None else load_policy(spec)
    allowed = _rules(rules)
    logged = read_payments(log)
    in_small_steps = policy is None or isinstance(policy, LearningPolicy)
    answering = _answering(logged, outcomes, world_name, seed, in_small_steps)
    count = min(payments or logged.payments, logged.payments)
    course = Course(logged, answering, count)
    going: InProcessReplay | ServiceReplay
    if policy is not None:
        going = InProcessReplay(course, policy, run, allowed, slot_s=slot)
    else:
        assert url is not None
        going = ServiceReplay(course, url, run, speed or AS_FAST_AS_POSSIBLE, concurrency, key)
    total = logged.first(count).n
    for _ in tracked(going.decisions(), "replaying", total, int):
        pass
    replayed = going.result()
    figures = figures_of(replayed)
    if out is not None:
        write_log(out, [asked_as(run, replayed.batch)])
    if plot is not None:
        write_page(replayed, figures, str(log), plot)
    if as_json:
        print_json({"log": log, "run": run, "out": out, "plot": plot, **asdict(figures)})
    else:
        print_figures(figures, str(log))
    for written in (out, plot):
        if written is not None:
            notes().print(f"written: {written}", markup=False, soft_wrap=True)
    if figures.traffic is not None and figures.traffic.stopped is not None:
        raise CheckFailed(f"{url}: {figures.traffic.stopped}")


def _check_options(
    spec: str | None,
    url: str | None,
    outcomes: str | None,
    world_name: str | None,
    **others: object,
) -> None:
    if (spec is None) == (url is None):
        raise UserError("say who decides: either --policy SPEC, in process, or --url URL")
    if outcomes == "world" and world_name is None:
        raise UserError("--outcomes world needs the world that the log is of: --world small")
    if outcomes in ("log", "model") and world_name is not None:
        raise UserError(f"--world goes with --outcomes world, not with --outcomes {outcomes}")
    for name, goes_with in (("speed", "url"), ("slot", "policy"), ("rules", "policy")):
        lacking = url is None if goes_with == "url" else spec is None
        if others[name] is not None and lacking:
            raise UserError(f"--{name} goes with --{goes_with}")
    if url is not None and not url.startswith(("http://", "https://")):
        raise UserError(f"--url is {url!r}; expected such as http://127.0.0.1:8000")


def _answering(
    logged: LoggedPayments,
    outcomes: str | None,
    world_name: str | None,
    seed: int,
    in_small_steps: bool,
) -> Answering:
    """Who says what the log does not."""
    from simulator.replay.answering import ByNobody, ByWorld, fitted_to
    from simulator.worlds import named_world

    if world_name is not None:
        world = named_world(world_name).world
        try:
            world.approval_probability(logged.first(100).decisions())
        except (ValueError, KeyError) as error:
            raise UserError(f"the log is not one of the world {world_name!r}: {error}") from None
        return ByWorld(world, seed)
    if outcomes == "log":
        return ByNobody()
    return fitted_to(logged, seed, ahead=in_small_steps)


def _rules(path: Path | None) -> Rules:
    from authopt.rules import DEFAULT_RULES, load_rules

    if path is None:
        return DEFAULT_RULES
    from authopt.rules.merchant_file import load_merchant_rules

    return load_rules(merchant=load_merchant_rules(path))


def _checked(url: str, key: str | None) -> str:
    """The address of the service, once there is one at it."""
    from simulator.replay.over_http import check_service

    url = url.rstrip("/")
    lacking = check_service(url, key)
    if lacking is not None:
        notes().print(f"{url} is not ready: {lacking}", markup=False, soft_wrap=True)
    return url
