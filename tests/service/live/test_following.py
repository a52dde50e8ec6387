"""Workers follow what is changed, and nothing that is wrong with a change reaches a decision."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select, update

from service.app import LIVE
from service.live.live import Live
from service.models.kill_switch import set_killed
from service.models.live_policy import Promoted, promote, promote_model, promote_spec, roll_back
from service.store.changes import changing
from service.store.engine import open_engine
from service.store.tables import changes, models
from tests.service.in_process import ask, recorder_of, request_body, running, settings_in
from tests.service.models.models_to_add import added

SECOND = 1.0


def policy_of(client: FlaskClient) -> dict[str, Any]:
    answer = ask(client, request_body(None))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(answer.get_json())


def engine_of(app: Any) -> Engine:
    engine = recorder_of(app).store.engine
    assert isinstance(engine, Engine)
    return engine


def live_of(app: Any) -> Live:
    live = app.extensions[LIVE]
    assert isinstance(live, Live)
    return live


def test_all_workers_swap_within_a_second_and_no_request_fails(
    tmp_path: Path, database_url: str
) -> None:
    settings = settings_in(tmp_path, database=database_url)
    with running(settings) as one, running(settings) as other:
        model = added(engine_of(one), tmp_path / "m")
        stop = threading.Event()
        seen: list[tuple[float, int, str | None]] = []

        def hammer() -> None:
            client = other.test_client()
            while not stop.is_set():
                answer = ask(client, request_body(None))
                sha256 = answer.get_json()["policy"]["sha256"] if answer.is_json else None
                seen.append((time.monotonic(), answer.status_code, sha256))

        thread = threading.Thread(target=hammer)
        thread.start()
        try:
            while not seen:
                time.sleep(0.01)
            promoted_at = time.monotonic()
            promote_model(engine_of(one), "default", "tests", model.sha256, "")
            done_at = time.monotonic()
            while time.monotonic() < done_at + 10 and (not seen or seen[-1][2] != model.sha256):
                time.sleep(0.01)
        finally:
            stop.set()
            thread.join()
        swapped = [at for at, _, sha256 in seen if sha256 == model.sha256]
        assert {status for _, status, _ in seen} == {200}
        assert any(at < promoted_at for at, _, _ in seen)
        assert swapped[0] - done_at < SECOND


def test_a_model_that_is_damaged_later_never_replaces_a_good_one(tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as app:
        engine, client = engine_of(app), app.test_client()
        good = added(engine, tmp_path / "m", 0.2)
        bad = added(engine, tmp_path / "m", 0.3)
        promote_model(engine, "default", "tests", good.sha256, "")
        with engine.begin() as connection:
            files = connection.scalar(select(models.c.files).where(models.c.sha256 == bad.sha256))
            connection.execute(
                update(models).where(models.c.sha256 == bad.sha256).values(files=files[:600])
            )
        with changing(engine) as connection:
            # As another machine would, where the bytes were still good.
            promote(connection, "default", "tests", Promoted(bad.spec, bad.sha256), "")
        live_of(app).refresh(engine)
        answer = policy_of(client)
        assert (answer["policy"]["sha256"], answer["fallback"]) == (good.sha256, None)
        assert bad.sha256 in client.get("/readyz").get_json()["candidate"]
        told = client.get("/v1/policies").get_json()
        assert bad.sha256 in told["candidate"]
        assert "damaged" in told["candidate"]
        # A worker that starts only now comes to the same policy.
        with running(settings_in(tmp_path)) as late:
            assert policy_of(late.test_client())["policy"]["sha256"] == good.sha256


def test_rolling_back_is_followed_to_the_policy_of_the_start(tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as app:
        engine, client = engine_of(app), app.test_client()
        promote_spec(engine, "default", "tests", "priority:routes=checkout,epsilon=0.1", "")
        live_of(app).refresh(engine)
        assert policy_of(client)["policy"]["name"].startswith("priority")
        with changing(engine) as connection:
            roll_back(connection, "default", "tests", "")
        live_of(app).refresh(engine)
        assert policy_of(client)["policy"]["name"] == "uniform"


def test_the_kill_switch_needs_no_model_that_can_be_loaded(tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as app:
        engine = engine_of(app)
        with changing(engine) as connection:
            set_killed(connection, "default", "tests", True, "on fire")
        live_of(app).refresh(engine)
        answer = policy_of(app.test_client())
        assert answer["fallback"] == "the kill switch is on: on fire"
        assert (answer["action"]["route"], answer["propensity"]) == ("adyen", 1.0)


def test_the_last_state_stays_while_the_store_fails(tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as app:
        engine, live = engine_of(app), live_of(app)
        promote_spec(engine, "default", "tests", "priority:routes=checkout,epsilon=0.1", "")
        assert live.refresh(engine)
        away = open_engine(f"sqlite:///{tmp_path / 'away' / 'none.db'}")
        assert not live.refresh(away)
        away.dispose()
        assert live.serving("default").active.name.startswith("priority")


def test_a_change_that_cannot_be_read_does_not_end_the_following(tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as app:
        engine, live = engine_of(app), live_of(app)
        promote_spec(engine, "default", "tests", "uniform", "")
        with engine.begin() as connection:
            connection.execute(update(changes).values(value="{}"))
        with pytest.raises(KeyError):
            live.refresh(engine)
        with engine.begin() as connection:
            connection.execute(
                update(changes).values(
                    value='{"by":"promote","pinned":false,"sha256":null,'
                    '"spec":"priority:routes=checkout,epsilon=0.1"}'
                )
            )
        until = time.monotonic() + 10
        while time.monotonic() < until and live.serving("default").active.name == "uniform":
            time.sleep(0.02)
        assert live.serving("default").active.name.startswith("priority")
