"""What ``authopt train`` does for each kind of policy; each gives the command's answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.learning.vw_option_flags import vw_options_of
from authopt.logs.files import AttemptLog
from authopt.logs.schema import PropensitySource
from authopt.rewards import DEFAULT_REWARD, MoneyReward, Reward
from authopt.terminal import notes, tracked


def read_log(log: AttemptLog, reward: Reward, what: str) -> Iterator[LoggedBatch]:
    """The log chunk by chunk, with progress."""
    return tracked(log.batches(reward=reward), what, log.num_rows, len)


def check_propensities(log: AttemptLog) -> None:
    """Refuse a log without propensities; say so where they are estimated."""
    if log.propensity_source is PropensitySource.UNKNOWN:
        raise UserError(
            f"{log.path} has no propensities (the probability with which each logged action was "
            "taken), and without them vw would take the logging policy's habits for success. "
            f"Estimate them first: authopt log propensities {log.path} --out "
            "with-propensities.parquet"
        )
    if log.propensity_source is PropensitySource.ESTIMATED:
        notes().print(
            "[bold yellow]warning[/] the propensities of this log are ESTIMATED; what the logging "
            "policy saw and the log does not hold is learned as if it were the routes' doing"
        )


def run_vw(log: AttemptLog, out: Path, reward: Reward, options: dict[str, Any]) -> dict[str, Any]:
    """Train a Vowpal Wabbit model."""
    from authopt.features.route_properties import read_routes
    from authopt.learning.going_on import read_parent
    from authopt.learning.train_vw import train_vw

    check_propensities(log)
    started = time.monotonic()
    parent = None if options["from"] is None else read_parent(options["from"])
    trained = train_vw(
        lambda what: read_log(log, reward, what),
        out,
        vw_options_of(options, None if parent is None else parent.options),
        reward=reward,
        reward_to_go=options["reward_to_go"],
        later=options["later"],
        targets=options["targets"],
        routes=None if options["routes"] is None else read_routes(options["routes"]),
        merchant_own=bool(options["merchant_own"]),
        context_pairs=bool(options["context_pairs"]),
        attempt_times=bool(options["attempt_times"]),
        source=log.propensity_source,
        log=log.path,
        parent=parent,
    )
    manifest, progressive = trained.manifest, trained.progressive
    if parent is not None:
        _warn_of_overlap(manifest.log.first, parent.learned_until)
    return {
        "policy": "vw",
        "spec": f"vw:{out}",
        "model": out,
        "sha256": manifest.sha256,
        "from": options["from"],
        "ancestors": manifest.ancestors,
        "log": log.path,
        "rows": manifest.rows,
        "left_out": manifest.left_out,
        "propensity_source": manifest.log.propensity_source,
        "reward": manifest.reward,
        "currency": reward.currency,
        "reward_to_go": manifest.reward_to_go,
        "completed": trained.completed,
        "mean_reward": manifest.mean_reward,
        "progressive_value": manifest.progressive_value,
        "progressive": progressive,
        "routes": manifest.routes,
        "seconds": round(time.monotonic() - started, 3),
    }


def _warn_of_overlap(first: datetime | None, before: datetime | None) -> None:
    if first is not None and before is not None and first <= before:
        notes().print(
            f"[bold yellow]warning[/] this log begins {first:%Y-%m-%d %H:%M} UTC, and the model "
            f"has learned until {before:%Y-%m-%d %H:%M} UTC: what both logs hold is learned twice"
        )


def run_success_rate(
    log: AttemptLog, out: Path, reward: Reward, options: dict[str, Any]
) -> dict[str, Any]:
    """Let a sliding window per route go over the log."""
    from authopt.learning.route_rates import replay_success_rate
    from authopt.policies.success_rate import SuccessRate

    dimensions = tuple(part for part in options["dimensions"].split("+") if part)
    policy = SuccessRate(options["window"], options["hedging"], dimensions)
    replayed = replay_success_rate(policy, read_log(log, reward, "learning"), log.path)
    policy.save(out)
    return {
        "policy": "success-rate",
        "spec": f"success-rate:{out}",
        "model": out,
        "log": log.path,
        "rows": replayed.rows,
        "left_out": replayed.left_out,
        "reward": reward.name,
        "currency": reward.currency,
        "mean_reward": replayed.mean_reward,
        "routes": {route: policy.overall_rate(route) for route in sorted(replayed.routes)},
    }


def run_best_route(log: AttemptLog, out: Path, reward: Reward, _: dict[str, Any]) -> dict[str, Any]:
    """Find the best single order of routes."""
    from authopt.learning.route_rates import fit_best_route

    policy = fit_best_route(read_log(log, reward, "learning"))
    if not policy.records:
        raise UserError(f"{log.path}: no attempt with a known outcome to learn from")
    policy.save(out)
    rows = sum(record.attempts for record in policy.records.values())
    return {
        "policy": "best-route",
        "spec": f"best-route:{out}",
        "model": out,
        "log": log.path,
        "rows": rows,
        "reward": reward.name,
        "currency": reward.currency,
        "mean_reward": policy.mean,
        "routes": policy.rates(),
    }


def run_best_time(log: AttemptLog, out: Path, reward: Reward, _: dict[str, Any]) -> dict[str, Any]:
    """Fit gradient-boosted trees of approval by route and time."""
    from authopt.learning.best_time import fit_best_time

    started = time.monotonic()
    model = fit_best_time(read_log(log, reward, "reading"), log=log.path)
    model.save(out)
    return {
        "policy": "best-time",
        "spec": f"best-time:{out}",
        "model": out,
        "log": log.path,
        "rows": model.rows,
        "reward": reward.name,
        "currency": reward.currency,
        "mean_reward": model.mean_approval,
        "trees": len(model.trees),
        "seconds": round(time.monotonic() - started, 3),
    }


def run_expected_money(
    log: AttemptLog, out: Path, reward: Reward, _: dict[str, Any]
) -> dict[str, Any]:
    """Fit trees of approval for every route, to be weighed with margin and fees."""
    from authopt.learning.expected_money import fit_expected_money

    if not isinstance(reward, MoneyReward):
        raise UserError(
            f"expected-money needs a reward in money, not {reward.name}: --reward money:FILE.toml"
        )
    started = time.monotonic()
    policy = fit_expected_money(
        lambda what: read_log(log, DEFAULT_REWARD, what), reward, log=log.path
    )
    policy.save(out)
    file = reward.spec.partition(":")[2]
    return {
        "policy": "expected-money",
        "spec": f"expected-money:{out},reward={file}",
        "model": out,
        "log": log.path,
        "rows": policy.pooled.rows,
        "reward": reward.name,
        "currency": None,
        "mean_reward": policy.pooled.mean_approval,
        "trees": len(policy.pooled.trees)
        + sum(len(each.trees) for each in policy.by_route.values()),
        "seconds": round(time.monotonic() - started, 3),
    }


RUNS = {
    "vw": run_vw,
    "success-rate": run_success_rate,
    "best-route": run_best_route,
    "best-time": run_best_time,
    "expected-money": run_expected_money,
}
"""By the name of what is trained."""
