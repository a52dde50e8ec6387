"""Models that trials and shadows need stay in the registry, until these have ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine

from service.models.live_policy import retire
from service.models.refusals import Conflict
from service.store.changes import changing
from service.trials.in_use import models_in_use
from service.trials.operating import WantedPolicy
from service.trials.shadowing import turn_off, turn_on
from service.trials.trial import PAUSED, RUNNING, STOPPED, Arm
from tests.service.in_process import recorder_of
from tests.service.models.models_to_add import added
from tests.service.trials.running import canary, experiment, put


@pytest.fixture
def engine(app: Flask) -> Engine:
    return recorder_of(app).store.engine


def in_use(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return models_in_use(connection, "default")


@pytest.mark.parametrize(
    ("state", "is_needed"), [(RUNNING, True), (PAUSED, True), (STOPPED, False)]
)
def test_the_models_of_an_experiment_are_in_use_until_it_is_stopped(
    engine: Engine, tmp_path: Path, state: str, is_needed: bool
) -> None:
    model = added(engine, tmp_path)
    arms = Arm("live", "live", None, 1), Arm("new", model.spec, model.sha256, 1)
    put(engine, experiment(*arms, state=state))
    assert in_use(engine) == ({model.sha256} if is_needed else set())


def test_a_policy_without_a_model_needs_none(engine: Engine) -> None:
    put(engine, canary())
    assert in_use(engine) == set()


def test_a_shadows_model_cannot_be_retired_while_it_looks_on(
    engine: Engine, tmp_path: Path
) -> None:
    model = added(engine, tmp_path)
    turn_on(engine, "default", "ann", "next", WantedPolicy(None, model.sha256), "")
    assert in_use(engine) == {model.sha256}
    with changing(engine) as connection, pytest.raises(Conflict, match="stop that first"):
        retire(connection, "default", "ann", model.sha256, "", {model.sha256})
    with changing(engine) as connection:
        turn_off(connection, "default", "ann", "next", "")
    assert in_use(engine) == set()
