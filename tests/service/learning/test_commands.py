"""``authopt learn`` beside a service."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from authopt.errors import UserError
from service.learning.commands import learn
from service.store.engine import open_engine
from service.store.store import Store
from service.store.tables import learners
from tests.service.in_process import ask, recorder_of, request_body, running, settings_in, tell
from tests.service.learning.recorded import traffic

LEARN = "from service.learning.commands import learn; learn()"
OPTIONS = ("--policy", "online:bits=10", "--wait", "1d")
NEVER = ("--min-outcomes", "1000000")


@pytest.fixture
def database(tmp_path: Path, migrated_file: Path) -> str:
    path = tmp_path / "authopt.db"
    shutil.copy(migrated_file, path)
    return f"sqlite:///{path}"


def once(database: str, *words: str) -> Any:
    arguments = [*OPTIONS, *words, "--database", database, "--once", "--json"]
    result = CliRunner().invoke(learn, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_service_decides_with_what_was_learned_from_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with running(settings) as app:
        client = app.test_client()
        for number in range(40):
            route = ask(client, request_body(f"d{number}")).get_json()["action"]["route"]
            tell(client, {"decision_id": f"d{number}", "approved": route == "checkout"})
        told = once(settings.database, "--min-outcomes", "40", "--promote", "always")
        assert (told["counts"]["learned"], told["waiting"]) == (40, 0)
        app.extensions["authopt.live"].refresh(recorder_of(app).store.engine)
        answer = ask(client, request_body("after")).get_json()
        assert answer["policy"]["sha256"] == told["published"]["sha256"]
        assert max(answer["actions"], key=lambda each: each["probability"])["route"] == "checkout"


def test_a_model_is_made_live_by_the_gate_and_the_command_says_why(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    conditions = tmp_path / "gate.toml"
    conditions.write_text(
        # So few decisions show next to nothing: here it is about what follows from the gate's word.
        "margin = -1.0\nlargest_route_share = 1.0\nleast_effective = 10\n"
        "least_segment_effective = 0\nexploration_budget = 0.5\n"
    )
    words = ("--min-outcomes", "60", "--publish-every", "0s", "--settings", str(conditions))
    with running(settings) as app:
        client = app.test_client()
        for number in range(120):
            if number == 60:
                candidate = once(settings.database, *words)["candidate"]
                assert (candidate["against"], candidate["fresh"]) == (None, 0)
            route = ask(client, request_body(f"d{number}")).get_json()["action"]["route"]
            tell(client, {"decision_id": f"d{number}", "approved": route == "checkout"})
        arguments = [*OPTIONS, *words, "--database", settings.database, "--once", "--json"]
        result = CliRunner().invoke(learn, arguments, catch_exceptions=False)
        told = json.loads(result.stdout)
        assert told["judged"]["became"] == "promoted", result.stderr
        assert told["judged"]["sha256"] == candidate["sha256"]
        assert told["candidate"]["sha256"] == told["published"]["sha256"] != candidate["sha256"]
        assert "better than logged" in result.stderr
        app.extensions["authopt.live"].refresh(recorder_of(app).store.engine)
        answer = ask(client, request_body("after")).get_json()
    assert answer["policy"]["sha256"] == candidate["sha256"]


def test_what_was_learned_once_is_not_learned_again(database: str) -> None:
    store = Store(open_engine(database))
    store.keep(list(traffic(30)))
    store.close()
    first = once(database, "--promote", "never")
    assert first["counts"]["learned"] == 30
    assert once(database, "--promote", "never")["counts"] == first["counts"]


def test_two_processes_do_not_learn_at_once(database: str) -> None:
    engine = open_engine(database)
    Store(engine).keep(list(traffic(10)))
    with engine.begin() as connection:
        connection.execute(
            learners.insert().values(
                tenant="default",
                name="default",
                cursor="",
                holder="another",
                held_until_us=(int(time.time()) + 3600) * 1_000_000,
            )
        )
    engine.dispose()
    assert not once(database)["held"]


@pytest.mark.parametrize(
    "words",
    [
        ("--policy", "uniform"),
        ("--wait", "soon"),
        ("--lease", "0"),
        ("--reward", "nothing"),
        ("--tenant", "No Such!"),
        ("--name", ""),
    ],
)
def test_a_mistake_is_told(database: str, words: tuple[str, str]) -> None:
    with pytest.raises(UserError):
        once(database, *words)


@pytest.mark.slow
@pytest.mark.acceptance
def test_a_learner_that_is_killed_again_and_again_comes_to_the_same_bits(
    tmp_path: Path, database: str
) -> None:
    store = Store(open_engine(database))
    store.keep(list(traffic(12_000)))
    store.close()
    calm = tmp_path / "calm.db"
    shutil.copy(tmp_path / "authopt.db", calm)
    once(f"sqlite:///{calm}", *NEVER)
    rng = random.Random(7)
    command = [sys.executable, "-c", LEARN, *OPTIONS, "--database", database, "--once"]
    kills = 0
    while True:
        process = subprocess.Popen(
            [*command, *NEVER, "--lease", "1s", "--every", "1s"],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        # It says so when it has the lease, or that another one has it, and ends.
        told = process.stderr.readline()
        timer = threading.Timer(rng.uniform(0.0, 1.0), process.send_signal, (signal.SIGKILL,))
        if b"learning as" in told and kills < 3:
            timer.start()
        process.stderr.close()
        ended = process.wait(60)
        timer.cancel()
        kills += ended == -signal.SIGKILL
        if ended == 0 and b"learning as" in told:
            break
    assert kills == 3
    assert _saved(database) == _saved(f"sqlite:///{calm}")


def _saved(database: str) -> tuple[str, bytes]:
    engine = open_engine(database)
    with engine.connect() as connection:
        cursor, state = connection.execute(select(learners.c.cursor, learners.c.state)).one()
    engine.dispose()
    return cursor, state
