"""The file of a learner: what it was told to do, what it has seen, and Vowpal Wabbit's bytes.

One file, so that one cannot be newer than the other whenever the process is killed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec
from vowpalwabbit import __version__ as vw_version

from authopt import __version__
from authopt.errors import UserError
from authopt.features.vw_features import VwFeatures
from authopt.policies.exploration_budget import BudgetState
from authopt.policies.online.later_value import LaterState
from authopt.policies.state_file import read_state, write_state
from authopt.policies.vw_options import Optimiser, Weighting

MADE_BY = "OnlineVw.save of authopt.policies.online"


class OnlineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the learner learns and explores; see :class:`authopt.policies.online.OnlineVw`."""

    epsilon: float
    gamma: float
    tries: float
    most_tries: float
    lost_per_day: float
    learning_rate: float
    power_t: float
    l2: float
    weighting: Weighting
    bits: int
    seed: int
    merchant_own: bool
    plan: bool
    optimiser: Optimiser = "adaptive"


class OnlineState(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="policy",
    tag="online",
):
    """The file of an :class:`authopt.policies.online.OnlineVw`.

    Attributes
    ----------
    settings
        how it learns and explores.
    arguments
        VW's command line.
    features
        the declaration; None before the first outcome.
    lines
        whether it learns from all actions of a decision or from the taken one alone.
    cost_scale
        what rewards are divided by; None before the first outcome.
    least_reward
        the least that was ever seen.
    routes
        outcomes by route.
    left_out
        rows that it could not learn from, by reason.
    waits
        outcomes of attempts that waited; None in files of before that was counted: enough.
    later
        what it knows of what follows an attempt.
    budget
        what trying has cost; None where that is not limited.
    model, sha256
        VW's bytes, and the digest of these and of those of ``later``.
    vw_version, authopt_version
        what wrote it.
    """

    settings: OnlineSettings
    arguments: tuple[str, ...]
    features: VwFeatures | None
    lines: Literal["all", "taken"]
    cost_scale: float | None
    least_reward: float | None
    routes: dict[str, int]
    left_out: dict[str, int]
    later: LaterState | None
    budget: BudgetState | None
    model: bytes | None
    sha256: str | None
    waits: int | None = None
    vw_version: str = vw_version
    authopt_version: str = __version__
    version: Literal[1] = 1


def write_online(path: Path, state: OnlineState) -> None:
    """Write the file whole or not at all.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    write_state(path, state)


def read_online(path: Path) -> OnlineState:
    """Read what :func:`write_online` wrote.

    Raises
    ------
    UserError
        If the file is missing, holds something else, or is damaged.
    """
    state = read_state(path, OnlineState, "a learner that runs on", MADE_BY)
    found = digest(state.model, state.later)
    if found != state.sha256:
        raise UserError(
            f"{path}: its model is damaged (sha256 {str(found)[:12]}..., expected "
            f"{str(state.sha256)[:12]}...). Copy the file again, or start anew with the policy "
            "'online'"
        )
    return state


def digest(model: bytes | None, later: LaterState | None) -> str | None:
    """sha256 of all bytes of models; None where there are none."""
    if model is None:
        return None
    return hashlib.sha256(model + (b"" if later is None else later.model)).hexdigest()
