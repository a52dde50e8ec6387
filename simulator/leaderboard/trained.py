"""Baselines that are fitted on a log before they compete: the model of the best time."""

from __future__ import annotations

import hashlib
from pathlib import Path

from authopt.learning.best_time import fit_best_time
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
        setting = place.setting(payments, LOG_SEED)
        policy = make_policy(logger, setting)
        log = simulate(setting.world, setting.traffic, policy, rules=setting.rules)
        path.parent.mkdir(parents=True, exist_ok=True)
        fit_best_time(log).save(path)
    return f"best-time:{path}"
