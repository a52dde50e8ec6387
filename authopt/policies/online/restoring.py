"""A learner as its file holds it, and back: from its own file, or from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from authopt.errors import UserError
from authopt.policies.online.choosing import WAITS_FIRST
from authopt.policies.online.later_value import LaterValue
from authopt.policies.online.saved_state import OnlineSettings, OnlineState, digest
from authopt.policies.vw_manifest import read_manifest
from authopt.policies.vw_options import Weighting

if TYPE_CHECKING:
    from authopt.policies.online.policy import OnlineVw

SETTINGS = OnlineSettings.__struct_fields__


def state_of(policy: OnlineVw) -> OnlineState:
    """All that the learner knows and was told to do."""
    model = None if policy.workspace is None else policy.workspace.state()
    later = None if policy.later is None else policy.later.state()
    return OnlineState(
        settings=OnlineSettings(**{name: getattr(policy, name) for name in SETTINGS}),
        arguments=policy._arguments,
        features=policy.features,
        lines=policy._lines,
        cost_scale=policy.cost_scale,
        least_reward=policy._least_reward if np.isfinite(policy._least_reward) else None,
        routes=dict(policy.routes),
        left_out=dict(policy.left_out),
        later=later,
        budget=None if policy._budget is None else policy._budget.state,
        model=model,
        sha256=digest(model, later),
        waits=policy.waits,
    )


def take_up(policy: OnlineVw, state: OnlineState) -> None:
    """Let a learner of the state's settings, that knows nothing, go on from the state exactly."""
    policy.routes.update(state.routes)
    policy.left_out.update(state.left_out)
    policy.waits = WAITS_FIRST if state.waits is None else state.waits
    policy._lines = state.lines
    policy._budget = policy._trying().budget(policy.epsilon, state.budget)
    policy.cost_scale = state.cost_scale
    if state.least_reward is not None:
        policy._least_reward = state.least_reward
    if state.features is not None and state.model is not None:
        policy._set_up(state.features, state.arguments, state.model)
    if state.later is not None:
        policy.later = LaterValue.of_state(state.later)


def of_trained(cls: type[OnlineVw], path: Path) -> OnlineVw:
    """Go on from a model that ``authopt train`` made.

    Raises
    ------
    UserError
        If a file is missing or damaged, or the model is of a kind that cannot go on.
    """
    manifest = read_manifest(path)
    if manifest.cb_type != "mtr" or manifest.explorer not in ("epsilon", "squarecb"):
        raise UserError(
            f"{path}: a model of {manifest.explorer} with {manifest.cb_type} cannot go on "
            "learning here. Train one with the explorer epsilon and the cb_type mtr"
        )
    # Version 1 does not say how it weighed; what it explored with says it.
    by_explorer: Weighting = "ips" if manifest.explorer == "epsilon" else "regression"
    policy = cls(
        epsilon=manifest.floor or cls().epsilon,
        weighting=manifest.weighting or by_explorer,
    )
    policy.routes.update(manifest.routes)
    policy.left_out.update({each.reason: each.rows for each in manifest.left_out})
    # Of waiting it knows what its log held.
    policy.waits = WAITS_FIRST
    policy._lines = "all"
    policy.cost_scale = manifest.cost_scale or 1.0
    policy._set_up(manifest.features, manifest.vw_arguments, path.read_bytes())
    return policy
