"""What ``authopt train`` does for each kind of policy; each gives the command's answer."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

from authopt.errors import UserError
from authopt.learning.training_log import check_propensities, read_log, training_batches
from authopt.learning.vw_option_flags import vw_options_of
from authopt.logs.files import AttemptLog
from authopt.rewards import Reward
from authopt.terminal import notes, tracked


def run_vw(log: AttemptLog, out: Path, reward: Reward, options: dict[str, Any]) -> dict[str, Any]:
    """Train a Vowpal Wabbit model."""
    from authopt.features.route_properties import read_routes
    from authopt.learning.going_on import read_parent
    from authopt.learning.held_log import HeldLog
    from authopt.learning.train_vw import train_vw

    check_propensities(log)
    started = time.monotonic()
    parent = None if options["from"] is None else read_parent(options["from"])
    held = HeldLog(lambda: training_batches(log, reward))
    trained = train_vw(
        lambda what: tracked(held.batches(), what, log.num_rows, len),
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


def run_learner(
    log: AttemptLog, out: Path, reward: Reward, options: dict[str, Any]
) -> dict[str, Any]:
    """Let a policy that learns while it acts go over the log."""
    from authopt.learning import train_learner_run

    return train_learner_run.run_learner(log, out, reward, options)


def run_expected_money(
    log: AttemptLog, out: Path, reward: Reward, options: dict[str, Any]
) -> dict[str, Any]:
    """Fit a model of approval, to be weighed with margin and fees."""
    from authopt.learning import train_money_run

    return train_money_run.run_expected_money(log, out, reward, options)


def run_spibb(
    log: AttemptLog, out: Path, reward: Reward, options: dict[str, Any]
) -> dict[str, Any]:
    """Count how far the log supports a candidate."""
    from authopt.learning import train_spibb_run

    return train_spibb_run.run_spibb(log, out, reward, options)


RUNS = {
    "vw": run_vw,
    "success-rate": run_learner,
    "success-rate-elimination": run_learner,
    "ucb": run_learner,
    "thompson": run_learner,
    "hierarchical-thompson": run_learner,
    "best-route": run_best_route,
    "best-time": run_best_time,
    "expected-money": run_expected_money,
    "spibb": run_spibb,
}
"""By the name of what is trained."""
