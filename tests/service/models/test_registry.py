"""The registry: models whole, that answer as they did."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, select, update

from authopt.errors import UserError
from authopt.policies.online import OnlineVw
from service.models.archive import archive
from service.models.live_policy import retire
from service.models.refusals import Conflict, NotThere
from service.models.registry import add_model, find_model, list_models, load_model
from service.store.changes import changing, history
from service.store.tables import models
from tests.service.models.models_to_add import added, policy_file


def test_a_model_is_loaded_from_the_registry_alone(engine: Engine, tmp_path: Path) -> None:
    model = added(engine, tmp_path, 0.3)
    (tmp_path / "model-0.3.json").unlink()
    with engine.connect() as connection:
        active = load_model(connection, "default", model.sha256)
    assert isinstance(active.policy, OnlineVw)
    assert active.policy.epsilon == 0.3
    assert active.sha256 == model.sha256


def test_a_model_is_there_once_however_often_it_is_added(engine: Engine, tmp_path: Path) -> None:
    model = added(engine, tmp_path)
    again, is_new = add_model(engine, "default", "tests", archive(policy_file(tmp_path)), "")
    assert (again, is_new) == (model, False)
    with engine.connect() as connection:
        assert list_models(connection, "default") == [model]
        assert len(history(connection, "default", "model", model.sha256)) == 1


def test_a_model_is_found_by_the_beginning_of_its_sha256(engine: Engine, tmp_path: Path) -> None:
    model = added(engine, tmp_path)
    with engine.connect() as connection:
        assert find_model(connection, "default", model.sha256[:6]) == model
        for wrong in ("000000", model.sha256[:5], "%" * 6, ""):
            with pytest.raises(NotThere):
                find_model(connection, "default", wrong)


def test_another_merchant_does_not_see_a_model(engine: Engine, tmp_path: Path) -> None:
    model = added(engine, tmp_path, tenant="one")
    with engine.connect() as connection:
        assert list_models(connection, "two") == []
        with pytest.raises(NotThere):
            load_model(connection, "two", model.sha256)


def test_damaged_bytes_are_not_loaded(engine: Engine, tmp_path: Path) -> None:
    model = added(engine, tmp_path)
    with engine.begin() as connection:
        files = connection.scalar(select(models.c.files))
        connection.execute(update(models).values(files=files[:-1] + b"x"))
        with pytest.raises(UserError, match="damaged"):
            load_model(connection, "default", model.sha256)


def test_a_model_that_answers_otherwise_is_not_loaded(engine: Engine, tmp_path: Path) -> None:
    model = added(engine, tmp_path)
    with engine.begin() as connection:
        probe = msgspec.json.decode(connection.scalar(select(models.c.probe)))
        told = probe["decisions"][0]["probabilities"]
        told[0], told[1] = told[0] + 1e-9, told[1] - 1e-9
        connection.execute(update(models).values(probe=msgspec.json.encode(probe).decode()))
        with pytest.raises(UserError, match="probe 1 gets the probabilities"):
            load_model(connection, "default", model.sha256)


def test_a_model_that_cannot_be_loaded_is_not_added(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(UserError):
        add_model(engine, "default", "tests", archive(f"online:{tmp_path}/model.json"), "")
    with engine.connect() as connection:
        assert list_models(connection, "default") == []


def test_a_retired_model_is_back_when_it_is_added_again(engine: Engine, tmp_path: Path) -> None:
    model = added(engine, tmp_path)
    with changing(engine) as connection:
        retire(connection, "default", "tests", model.sha256, "")
    with changing(engine) as connection:
        assert list_models(connection, "default")[0].retired
        with pytest.raises(Conflict):
            retire(connection, "default", "tests", model.sha256, "")
    again, _ = add_model(engine, "default", "tests", archive(policy_file(tmp_path)), "")
    assert not again.retired
