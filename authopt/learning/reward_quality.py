"""How well a reward model predicts payments that it did not see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, FloatArray, IntArray, LoggedBatch
from authopt.hashing import hash_strings


@dataclass(frozen=True, slots=True)
class RewardQuality:
    """Figures of the out-of-fold predictions for the actions taken.

    Attributes
    ----------
    decisions
        with a known outcome.
    loss_name
        ``"log loss"`` (nats) for rewards of 0 and 1, else ``"squared error"``.
    loss, constant_loss
        of the model; and of the mean reward of the other folds.
    skill
        1 - loss / constant_loss: 0 = no better than the mean; for the squared error this is R2.
    mean_reward, mean_predicted
        calibration in the large: they should agree.
    mean_difference_se
        standard error of ``mean_predicted - mean_reward``, payments taken as independent.
    """

    decisions: int
    loss_name: str
    loss: float
    constant_loss: float
    skill: float
    mean_reward: float
    mean_predicted: float
    mean_difference_se: float


def quality_of(
    batch: LoggedBatch, predicted: FloatArray, fold: IntArray, binary: bool
) -> RewardQuality:
    """The figures, from out-of-fold predictions (float64[n]) and the folds (int64[n]) they are of.

    Every reward of ``batch`` is known.
    """
    constant = np.empty(batch.n)
    for held_out in np.unique(fold).tolist():
        rows = fold == held_out
        constant[rows] = _mean_without(batch.reward, rows)
    losses = _log_loss if binary else _squared_error
    loss = float(losses(batch.reward, predicted).mean())
    constant_loss = float(losses(batch.reward, constant).mean())
    difference = predicted - batch.reward
    _, payment = np.unique(hash_strings(batch.payment_id), return_inverse=True)
    by_payment = np.bincount(payment, difference - difference.mean())
    return RewardQuality(
        decisions=batch.n,
        loss_name="log loss" if binary else "squared error",
        loss=loss,
        constant_loss=constant_loss,
        skill=1 - loss / constant_loss if constant_loss > 0 else 0.0,
        mean_reward=float(batch.reward.mean()),
        mean_predicted=float(predicted.mean()),
        mean_difference_se=float(np.sqrt((by_payment**2).sum()) / batch.n),
    )


def _mean_without(reward: FloatArray, rows: BoolArray) -> float:
    others = reward[~rows] if not rows.all() else reward
    return float(others.mean())


def _log_loss(reward: FloatArray, predicted: FloatArray) -> FloatArray:
    kept = np.clip(predicted, 1e-6, 1 - 1e-6)
    return -(reward * np.log(kept) + (1 - reward) * np.log1p(-kept))


def _squared_error(reward: FloatArray, predicted: FloatArray) -> FloatArray:
    return np.asarray((reward - predicted) ** 2)
