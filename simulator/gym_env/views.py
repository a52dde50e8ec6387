"""What lanes show: observation arrays and info arrays, one row per lane."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from authopt.batch import DecisionBatch, FloatArray
from simulator.gym_env.action_list import MaskArray
from simulator.gym_env.lanes import Lanes
from simulator.gym_env.observation import CATEGORIES, FEATURES
from simulator.gym_env.setting import Setting

Observations = dict[str, Any]
"""Arrays by name: ``features``, ``categories``, ``action_mask``."""


def observation_space(setting: Setting) -> spaces.Dict:
    """Features within [-1, 1], categories by number, and the mask of actions."""
    return spaces.Dict(
        {
            "features": spaces.Box(-1.0, 1.0, (len(FEATURES),), np.float32),
            "categories": spaces.MultiDiscrete(setting.encoder.sizes),
            "action_mask": spaces.MultiBinary(setting.actions.size),
        }
    )


def observations(lanes: Lanes) -> Observations:
    """The open decisions, and blanks (all 0, only ``stop`` unmasked) where an episode is over."""
    setting = lanes.setting
    features = np.zeros((lanes.count, len(FEATURES)), np.float32)
    categories = np.zeros((lanes.count, len(CATEGORIES)), np.int64)
    if lanes.now is not None:
        features[lanes.lane] = setting.encoder.features(lanes.now)
        categories[lanes.lane] = setting.encoder.categories(lanes.now)
    return {"features": features, "categories": categories, "action_mask": action_mask(lanes)}


def observations_of(batch: DecisionBatch, setting: Setting) -> Observations:
    """Any decisions with their eligible actions, one row each."""
    number = setting.actions.numbers(batch)
    mask = np.zeros((batch.n, setting.actions.size), np.int8)
    listed = number >= 0
    mask[batch.decision_of_action[listed], number[listed]] = 1
    return {
        "features": setting.encoder.features(batch),
        "categories": setting.encoder.categories(batch),
        "action_mask": mask,
    }


def action_mask(lanes: Lanes) -> MaskArray:
    """int8[lanes, actions], 1 where an action is offered and allowed."""
    mask = np.zeros((lanes.count, lanes.setting.actions.size), np.int8)
    mask[:, lanes.setting.actions.stop] = 1
    mask[lanes.lane] = lanes.position >= 0
    return mask


def true_probability(lanes: Lanes) -> FloatArray:
    """float64[lanes, actions], the true chance of approval; 0 where masked."""
    chance = np.zeros((lanes.count, lanes.setting.actions.size))
    if lanes.now is not None:
        of_action = lanes.setting.world.approval_probability(lanes.now)
        offered = lanes.position >= 0
        chance[lanes.lane] = np.where(offered, of_action[lanes.position], 0.0)
    return chance


def infos(lanes: Lanes) -> dict[str, npt.NDArray[Any]]:
    """What ``info`` says of the decision to be made; empty ids where an episode is over."""
    told: dict[str, npt.NDArray[Any]] = {"action_mask": action_mask(lanes)}
    for name in ("payment_id", "decision_id"):
        told[name] = np.full(lanes.count, "", dtype=object)
        if lanes.now is not None:
            told[name][lanes.lane] = getattr(lanes.now, name).to_numpy(zero_copy_only=False)
    told["attempt"] = np.zeros(lanes.count, np.int64)
    if lanes.now is not None:
        told["attempt"][lanes.lane] = lanes.now.attempt
    if lanes.setting.truth:
        told["true_probability"] = true_probability(lanes)
    return told
