"""Which policy is live: promoting, rolling back, pinning."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from authopt.errors import UserError
from service.models.kill_switch import is_killed, set_killed
from service.models.live_policy import (
    Promoted,
    live_policy,
    policy_without_files,
    promote_model,
    promote_spec,
    read_live_policy,
    retire,
    roll_back,
    set_pinned,
)
from service.models.refusals import Conflict
from service.store.changes import Change, changing
from tests.service.models.models_to_add import added


def live(engine: Engine) -> Promoted | None:
    with engine.connect() as connection:
        return read_live_policy(connection, "default").live


def test_rolling_back_undoes_promotions_one_by_one(engine: Engine, tmp_path: Path) -> None:
    model = added(engine, tmp_path)
    first = promote_model(engine, "default", "ann", model.sha256[:12], "better")
    promote_spec(engine, "default", "ann", "uniform", "gather data")
    with changing(engine) as connection:
        assert roll_back(connection, "default", "ann", "worse", pin=False) == first
    assert live(engine) == Promoted(model.spec, model.sha256)
    with changing(engine) as connection:
        assert roll_back(connection, "default", "ann", "worse", pin=False) is None
    with changing(engine) as connection, pytest.raises(Conflict, match="nothing to roll back"):
        roll_back(connection, "default", "ann", "worse")
    assert live(engine) is None


def test_what_was_rolled_back_to_stays_until_it_is_unpinned(engine: Engine) -> None:
    promote_spec(engine, "default", "ann", "uniform", "")
    with changing(engine) as connection:
        roll_back(connection, "default", "ann", "on fire")
    with pytest.raises(Conflict, match=r"pinned.*on fire"):
        promote_spec(engine, "default", "learner", "uniform", "")
    with changing(engine) as connection:
        set_pinned(connection, "default", "ann", False, "mended")
    promote_spec(engine, "default", "learner", "uniform", "")
    assert live(engine) == Promoted("uniform", None)


def test_a_retired_model_cannot_be_promoted_nor_a_live_one_retired(
    engine: Engine, tmp_path: Path
) -> None:
    model, other = added(engine, tmp_path, 0.2), added(engine, tmp_path, 0.3)
    promote_model(engine, "default", "ann", model.sha256, "")
    with changing(engine) as connection:
        with pytest.raises(Conflict, match="is live"):
            retire(connection, "default", "ann", model.sha256, "")
        retire(connection, "default", "ann", other.sha256, "")
    with pytest.raises(Conflict, match="retired"):
        promote_model(engine, "default", "ann", other.sha256, "")


def test_the_same_policy_is_not_promoted_twice(engine: Engine) -> None:
    promote_spec(engine, "default", "ann", "uniform", "")
    with pytest.raises(Conflict, match="live already"):
        promote_spec(engine, "default", "ann", "uniform", "")


def test_the_kill_switch_is_recorded_once(engine: Engine) -> None:
    for killed in (True, True, False):
        with changing(engine) as connection:
            set_killed(connection, "default", "ann", killed, "")
            assert is_killed(connection, "default") == killed


@pytest.mark.parametrize(
    "spec",
    [
        "vw:/etc/passwd",
        "online:/etc/passwd",
        "guarded+online:/etc/passwd",
        "success-rate:/etc/passwd,epsilon=0.1",
        "logged",
        "no-such-policy",
        "uniform" + " " * 300,
    ],
)
def test_a_spec_that_names_a_file_or_cannot_decide_is_refused(spec: str) -> None:
    with pytest.raises(UserError):
        policy_without_files(spec)


@pytest.mark.parametrize(
    "spec", ["uniform", "priority:routes=a,b,epsilon=0.1", "recommended", "guarded+uniform"]
)
def test_a_spec_without_files_is_a_policy(spec: str) -> None:
    assert policy_without_files(spec).name


@given(st.lists(st.sampled_from(["promote", "rollback", "pin", "unpin"]), max_size=30))
def test_a_rollback_always_restores_what_the_last_promotion_replaced(steps: list[str]) -> None:
    told: list[Change] = []
    before: list[Promoted | None] = [None]
    for number, step in enumerate(steps):
        now = before[-1]
        if step == "promote":
            now = Promoted(f"policy-{number}", None)
            before.append(now)
        elif step == "rollback":
            if len(before) == 1:
                continue
            before.pop()
            now = before[-1]
        value = {
            "spec": None if now is None else now.spec,
            "sha256": None,
            "pinned": step == "pin",
            "by": step,
        }
        told.append(Change(number, 0, "ann", "policy", "live", value, ""))
        state = live_policy(told)
        assert state.live == now
        assert state.pinned == (step == "pin")
