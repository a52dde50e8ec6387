"""Real data with a known answer: the Open Bandit sample, a random log and the policy BTS.

Saito, Aihara, Matsutani & Narita, 'Open Bandit Dataset and Pipeline' (arXiv 2008.07146); the
expected figures are those that obp prints in its quick start, and numpy alone gives.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from authopt.evaluation.arrays import evaluate_arrays
from authopt.evaluation.result import Evaluation

DATA = Path(__file__).parents[4] / "shared" / "data" / "open-bandit"
ITEMS = 80
POSITIONS = 3
DRAWS = 100_000

pytestmark = pytest.mark.skipif(
    not (DATA / "random-all.csv.gz").is_file(),
    reason="the Open Bandit sample is not in ../shared/data/open-bandit",
)


def beta_parameters() -> tuple[list[float], list[float]]:
    """alpha and beta of the campaign 'all' (two plain lists in the YAML file)."""
    section = (DATA / "prior_bts.yaml").read_text().split("all:")[1]
    alpha, beta = section.split("alpha:")[1].split("beta:")

    def numbers(text: str) -> list[float]:
        return [float(line.strip()[2:]) for line in text.splitlines() if line.strip()[:2] == "- "]

    return numbers(alpha)[:ITEMS], numbers(beta)[:ITEMS]


def bts_probabilities() -> np.ndarray:
    """float64[items, positions]: shares of 100,000 draws, as obp makes them."""
    alpha, beta = beta_parameters()
    rng = np.random.RandomState(12345)
    counts = np.zeros((ITEMS, POSITIONS))
    for _ in range(DRAWS):
        top = rng.beta(alpha, beta).argsort()[::-1][:POSITIONS]
        counts[top, np.arange(POSITIONS)] += 1
    return counts / DRAWS


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    options = pa.csv.ConvertOptions(
        include_columns=["timestamp", "item_id", "position", "click", "propensity_score"],
        column_types={"timestamp": pa.string()},
    )
    table = pa.csv.read_csv(DATA / "random-all.csv.gz", convert_options=options)
    table = table.sort_by("timestamp")
    position = np.unique(table["position"].to_numpy(), return_inverse=True)[1]
    n = len(table)
    return evaluate_arrays(
        chosen=table["item_id"].to_numpy(),
        reward=table["click"].to_numpy(),
        logging=np.full((n, ITEMS), 1 / ITEMS),
        propensity=table["propensity_score"].to_numpy(),
        evaluation={"bts": bts_probabilities().T[position]},
    )


def test_ips_and_snips_are_the_published_ones(evaluation: Evaluation) -> None:
    bts = evaluation.policy("bts")
    assert bts.estimate("ips").value == pytest.approx(0.00455288, abs=5e-9)
    assert bts.estimate("snips").value == pytest.approx(0.00477583, abs=5e-9)
    assert evaluation.log.mean_reward == pytest.approx(0.0038)


def test_the_gain_is_the_published_relative_one(evaluation: Evaluation) -> None:
    ips = evaluation.policy("bts").estimate("ips").value
    assert ips is not None
    assert ips / 0.0038 == pytest.approx(1.1981263157894735, abs=1e-9)
    gain = evaluation.policy("bts").gains[0]
    assert gain.value == pytest.approx(ips - 0.0038, abs=1e-12)


def test_effective_sample_and_weights_are_the_published_ones(evaluation: Evaluation) -> None:
    diagnostics = evaluation.policy("bts").diagnostics
    assert diagnostics.effective_sample_size == pytest.approx(1639.50, abs=5e-3)
    assert diagnostics.largest_weight_seen == pytest.approx(19.5984, abs=5e-5)
    assert diagnostics.mean_weight.value == pytest.approx(0.95332, abs=5e-6)
    assert diagnostics.unsupported_mass == pytest.approx(0.0)


def test_the_intervals_hold_what_bts_earned_on_its_own_log(evaluation: Evaluation) -> None:
    for estimate in evaluation.policy("bts").estimates:
        assert all(each.lower <= 0.0042 <= each.upper for each in estimate.intervals)


def test_the_bootstrap_of_ips_is_near_the_one_that_obp_prints(evaluation: Evaluation) -> None:
    intervals = evaluation.policy("bts").estimate("ips").intervals
    bootstrap = next(each for each in intervals if each.method == "bootstrap")
    # obp resamples rows, authopt buckets of rows.
    assert (bootstrap.lower, bootstrap.upper) == pytest.approx((0.00153148, 0.00925421), abs=8e-4)
