"""``authopt apprentice``: how well a router is imitated, and what acting would gain."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from authopt.batch import LoggedBatch
from authopt.logs.files import write_log
from authopt.logs.schema import PropensitySource
from authopt.policies.apprentice import Apprentice
from authopt.rollout.commands import apprentice
from tests.authopt.learning.gate.cases import BETTER, MIXED, log_with


def routed(chances: dict[str, tuple[float, float, float]], n: int = 2_500) -> LoggedBatch:
    """The log of a router that takes adyen in seven of ten decisions."""
    batch = log_with(chances, n)
    chosen = np.random.default_rng(2).choice(3, n, p=[0.7, 0.15, 0.15])
    network = batch.context["network"]
    table = np.array([chances[name] for name in network.categories])  # type: ignore[union-attr]
    lucky = np.random.default_rng(3).random(n) < table[network.codes, chosen]  # type: ignore[union-attr]
    return replace(
        batch,
        chosen=chosen,
        propensity=np.full(n, np.nan),
        probability=None,
        reward=lucky.astype(np.float64),
        outcome={"approved": lucky.astype(np.float64)},
    )


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("logs")
    made = {}
    for name, chances, n in (
        ("better", BETTER, 2_500),
        ("mixed", MIXED, 2_500),
        ("few", BETTER, 500),
    ):
        made[name] = folder / f"{name}.parquet"
        write_log(made[name], [routed(chances, n)], PropensitySource.UNKNOWN)
    return made


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(apprentice, arguments, catch_exceptions=False)


def test_it_says_how_well_it_imitates_and_writes_the_apprentice(
    logs: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "apprentice.json"
    told = json.loads(asked(str(logs["better"]), "--out", str(out), "--json").output)
    assert told["spec"] == f"apprentice:{out}"
    assert told["acting"] is None
    imitation = told["imitation"]
    assert imitation["decisions"] == 2_500
    assert imitation["agreement"] == pytest.approx(0.7, abs=0.03)
    entropy = -(0.7 * np.log(0.7) + 0.3 * np.log(0.15))
    assert imitation["log_loss"] == pytest.approx(entropy, abs=0.03)
    assert imitation["log_loss"] < imitation["log_loss_uniform"]
    batch = routed(BETTER, 50).decisions()
    found = Apprentice.load(out).probabilities(batch).reshape(-1, 3)
    assert found.mean(axis=0) == pytest.approx([0.7, 0.15, 0.15], abs=0.03)


def test_it_shows_what_acting_would_gain_where(logs: dict[str, Path]) -> None:
    spec = "priority:routes=checkout,braintree,adyen"
    arguments = (str(logs["mixed"]), "--better", spec, "--segments", "network", "--no-reward-model")
    told = json.loads(asked(*arguments, "--json").output)["acting"]
    by_name = {each["segment"]: each for each in told["segments"]}
    truth = {
        name: chances[2] - (0.7 * chances[0] + 0.15 * chances[1] + 0.15 * chances[2])
        for name, chances in MIXED.items()
    }
    for name, expected in truth.items():
        each = by_name[name]
        assert each["gain"] == pytest.approx(expected, abs=0.06)
        assert each["lower"] < expected < each["upper"]
    assert told["first"] == "network:visa"
    shown = asked(*arguments).output
    assert "Act first with only=network:visa" in shown
    assert "network mastercard" in shown


def test_where_nothing_is_gained_it_says_so(logs: dict[str, Path]) -> None:
    arguments = (str(logs["few"]), "--better", "priority:routes=adyen")
    shown = asked(*arguments, "--segments", "network").output
    assert "In no segment there is a gain beyond doubt yet." in shown
