"""What ``benchmarks.psp_gate`` compares: policies trained on a part of the PSP log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from authopt.batch import Categorical, DecisionBatch, FloatArray, LoggedBatch, TimeArray
from authopt.learning.expected_money import fit_expected_money
from authopt.learning.route_rates import fit_best_route
from authopt.learning.train_vw import train_vw
from authopt.logs.files import AttemptLog, read_log
from authopt.policies.approval_by_vw import VwApproval
from authopt.policies.expected_money import ExpectedMoney, reward_if
from authopt.policies.priority import first_of_each
from authopt.policies.protocol import Policy
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from authopt.rewards import MoneyReward

OURS, OURS_VW = "expected-money, trees", "expected-money, vw"
REGRESSION, SINGLE, VW = "logistic regression", "best single PSP", "vw on the money"

APPROVAL_OPTIONS = VwOptions(passes=5, learning_rate=0.02)
"""Of VW's regression of approval, with pairs of context columns: of eight combinations the one of
least log loss on the end of January, 0.4708, after training on its first 70% (one pass with the
defaults 0.4768; trees 0.4618, logistic regression 0.4757)."""


@dataclass(frozen=True, slots=True, eq=False)
class GreedyRegression:
    """A logistic regression of approval for every PSP, and the PSP that it expects most money of.

    Features are those of the case study: amount, card network, country and 3-D Secure.
    """

    reward: MoneyReward
    models: dict[str, Any]
    levels: dict[str, tuple[str, ...]]
    name: str = REGRESSION

    @classmethod
    def fit(cls, log: LoggedBatch, reward: MoneyReward) -> GreedyRegression:
        """Fit on a log whose rewards are approvals."""
        from sklearn.linear_model import LogisticRegression

        levels = {}
        for name in ("network", "x_country"):
            column = log.context[name]
            assert isinstance(column, Categorical)
            levels[name] = column.categories
        matrix = _matrix(log, levels)
        taken = log.action_route[log.chosen_action]
        models = {}
        for code, route in enumerate(log.routes):
            rows = taken == code
            models[route] = LogisticRegression(max_iter=1000).fit(matrix[rows], log.reward[rows])
        return cls(reward, models, levels)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], 1 on one action of each decision."""
        matrix = _matrix(batch, self.levels)
        by_route = np.stack(
            [self.models[route].predict_proba(matrix)[:, 1] for route in batch.routes], axis=1
        )
        p = by_route[batch.decision_of_action, batch.action_route]
        approved, declined = (reward_if(self.reward, batch, each) for each in (True, False))
        return first_of_each(batch, -(p * approved + (1.0 - p) * declined))


def _matrix(batch: DecisionBatch, levels: dict[str, tuple[str, ...]]) -> FloatArray:
    columns = [np.asarray(batch.context["amount_minor"]) / 10_000.0]
    columns.append(np.nan_to_num(np.asarray(batch.context["three_ds"], np.float64)))
    for name, values in levels.items():
        column = batch.context[name]
        assert isinstance(column, Categorical)
        codes = column.recode(values)
        columns += [(codes == code).astype(np.float64) for code in range(len(values))]
    return np.stack(columns, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Refreshed:
    """One policy after another: each decides from its own time on, until the next one does.

    Attributes
    ----------
    since
        datetime64[us][k], increasing; nothing is decided before the first.
    policies
        k of them.
    name
        of the whole.
    """

    since: TimeArray
    policies: tuple[Policy, ...]
    name: str

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], each decision's by the policy of its time."""
        plain = batch.decisions() if isinstance(batch, LoggedBatch) else batch
        version = np.searchsorted(self.since, batch.decided_at, side="right") - 1
        probability = np.zeros(batch.m)
        for each in np.unique(version).tolist():
            rows = np.flatnonzero(version == each)
            here = np.repeat(version == each, batch.counts)
            probability[here] = self.policies[each].probabilities(plain.take(rows))
        return probability


def without_propensities(log: AttemptLog, reward: MoneyReward) -> dict[str, Policy]:
    """The best single PSP, the regression and our trees, trained on a log: none needs them."""
    return {
        SINGLE: fit_best_route(log.batches(reward=reward)),
        REGRESSION: GreedyRegression.fit(read_log(log.path), reward),
        OURS: fit_expected_money(lambda _: log.batches(), reward, log=log.path),
    }


def policies(log: AttemptLog, reward: MoneyReward, folder: Path) -> dict[str, Policy]:
    """All policies, trained on a log; VW's models go to ``folder``."""

    def rows(_: str = "") -> Iterator[LoggedBatch]:
        return log.batches(reward=reward)

    plain = without_propensities(log, reward)
    of_money, of_approval = (
        folder / f"{log.path.stem}-{name}.vw" for name in ("money", "approval")
    )
    train_vw(rows, of_money, reward=reward, source=log.propensity_source)
    train_vw(
        lambda _: log.batches(),
        of_approval,
        APPROVAL_OPTIONS,
        reward_to_go=False,
        context_pairs=True,
        judge=False,
        source=log.propensity_source,
    )
    return {
        SINGLE: plain[SINGLE],
        REGRESSION: plain[REGRESSION],
        VW: VwPolicy.load(of_money),
        OURS_VW: ExpectedMoney(reward, VwApproval.load(of_approval)),
        OURS: plain[OURS],
    }
