"""What ``authopt train --policy expected-money`` does: a model of approval, by trees or by VW."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from authopt.errors import UserError
from authopt.learning.expected_money import fit_expected_money
from authopt.learning.training_log import check_propensities, read_log
from authopt.learning.vw_option_flags import vw_options_of
from authopt.logs.files import AttemptLog
from authopt.policies.approval_by_route import RouteTrees
from authopt.rewards import DEFAULT_REWARD, MoneyReward, Reward


def run_expected_money(
    log: AttemptLog, out: Path, reward: Reward, options: dict[str, Any]
) -> dict[str, Any]:
    """Fit a model of approval, to be weighed with margin and fees."""
    if not isinstance(reward, MoneyReward):
        raise UserError(
            f"expected-money needs a reward in money, not {reward.name}: --reward money:FILE.toml"
        )
    started = time.monotonic()
    learned = _vw(log, out, options) if options["model"] == "vw" else _trees(log, out, reward)
    file = reward.spec.partition(":")[2]
    return {
        "policy": "expected-money",
        "spec": f"expected-money:{out},reward={file}",
        "model": out,
        "log": log.path,
        **learned,
        "reward": reward.name,
        "currency": None,
        "seconds": round(time.monotonic() - started, 3),
    }


def _trees(log: AttemptLog, out: Path, reward: MoneyReward) -> dict[str, Any]:
    policy = fit_expected_money(
        lambda what: read_log(log, DEFAULT_REWARD, what), reward, log=log.path
    )
    policy.save(out)
    model = policy.model
    assert isinstance(model, RouteTrees)
    return {
        "rows": model.pooled.rows,
        "mean_reward": model.pooled.mean_approval,
        "trees": model.trees,
    }


def _vw(log: AttemptLog, out: Path, options: dict[str, Any]) -> dict[str, Any]:
    from authopt.features.route_properties import read_routes
    from authopt.learning.train_vw import train_vw

    check_propensities(log)
    manifest = train_vw(
        lambda what: read_log(log, DEFAULT_REWARD, what),
        out,
        vw_options_of(options),
        reward=DEFAULT_REWARD,
        # What an attempt earns hangs on that attempt alone.
        reward_to_go=False,
        routes=None if options["routes"] is None else read_routes(options["routes"]),
        merchant_own=bool(options["merchant_own"]),
        context_pairs=bool(options["context_pairs"]),
        attempt_times=bool(options["attempt_times"]),
        judge=False,
        source=log.propensity_source,
        log=log.path,
    ).manifest
    return {
        "rows": manifest.rows,
        "left_out": manifest.left_out,
        "mean_reward": manifest.mean_reward,
        "sha256": manifest.sha256,
        "approval_model": "vw",
    }
