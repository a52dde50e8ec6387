"""Policies that see a log before they compete: the best-time model, and ours beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from authopt.batch import LoggedBatch
from authopt.learning.best_time import fit_best_time
from authopt.policies.online.recommended import recommended
from authopt.policies.protocol import LearningPolicy
from simulator.leaderboard.candidates import LOG_SEED
from simulator.leaderboard.fingerprint import code_hash
from simulator.leaderboard.makers import make_policy
from simulator.leaderboard.places import Place
from simulator.simulate import simulate


def best_time_spec(place: Place, payments: int, logger: str, folder: Path) -> str:
    """Spec of a best-time model of a log that another policy made; fitted where it is not yet.

    Parameters
    ----------
    place, payments
        where the log is made, and of how many payments; its seed is used for nothing that is
        compared.
    logger
        spec of the policy that made it.
    folder
        where the model is kept.
    """
    code = code_hash((place.module, "simulator.simulate", "authopt.learning.best_time"))
    mark = hashlib.sha256(f"{code} {logger} {place.constants}".encode()).hexdigest()[:8]
    path = folder / "made" / f"{place.name}-{payments}-best-time-{mark}.json"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        fit_best_time(_log(place, payments, logger)).save(path)
    return f"best-time:{path}"


def recommended_spec(place: Place, payments: int, logger: str, folder: Path) -> str:
    """Spec of the recommended policy that has learned from the log of a best-time model.

    Its guard has seen nothing: the log's time is that of the traffic to come.

    Parameters
    ----------
    place, payments, logger, folder
        as in :func:`best_time_spec`.
    """
    code = code_hash(
        (place.module, "simulator.simulate", "authopt.policies.online", "authopt.policies.guard")
    )
    mark = hashlib.sha256(f"{code} {logger} {place.constants}".encode()).hexdigest()[:8]
    path = folder / "made" / f"{place.name}-{payments}-recommended-{mark}.json"
    if not path.is_file():
        policy = recommended()
        assert isinstance(policy.policy, LearningPolicy)
        for batch in _log(place, payments, logger):
            policy.policy.update(batch)
        path.parent.mkdir(parents=True, exist_ok=True)
        policy.save(path)
    return f"recommended:{path}"


def _log(place: Place, payments: int, logger: str) -> Iterable[LoggedBatch]:
    setting = place.setting(payments, LOG_SEED)
    policy = make_policy(logger, setting)
    return simulate(setting.world, setting.traffic, policy, rules=setting.rules)
