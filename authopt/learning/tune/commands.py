"""``authopt tune``: choose how to train a policy from a log."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authopt.learning.log_options import (
    check_model_out,
    log_argument,
    model_out_option,
    reward_option,
)
from authopt.learning.vw_option_flags import VW_OPTIONS, vw_option_flags
from authopt.terminal import (
    console,
    json_option,
    notes,
    print_json,
    tracked,
)

if TYPE_CHECKING:
    from authopt.learning.tune.trial import Trial

EPILOG = """\b
Examples:
  authopt tune log.parquet --out model.vw
  authopt tune log.parquet --out model.vw --candidates 81 --rungs 4 --workers 4
  authopt tune log.parquet --out model.vw --grid --over learning_rate=0.02,0.05 --over power_t=0,0.5
  authopt tune log.parquet --out model.vw --work tuning/ --json
"""


@click.command("tune", epilog=EPILOG)
@log_argument
@model_out_option("Where the winner's model goes.")
@reward_option("As of `authopt train`.")
@click.option(
    "--candidates",
    type=click.IntRange(1, 10_000),
    default=18,
    show_default=True,
    help="How many are drawn; the defaults are always one of them.",
)
@click.option("--grid", is_flag=True, help="Try every combination instead.")
@click.option(
    "--over",
    multiple=True,
    metavar="NAME=VALUES",
    help="Try these values (joined by commas) of one option; given at all, only what is given is "
    "tried. Names are those of `authopt train`'s options, and interactions (declared, route or "
    "none).",
)
@click.option(
    "--rungs",
    type=click.IntRange(1, 8),
    default=3,
    show_default=True,
    help="The log is cut into RUNGS + 2 slices of time; after each rung the best third goes on.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes that train at the same time.",
)
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to keep slices, models and results in; tuning goes on there where it was stopped.",
)
@vw_option_flags
@json_option
def tune(
    log: Path,
    out: Path,
    reward_text: str,
    candidates: int,
    grid: bool,
    over: tuple[str, ...],
    rungs: int,
    workers: int,
    work: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Choose how to train Vowpal Wabbit on LOG, and write the winner's model.

    Candidates learn from the earlier part of the log and are judged, off-policy, on the time after
    it; the best third learns from more of the log and is judged on later time again (successive
    halving). The last slice takes no part in the choice: the winner's value is told on it alone, so
    that it is not the best of many lucky ones. OUT is that very model: it learned from all slices
    but the last. Train on the whole log with the winner's options if you want the last slice in.

    Candidates are ranked by what always taking the most probable action would earn. What exploring
    is worth shows in later logs only, so the floor (--epsilon) is not tuned; the value with it is
    told beside. Options of `authopt train` that are given hold for all candidates unless they are
    tried.

    Values are per decision; where payments have several attempts, of the payment from the decision
    on, if it then goes on as it did.
    """
    import time

    from authopt.learning.training_log import check_propensities
    from authopt.learning.tune import space as spaces
    from authopt.learning.tune.answer import answer_of, print_tuned
    from authopt.learning.tune.trial import Setting
    from authopt.learning.tune.tune import tune as run
    from authopt.learning.tune.work import sliced
    from authopt.learning.vw_option_flags import vw_options_of
    from authopt.logs.files import open_log
    from authopt.rewards import parse_reward

    started = time.monotonic()
    reward = parse_reward(reward_text)
    check_model_out(log, out)
    base = vw_options_of(options)
    opened = open_log(log)
    check_propensities(opened)
    given = {name for name in VW_OPTIONS if options.get(name) is not None}
    drawn = {name: values for name, values in spaces.SPACE.items() if name not in given}
    tried = spaces.parse_over(over) or drawn
    chosen = spaces.grid(tried, base) if grid else spaces.draw(tried, base, candidates, base.seed)
    routes = None
    if options["routes"] is not None:
        from authopt.features.route_properties import read_routes

        routes = read_routes(options["routes"])
    with _folder(work) as folder:
        slices, to_go = sliced(
            opened,
            rungs + 2,
            folder,
            reward,
            base,
            partial(tracked, total=opened.num_rows, size=len),
        )
        setting = Setting(
            slices=slices,
            folder=folder,
            base=base,
            reward=reward,
            to_go=to_go,
            routes=routes,
            merchant_own=bool(options["merchant_own"]),
            context_pairs=bool(options["context_pairs"]),
            attempt_times=bool(options["attempt_times"]),
            source=opened.propensity_source,
            seed=base.seed,
        )
        notes().print(f"{len(chosen)} candidates, {rungs} rungs", style="dim")
        tuned = run(setting, chosen, out, workers=workers, show=_shown)
    answer = answer_of(tuned, setting, log, out, round(time.monotonic() - started, 3))
    if as_json:
        print_json(answer)
        return
    print_tuned(answer, reward.currency, console())


@contextmanager
def _folder(work: Path | None) -> Iterator[Path]:
    if work is None:
        with tempfile.TemporaryDirectory(prefix="authopt-tune-") as name:
            yield Path(name)
        return
    work.mkdir(parents=True, exist_ok=True)
    yield work


def _shown(trials: Iterator[Trial], what: str, total: int) -> Iterator[Trial]:
    return tracked(trials, what, total)
