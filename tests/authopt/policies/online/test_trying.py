"""How much is tried, what it costs, and the recommended policy that is made of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.policies.family import SpecError
from authopt.policies.guard import Guarded
from authopt.policies.online import OnlineVw
from authopt.policies.online.choosing import alternatives, by_gap, spread
from authopt.policies.online.trying import Trying
from authopt.policies.spec import load_policy
from tests.authopt.policies.batches import Decision, batch_of
from tests.factories import logged_batch

LOG = logged_batch(600, with_stop=True)
ASKED = logged_batch(100, with_stop=True, seed=1).decisions()


def test_the_share_that_is_tried_falls_to_nothing_and_faster_than_outcomes_come() -> None:
    trying = Trying(1_000.0, 0.3, 0.0)
    shares = [trying.share(outcomes) for outcomes in (0, 1_000, 10_000, 40_000)]
    assert shares[:2] == [0.3, 0.3]
    assert shares[2] == pytest.approx(16 * shares[3])
    assert Trying(0.0, 0.3, 0.0).share(0) == 0.0


@pytest.mark.parametrize("options", [(-1.0, 0.3, 0.0), (1.0, 0.0, 0.0), (1.0, 0.3, -1.0)])
def test_numbers_out_of_range_are_refused(options: tuple[float, float, float]) -> None:
    with pytest.raises(UserError, match="expected"):
        Trying(*options)


def test_what_is_tried_differs_from_the_best_action_in_one_thing() -> None:
    actions = (("adyen", 0), ("adyen", 3600), ("checkout", 0), ("checkout", 3600), ("stop", 0))
    batch = batch_of([Decision(2, actions, "visa", 1.0, None, (0.0,) * 5)])
    cost = np.array([-0.1, -0.4, -0.2, -0.3, 0.0])
    assert spread(batch, alternatives(batch, cost)).tolist() == pytest.approx(
        [1 / 3, 1 / 3, 0.0, 1 / 3, 0.0]
    )
    gives_up = np.array([0.1, 0.4, 0.2, 0.3, 0.0])
    assert alternatives(batch, gives_up).tolist() == [False] * 4 + [True]


def test_what_seems_to_lose_more_is_rarer_by_inverse_gap() -> None:
    actions = (("adyen", 0), ("braintree", 0), ("checkout", 0))
    batch = batch_of([Decision(1, actions, "visa", 1.0, None, (0.0,) * 3)])
    probability = by_gap(batch, np.array([-0.9, -0.8, -0.7]), 100.0)
    assert probability[1:] == pytest.approx([1 / 13, 1 / 23])
    assert probability.sum() == pytest.approx(1.0)


def test_what_is_tried_adds_to_the_floor() -> None:
    policy = OnlineVw(epsilon=0.01, tries=LOG.n, most_tries=0.5, bits=14)
    policy.update(LOG)
    share = policy.share_tried
    assert share == 0.5
    probability = policy.probabilities(ASKED).reshape(-1, 4)
    best = probability.max(axis=1)
    assert best == pytest.approx(1.0 - share * 2 / 3, abs=0.01)
    assert probability[:, 3] == pytest.approx(0.01 / 4, rel=1e-9)


def test_a_budget_keeps_trying_from_costing_more_and_is_reported() -> None:
    rich = OnlineVw(tries=1e6, lost_per_day=1e6, bits=14)
    poor = OnlineVw(tries=1e6, lost_per_day=0.5, bits=14)
    for policy in (rich, poor):
        for part in range(0, LOG.n, 100):
            policy.update(LOG.take(slice(part, part + 100)))
    assert poor.share_tried < rich.share_tried
    report = poor.budget_report
    assert report is not None
    assert report.lost_per_day == 0.5
    assert OnlineVw(tries=1e6, bits=14).budget_report is None


def test_the_recommended_policy_is_guarded_and_goes_on_from_a_file(tmp_path: Path) -> None:
    policy = load_policy("recommended")
    assert isinstance(policy, Guarded)
    policy.update(LOG)
    policy.save(tmp_path / "recommended.json")
    restored = load_policy(f"recommended:{tmp_path / 'recommended.json'}")
    assert isinstance(restored, Guarded)
    for part in range(2):
        more = logged_batch(80, with_stop=True, seed=10 + part)
        policy.update(more)
        restored.update(more)
        before, after = policy.probabilities(ASKED), restored.probabilities(ASKED)
        assert before.tolist() == after.tolist()
    with pytest.raises(SpecError, match="tries"):
        load_policy(f"recommended:{tmp_path / 'recommended.json'},tries=3")
