"""Chances of approval by a Vowpal Wabbit model, and the money that they promise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from authopt.batch import DecisionBatch
from authopt.errors import UserError
from authopt.learning.commands import train
from authopt.learning.gate.trained_on import trained_on
from authopt.learning.train_vw import train_vw
from authopt.logs.files import write_log
from authopt.policies.approval_by_vw import VwApproval
from authopt.policies.expected_money import ExpectedMoney
from authopt.policies.spec import load_policy
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from tests.authopt.policies.test_expected_money import PRICES, REWARD
from tests.factories import logged_batch

ROWS = 1_500


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("money")
    (path / "prices.toml").write_text(PRICES, "utf-8")
    (path / "reward.toml").write_text(REWARD, "utf-8")
    write_log(path / "log.parquet", [logged_batch(ROWS, with_stop=True, uniform_logging=True)])
    return path


@pytest.fixture(scope="module")
def answer(folder: Path) -> dict[str, str]:
    words = ["--policy", "expected-money", "--model", "vw", "--bits", "18", "--json"]
    words += ["--reward", f"money:{folder / 'reward.toml'}", "--out", str(folder / "money.vw")]
    result = CliRunner().invoke(train, [str(folder / "log.parquet"), *words])
    assert result.exit_code == 0, result.output
    found: dict[str, str] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def policy(answer: dict[str, str]) -> ExpectedMoney:
    found = load_policy(answer["spec"])
    assert isinstance(found, ExpectedMoney)
    return found


@pytest.fixture(scope="module")
def later() -> DecisionBatch:
    return logged_batch(60, seed=3, with_stop=True).decisions()


def model_of(path: Path, options: VwOptions | None = None, **more: bool) -> Path:
    batch = logged_batch(300, with_stop=True, uniform_logging=True)
    train_vw(lambda _: [batch], path, options or VwOptions(bits=18), judge=False, **more)
    return path


def test_the_command_makes_it_and_says_what_it_learned(answer: dict[str, str]) -> None:
    assert answer["approval_model"] == "vw"
    assert int(answer["rows"]) > 0.5 * ROWS
    assert 0.0 < float(answer["mean_reward"]) < 1.0


def test_chances_are_chances_and_giving_up_has_none(
    policy: ExpectedMoney, later: DecisionBatch
) -> None:
    chance = policy.approval(later)
    assert ((chance >= 0.0) & (chance <= 1.0)).all()
    assert not chance[later.is_stop].any()
    assert len(np.unique(chance)) > 10


def test_they_rank_actions_as_the_model_does_as_a_policy(
    folder: Path, policy: ExpectedMoney, later: DecisionBatch
) -> None:
    own = VwPolicy.load(folder / "money.vw").probabilities(later).reshape(later.n, -1)
    chance = np.where(later.is_stop, -1.0, policy.approval(later)).reshape(later.n, -1)
    assert np.array_equal(own.argmax(axis=1), chance.argmax(axis=1))


def test_they_are_what_came_of_it_on_average(policy: ExpectedMoney) -> None:
    log = logged_batch(3_000, seed=8, with_stop=True, uniform_logging=True)
    tried = ~log.is_stop[log.chosen_action]
    predicted = policy.approval(log)[log.chosen_action][tried]
    assert predicted.mean() == pytest.approx(log.reward[tried].mean(), abs=0.05)


def test_the_best_action_by_money_is_taken_but_for_exploration(
    policy: ExpectedMoney, later: DecisionBatch
) -> None:
    value = policy.expected(later).reshape(later.n, -1)
    found = policy.probabilities(later).reshape(later.n, -1)
    assert np.array_equal(found.argmax(axis=1), value.argmax(axis=1))
    assert found.min() == pytest.approx(0.05 / 4)


def test_a_decision_does_not_depend_on_the_others_of_its_batch(
    policy: ExpectedMoney, later: DecisionBatch
) -> None:
    alone = [policy.probabilities(later.take(slice(row, row + 1))) for row in range(5)]
    assert np.array_equal(np.concatenate(alone), policy.probabilities(later)[: 5 * 4])


def test_a_route_without_a_past_has_the_mean_of_all(
    policy: ExpectedMoney, later: DecisionBatch
) -> None:
    routes = tuple("atlas" if name == "checkout" else name for name in later.routes)
    asked = replace(later, routes=routes)
    at = asked.action_route == routes.index("atlas")
    assert isinstance(policy.model, VwApproval)
    assert policy.approval(asked)[at] == pytest.approx(policy.model.manifest.mean_reward)


def test_the_gate_knows_what_it_learned_from(answer: dict[str, str]) -> None:
    known = trained_on(answer["spec"])
    assert known is not None
    assert known.until is not None


def test_models_that_predict_something_else_are_refused(folder: Path) -> None:
    to_go = model_of(folder / "to-go.vw", reward_to_go=True)
    with pytest.raises(UserError, match="of the payment from an attempt on"):
        VwApproval.load(to_go)
    voting = model_of(
        folder / "bag.vw", VwOptions(explorer="bag", policies=2, bits=18), reward_to_go=False
    )
    with pytest.raises(UserError, match="explorer bag"):
        VwApproval.load(voting)


def test_a_damaged_model_is_refused(folder: Path) -> None:
    path = model_of(folder / "damaged.vw", reward_to_go=False)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(UserError, match="damaged"):
        VwApproval.load(path)


def test_trees_alone_are_written_by_the_policy(policy: ExpectedMoney, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="only trees"):
        policy.save(tmp_path / "money.json")
