"""A reward is an outcome in one number: an approval, a column of the log, or money."""

from authopt.rewards.column import DEFAULT_REWARD, ColumnReward
from authopt.rewards.money import MoneyReward
from authopt.rewards.parse import parse_reward
from authopt.rewards.protocol import Reward

__all__ = ["DEFAULT_REWARD", "ColumnReward", "MoneyReward", "Reward", "parse_reward"]
