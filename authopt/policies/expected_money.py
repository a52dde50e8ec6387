"""Expected money: the chance of approval by a model, times what an approval is worth.

What an attempt earns is known but for one thing, whether it is approved: margin and fees stand in
the reward's file. So only the chance of approval is learned; the expected reward of an action is

    p * reward if approved + (1 - p) * reward if declined

Learning the money itself would have to find the price list and the amounts in rewards that a few
large payments dominate. Juspay's decision engine ranks gateways alike, by success rate x (amount x
margin - cost). Here the chance depends on the context, by any model of it: gradient-boosted trees
(``authopt.policies.approval_by_route``) or a Vowpal Wabbit model
(``authopt.policies.approval_by_vw``).

All but ``epsilon`` goes to the best action, and ``epsilon`` to all alike, so what is logged can
judge other policies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch, take_column
from authopt.errors import UserError
from authopt.policies.approval_by_route import RouteTrees
from authopt.policies.best_time.best_time import BestTime
from authopt.policies.best_time.model_file import BestTimeFile
from authopt.policies.family import EPSILON, Family, Options, SpecError
from authopt.policies.priority import first_of_each
from authopt.policies.state_file import read_state, write_state
from authopt.policies.uniform import uniform
from authopt.rewards import MoneyReward, parse_reward

EPSILON_DEFAULT = 0.05

MADE_BY = "authopt train LOG --policy expected-money --reward money:FILE.toml --out money.json"


class ApprovalModel(Protocol):
    """A model of the chance that an attempt is approved."""

    def approval(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], from 0 to 1; 0 at ``stop``."""


class ExpectedMoneyFile(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    tag_field="policy",
    tag="expected-money",
):
    """The trees of approval; what an approval is worth stands in the reward's own file.

    ``last_payment`` is when the last payment that they learned from began (UTC).
    """

    pooled: BestTimeFile
    by_route: dict[str, BestTimeFile]
    last_payment: datetime | None = None
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedMoney:
    """The action of the highest expected reward in money, and a share of uniform.

    Of actions that are equally good, the one of the shortest delay is taken; ``stop`` is worth 0,
    so it is taken where every attempt is expected to lose money.

    Attributes
    ----------
    reward
        what an attempt is worth, approved and declined.
    model
        the chance of approval.
    epsilon
        share of uniform, 0 to 1: each of k actions gets at least ``epsilon / k``.
    last_payment
        when the last payment that the model learned from began, UTC.
    """

    reward: MoneyReward
    model: ApprovalModel
    epsilon: float = EPSILON_DEFAULT
    last_payment: datetime | None = None
    name: str = "expected-money"

    def __post_init__(self) -> None:
        if not 0.0 <= self.epsilon <= 1.0:
            raise UserError(f"epsilon of expected-money is {self.epsilon:g}; expected 0 to 1")

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m].

        Raises
        ------
        UserError
            If an attempt lacks what its reward needs: amount, currency, price or rate.
        """
        best = first_of_each(batch, -self.expected(batch))
        return np.asarray((1.0 - self.epsilon) * best + self.epsilon * uniform(batch))

    def expected(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the expected reward of every action, in minor units of its currency."""
        p = self.model.approval(batch)
        approved, declined = (reward_if(self.reward, batch, each) for each in (True, False))
        return np.asarray(p * approved + (1.0 - p) * declined)

    def approval(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the predicted chance of approval; 0 at ``stop``."""
        return self.model.approval(batch)

    def save(self, path: Path) -> None:
        """Write trees; :meth:`load` reads them. A Vowpal Wabbit model is a file of its own.

        Raises
        ------
        UserError
            If the model of approval is not one of trees, or the file cannot be written.
        """
        if not isinstance(self.model, RouteTrees):
            raise UserError(f"{path}: of expected-money only trees are written; keep the model")
        by_route = {name: each.record() for name, each in sorted(self.model.by_route.items())}
        pooled = self.model.pooled.record()
        write_state(path, ExpectedMoneyFile(pooled, by_route, self.last_payment))

    @classmethod
    def load(
        cls, path: Path, reward: MoneyReward, epsilon: float = EPSILON_DEFAULT
    ) -> ExpectedMoney:
        """Read the model of approval: trees, or a Vowpal Wabbit model with its manifest beside it.

        Raises
        ------
        UserError
            If the file is missing or holds something else.
        """
        if _is_vw(path):
            from authopt.policies.approval_by_vw import VwApproval

            model = VwApproval.load(path)
            log = model.manifest.log
            return cls(reward, model, epsilon, log.last_payment or log.last)
        state = read_state(path, ExpectedMoneyFile, "an expected-money policy", MADE_BY)
        try:
            by_route = {
                route: BestTime.from_record(record) for route, record in state.by_route.items()
            }
            trees = RouteTrees(BestTime.from_record(state.pooled), by_route)
        except ValueError as error:
            raise UserError(
                f"{path}: not an expected-money policy: {error}. Make one with: {MADE_BY}"
            ) from None
        return cls(reward, trees, epsilon, state.last_payment)


def _is_vw(path: Path) -> bool:
    """Whether a file is a Vowpal Wabbit model: those of policies are JSON."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(1) != b"{"


def reward_if(reward: MoneyReward, batch: DecisionBatch, approved: bool) -> FloatArray:
    """float64[m]: what every action would be worth if its attempt were approved, or declined.

    Every action is taken for a decision of its own, so that the reward is the log's own, fees,
    surcharges, conversions and all.
    """
    row = batch.decision_of_action
    ids = pa.array(row)
    alone = LoggedBatch(
        decision_id=batch.decision_id.take(ids),
        payment_id=batch.payment_id.take(ids),
        attempt=batch.attempt[row],
        decided_at=batch.decided_at[row],
        context={name: take_column(column, row) for name, column in batch.context.items()},
        routes=batch.routes,
        action_route=batch.action_route,
        action_delay_s=batch.action_delay_s,
        offsets=np.arange(batch.m + 1, dtype=np.int64),
        action_features=batch.action_features,
        chosen=np.zeros(batch.m, np.int64),
        propensity=np.ones(batch.m),
        reward=np.full(batch.m, np.nan),
        outcome={"approved": np.full(batch.m, float(approved))},
    )
    return reward.of(alone)


def _make(file: Path | None, options: Options) -> ExpectedMoney:
    assert file is not None
    text = options.text("reward")
    if text is None:
        raise SpecError(f"policy {options.spec!r} needs a reward. Expected {FAMILY.form}")
    reward = parse_reward(text if text.startswith("money:") else f"money:{text}")
    assert isinstance(reward, MoneyReward)
    return ExpectedMoney.load(file, reward, options.number(EPSILON, EPSILON_DEFAULT))


FAMILY = Family(
    "expected-money:FILE.json or FILE.vw,reward=REWARD.toml[,epsilon=0.05]",
    _make,
    ("reward", EPSILON),
    takes_file=True,
    needs_file=True,
    own_epsilon=True,
)
