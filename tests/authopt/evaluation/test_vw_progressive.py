"""VW's own progressive loss is IPS of the policy that learns: two programs, one figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from authopt.evaluation.arrays import evaluate_arrays

LOG = Path(__file__).parents[4] / "shared" / "data" / "vw" / "decisionservice.json"


@pytest.mark.skipif(not LOG.is_file(), reason="VW's test log is not in ../shared/data/vw")
def test_ips_equals_the_progressive_loss_that_vw_reports() -> None:
    from vowpalwabbit import LabelType, Workspace

    vw = Workspace("--cb_explore_adf --epsilon 0.2 --dsjson -q GT --quiet")
    offsets, policy, chosen, propensity, reward = [0], [], [], [], []
    for line in LOG.read_text().splitlines():
        event = json.loads(line)
        examples = vw.parse(line, LabelType.CONTEXTUAL_BANDIT)
        predicted = np.array(vw.predict(examples), np.float64)
        vw.learn(examples)
        vw.finish_example(examples)
        policy.append(predicted)
        offsets.append(offsets[-1] + len(predicted))
        chosen.append(event["_label_Action"] - 1)
        propensity.append(event["_label_probability"])
        reward.append(-event["_label_cost"])
    loss = vw.get_sum_loss() / vw.get_weighted_examples()
    vw.finish()

    result = evaluate_arrays(
        chosen=np.array(chosen),
        reward=np.array(reward, np.float64),
        propensity=np.array(propensity),
        evaluation={"vw": np.concatenate(policy)},
        offsets=np.array(offsets),
        bootstrap=0,
    )
    ips = result.policy("vw").estimate("ips").value
    assert ips == pytest.approx(-loss, abs=1e-7)
    # The figure in VW's own reference output, test/train-sets/ref/cbe_adf_dsjson.stderr.
    assert ips == pytest.approx(0.040816, abs=1e-6)
