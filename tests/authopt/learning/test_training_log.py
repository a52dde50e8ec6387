"""What a policy learns from is what a policy will be told when it is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from authopt.batch import Categorical
from authopt.learning.training_log import training_batches
from authopt.logs.files import open_log, write_log
from authopt.logs.trial_columns import ARM, EXPERIMENT
from authopt.rewards import DEFAULT_REWARD
from tests.factories import logged_batch


def test_the_arms_of_trials_are_in_a_log_and_not_in_what_is_learned_from(tmp_path: Path) -> None:
    batch = logged_batch(50, ("a", "b"))
    arms = Categorical(np.arange(batch.n, dtype=np.int32) % 2, ("live", "new"))
    context = {**batch.context, ARM: arms, EXPERIMENT: arms, "x_shop": arms}
    write_log(tmp_path / "log.parquet", [replace(batch, context=context)])
    log = open_log(tmp_path / "log.parquet")
    (whole,) = log.batches(reward=DEFAULT_REWARD)
    (learned,) = training_batches(log, DEFAULT_REWARD)
    assert set(whole.context) - set(learned.context) == {ARM, EXPERIMENT}
    assert "x_shop" in learned.context
