"""VW's progressive loss is the IPS of the policy that learns: two programs, one figure.

VW predicts every event before it learns from it, and reports the mean of cost times its own
probability over the logged one. The figures are those of VW's own reference outputs
(test/train-sets/ref/cbe_adf_dsjson.stderr and squarecb_save.stderr), with more digits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from authopt.evaluation.arrays import evaluate_arrays

DATA = Path(__file__).parents[4] / "shared" / "data" / "vw"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: what VW reads, and what was logged."""

    example: str | list[str]
    chosen: int
    cost: float
    propensity: float


def dsjson_events(path: Path) -> Iterator[Event]:
    for line in path.read_text().splitlines():
        event = json.loads(line)
        chosen = event["_label_Action"] - 1
        yield Event(line, chosen, event["_label_cost"], event["_label_probability"])


def text_events(path: Path) -> Iterator[Event]:
    for block in path.read_text().strip().split("\n\n"):
        lines = block.split("\n")
        actions = [line for line in lines if not line.startswith("shared")]
        ((chosen, label),) = [
            (place, line.split(" ")[0].split(":"))
            for place, line in enumerate(actions)
            if not line.startswith("|")
        ]
        yield Event(lines, chosen, float(label[1]), float(label[2]))


def progressive(arguments: str, events: list[Event]) -> tuple[float, list[npt.NDArray[np.float64]]]:
    """VW's average loss, and its probabilities of every event before it learnt from it."""
    from vowpalwabbit import LabelType, Workspace

    vw = Workspace(f"{arguments} --quiet")
    predicted = []
    for event in events:
        examples = vw.parse(event.example, LabelType.CONTEXTUAL_BANDIT)
        predicted.append(np.array(vw.predict(examples), np.float64))
        vw.learn(examples)
        # Without this every event leaks its examples.
        vw.finish_example(examples)
    loss = vw.get_sum_loss() / vw.get_weighted_examples()
    vw.finish()
    return float(loss), predicted


@pytest.mark.parametrize(
    ("name", "read", "arguments", "count", "reported"),
    [
        (
            "decisionservice.json",
            dsjson_events,
            "--cb_explore_adf --epsilon 0.2 --dsjson -q GT",
            3,
            -0.040816326,
        ),
        ("cb_load.dat", text_events, "--cb_explore_adf --squarecb -q UA", 113, -0.3628335),
    ],
    ids=["epsilon-greedy, dsjson", "squarecb, text"],
)
def test_ips_equals_the_progressive_loss_that_vw_reports(
    name: str,
    read: Callable[[Path], Iterator[Event]],
    arguments: str,
    count: int,
    reported: float,
) -> None:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"VW's test log {name} is not in ../shared/data/vw")
    events = list(read(path))
    loss, predicted = progressive(arguments, events)
    result = evaluate_arrays(
        chosen=np.array([event.chosen for event in events]),
        reward=-np.array([event.cost for event in events], np.float64),
        propensity=np.array([event.propensity for event in events]),
        evaluation={"vw": np.concatenate(predicted)},
        offsets=np.cumsum([0, *map(len, predicted)]),
        reward_bounds=(0.0, 1.0),
        bootstrap=0,
    )
    ips = result.policy("vw").estimate("ips").value
    assert len(events) == count
    assert ips == pytest.approx(-loss, abs=1e-6)
    assert ips == pytest.approx(-reported, abs=1e-6)


def test_the_first_loss_is_the_first_cost_times_the_ratio_of_probabilities() -> None:
    path = DATA / "decisionservice.json"
    if not path.is_file():
        pytest.skip("VW's test log decisionservice.json is not in ../shared/data/vw")
    events = list(dsjson_events(path))[:1]
    loss, predicted = progressive("--cb_explore_adf --epsilon 0.2 --dsjson -q GT", events)
    # An untrained model gives twelve actions one twelfth each.
    assert predicted[0] == pytest.approx(np.full(12, 1 / 12), abs=1e-6)
    assert loss == pytest.approx(-(1 / 12) / 0.8166667, abs=1e-6)
