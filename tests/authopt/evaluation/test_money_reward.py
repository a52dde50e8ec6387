"""Policies judged and trained by what their attempts are worth in money."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from authopt.errors import UserError
from authopt.evaluation.commands import evaluate as evaluate_command
from authopt.evaluation.evaluate_log import evaluate_log
from authopt.evaluation.report.again import command
from authopt.evaluation.result import Evaluation
from authopt.learning.commands import train
from authopt.logs.files import open_log, read_log, write_log
from authopt.rewards import Reward, parse_reward
from tests.factories import logged_batch

PRICES = """
currency = "EUR"

[[fees]]
route = "adyen"
each = { fixed = 300 }

[[fees]]
each = { fixed = 5 }
"""

REWARD = """
currency = "EUR"
prices = "prices.toml"

[margin]
share = 0.10

[fees]
excess_retries = false

[largest]
amount_minor = 100_000
fees_minor = 300
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "prices.toml").write_text(PRICES, "utf-8")
    (tmp_path / "reward.toml").write_text(REWARD, "utf-8")
    return f"money:{tmp_path / 'reward.toml'}"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.parquet"
    write_log(path, [logged_batch(600, attempts_per_payment=3)])
    return path


def judged(log: Path, reward: Reward) -> Evaluation:
    return evaluate_log(log, ["uniform"], reward=reward, bootstrap=0)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(evaluate_command, arguments, catch_exceptions=False)


def test_the_value_is_the_mean_of_the_rewards_per_decision_and_of_their_sums_per_payment(
    log: Path, spec: str
) -> None:
    reward = parse_reward(spec)
    rewards = read_log(log, reward).reward
    own = judged(log, reward).policies[0]
    assert own.value.value == pytest.approx(rewards.mean())
    assert own.payments is not None
    per_payment = rewards.reshape(-1, 3).sum(axis=1)
    assert own.payments.value.estimate.value == pytest.approx(per_payment.mean())
    assert np.all(rewards == np.round(rewards))


def test_intervals_lie_within_the_bounds_that_the_file_declares(log: Path, spec: str) -> None:
    reward = parse_reward(spec)
    evaluation = judged(log, reward)
    assert (evaluation.log.reward_low, evaluation.log.reward_high) == reward.bounds
    for policy in evaluation.policies:
        low, high = policy.value.interval.lower, policy.value.interval.upper
        assert reward.bounds[0] <= low < high <= reward.bounds[1]


def test_figures_are_told_in_the_major_unit_of_the_currency(log: Path, spec: str) -> None:
    mean = read_log(log, parse_reward(spec)).reward.mean()
    shown = run(str(log), "--policy", "uniform", "--reward", spec, "--no-reward-model").stdout
    assert f"mean reward EUR {mean / 100:,.2f}" in shown
    assert "gain EUR" in shown
    assert "%" not in shown.split("gain EUR")[1].split("\n")[1].replace("95%", "")


def test_json_says_what_is_counted(log: Path, spec: str) -> None:
    options = ("--reward", spec, "--no-reward-model", "--json", "--bootstrap", "0")
    found = json.loads(run(str(log), *options).stdout)["log"]
    assert (found["reward"], found["reward_currency"], found["reward_spec"]) == (
        "money",
        "EUR",
        spec,
    )


def test_the_report_holds_money_and_the_command_that_makes_it_again(
    log: Path, spec: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    options = ("--reward", spec, "--no-reward-model", "--bootstrap", "0", "--no-segments")
    run(str(log), "--policy", "uniform", *options, "--report", str(report))
    page = report.read_text("utf-8")
    assert "EUR in this log" in page
    assert f"--reward {spec}" in page
    assert "units of the reward" not in page
    assert f"--reward {spec}" in (command(judged(log, parse_reward(spec))) or "")


def test_a_run_that_is_resumed_with_other_prices_is_refused(
    log: Path, spec: str, tmp_path: Path
) -> None:
    kept = tmp_path / "sums"
    options = (str(log), "--reward", spec, "--no-reward-model", "--resume", str(kept))
    run(*options)
    run(*options)
    (tmp_path / "prices.toml").write_text(PRICES.replace("300", "200"), "utf-8")
    with pytest.raises(UserError):
        run(*options)


def test_an_amount_above_the_largest_stops_with_its_decision(
    log: Path, spec: str, tmp_path: Path
) -> None:
    small = REWARD.replace("100_000", "50_000")
    (tmp_path / "reward.toml").write_text(small, "utf-8")
    with pytest.raises(UserError, match=r"decision 'd0-\d+': amount is .*set largest.amount_minor"):
        run(str(log), "--reward", spec, "--no-reward-model")


@pytest.mark.parametrize("policy", ["vw", "success-rate", "best-route"])
def test_policies_are_trained_on_money(log: Path, spec: str, tmp_path: Path, policy: str) -> None:
    out = tmp_path / "model"
    arguments = [str(log), "--out", str(out), "--policy", policy, "--reward", spec]
    told = CliRunner().invoke(train, arguments, catch_exceptions=False).stdout
    assert "EUR" in told
    evaluation = evaluate_log(
        log, [f"{policy}:{out}"], reward=parse_reward(spec), bootstrap=0, learn_every=None
    )
    assert evaluation.policies[1].value.value is not None


def test_vw_avoids_a_route_that_costs_more_than_it_earns(tmp_path: Path, spec: str) -> None:
    log, out = tmp_path / "long.parquet", tmp_path / "model.vw"
    dear = PRICES.replace("300", "100_000")
    (tmp_path / "prices.toml").write_text(dear, "utf-8")
    largest = REWARD.replace("fees_minor = 300", "fees_minor = 100_000")
    (tmp_path / "reward.toml").write_text(largest, "utf-8")
    write_log(log, [logged_batch(3_000, attempts_per_payment=1, uniform_logging=True)])
    arguments = [str(log), "--out", str(out), "--reward", spec]
    CliRunner().invoke(train, arguments, catch_exceptions=False)
    evaluation = evaluate_log(log, [f"vw:{out}"], reward=parse_reward(spec), bootstrap=0)
    wanted = {route.route: route.evaluation["vw"] for route in evaluation.routes}
    assert wanted["adyen"] < 0.1
    assert open_log(log).num_rows == 3_000
