"""Rewards by their short names on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from authopt.errors import UserError
from authopt.rewards.column import APPROVED, DEFAULT_REWARD, ColumnReward
from authopt.rewards.money_file import load_money_reward
from authopt.rewards.protocol import Reward


def parse_reward(text: str) -> Reward:
    """A reward from its short name on the command line.

    ``approved`` (0 or 1); ``column:NAME:LOW:HIGH``: an outcome column and the bounds that its
    values cannot leave; ``money:FILE.toml``: margin less costs, by the prices of the file
    (:class:`authopt.rewards.MoneyReward`).

    Raises
    ------
    UserError
        If the text is none of them, or the file does not fit.
    """
    if text == APPROVED:
        return DEFAULT_REWARD
    kind, _, rest = text.partition(":")
    if kind == "money" and rest:
        return load_money_reward(Path(rest))
    parts = rest.split(":")
    if kind == "column" and len(parts) == 3:
        try:
            low, high = float(parts[1]), float(parts[2])
        except ValueError:
            low, high = 1.0, 0.0
        if np.isfinite([low, high]).all() and low < high:
            return ColumnReward(parts[0], (low, high))
    raise UserError(
        f"reward {text!r} is not known. Expected 'approved', 'column:NAME:LOW:HIGH', "
        "for example column:reward:-5:100, or 'money:FILE.toml'"
    )
