"""What ``authopt train`` does for policies that learn while they act: they go over the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from authopt.learning.learners import fresh_learner, replay_learner
from authopt.learning.training_log import read_log
from authopt.logs.files import AttemptLog
from authopt.policies.success_rate import SuccessRate
from authopt.rewards import Reward


def run_learner(
    log: AttemptLog, out: Path, reward: Reward, options: dict[str, Any]
) -> dict[str, Any]:
    """Let a policy that learns while it acts go over the log."""
    family = options["policy"]
    policy = _success_rate(options) if family == "success-rate" else None
    learner = policy or fresh_learner(family, options["keys"])
    replayed = replay_learner(learner, read_log(log, reward, "learning"), log.path)
    learner.save(out)
    rates = replayed.rates
    if policy is not None:
        # What the windows hold, which is what it routes by.
        rates = {route: policy.overall_rate(route) for route in rates}
    return {
        "policy": family,
        "spec": f"{family}:{out}",
        "model": out,
        "log": log.path,
        "rows": replayed.rows,
        "left_out": replayed.left_out,
        "reward": reward.name,
        "currency": reward.currency,
        "mean_reward": replayed.mean_reward,
        "routes": rates,
    }


def _success_rate(options: dict[str, Any]) -> SuccessRate:
    dimensions = tuple(part for part in options["dimensions"].split("+") if part)
    return SuccessRate(options["window"], options["hedging"], dimensions)
