"""A model of the registry may be live if the gate's verdict is on it, and on what is live now."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine

from authopt.learning.gate.trained_on import fingerprint_of
from authopt.learning.gate.verdict import Override, as_file
from authopt.rollout.promotion import Promotion, Word, lineage_of
from service.models.archive import archive
from service.models.gate_word import gate_word, verdict_on, without_verdict
from service.models.live_policy import promote_model, promote_spec
from service.models.registry import Model, add_model
from service.store.engine import open_engine
from tests.service.models.models_to_add import added, policy_file
from tests.service.models.verdicts import judged, verdict

NOW = datetime.now(UTC)


@pytest.fixture
def engine(tmp_path: Path, migrated_file: Path) -> Iterator[Engine]:
    shutil.copy(migrated_file, tmp_path / "authopt.db")
    engine = open_engine(f"sqlite:///{tmp_path / 'authopt.db'}")
    yield engine
    engine.dispose()


def word(
    engine: Engine, model: Model, started: str = "uniform", override: Override | None = None
) -> Promotion:
    with engine.connect() as connection:
        return gate_word(connection, "default", model, started, NOW, override)


def test_a_model_that_passed_against_what_is_live_is_admitted(
    engine: Engine, tmp_path: Path
) -> None:
    assert word(engine, judged(engine, tmp_path, passes=True)).word is Word.ADMITTED


def test_a_model_that_did_not_pass_is_refused_with_the_gates_reason(
    engine: Engine, tmp_path: Path
) -> None:
    told = word(engine, judged(engine, tmp_path, passes=False))
    assert (told.word, told.reasons) == (Word.REFUSED, ("Gain: at least -0.01",))


def test_a_model_that_nobody_judged_is_refused_unless_a_person_answers_for_it(
    engine: Engine, tmp_path: Path
) -> None:
    model = added(engine, tmp_path)
    assert not word(engine, model).allowed
    assert word(engine, model, override=Override("ann", NOW, "an outage")).allowed


def test_a_verdict_loses_its_word_when_another_policy_is_live(
    engine: Engine, tmp_path: Path
) -> None:
    model = judged(engine, tmp_path, passes=True)
    promote_spec(engine, "default", "tests", "priority:routes=adyen,epsilon=0.1", "")
    assert "is live now" in word(engine, model).reasons[0]


def test_what_is_live_is_known_by_its_files(engine: Engine, tmp_path: Path) -> None:
    before = policy_file(tmp_path / "live", 0.3)
    live, _ = add_model(engine, "default", "tests", archive(before), "")
    spec = policy_file(tmp_path, 0.2)
    found = verdict(spec, passes=True)
    found = replace(found, live=replace(found.live, spec=before, sha256=fingerprint_of(before)))
    model, _ = add_model(engine, "default", "tests", archive(spec), "", lineage_of(found))
    assert not word(engine, model).allowed
    promote_model(engine, "default", "tests", live.sha256, "")
    assert word(engine, model).allowed


def test_a_verdict_among_the_evaluations_counts_too(engine: Engine, tmp_path: Path) -> None:
    spec = policy_file(tmp_path)
    told = msgspec.to_builtins(as_file(verdict(spec, passes=True)))
    lineage = {"evaluation": [{"candidates": []}, told]}
    model, _ = add_model(engine, "default", "tests", archive(spec), "", lineage)
    assert verdict_on(model) is not None
    assert without_verdict(model.lineage)["evaluation"] == [{"candidates": []}]


@pytest.mark.parametrize("lineage", [{}, {"evaluation": [{"candidates": []}]}])
def test_a_lineage_without_a_verdict_has_none(
    engine: Engine, tmp_path: Path, lineage: dict[str, object]
) -> None:
    spec = policy_file(tmp_path)
    model, _ = add_model(engine, "default", "tests", archive(spec), "", lineage)
    assert verdict_on(model) is None
