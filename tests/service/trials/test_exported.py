"""What a trial recorded is read from its exported log as its watcher reads it from the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from authopt.experiments.commands import experiment as experiment_command
from service.export_command import export
from service.store.export import logged_batches
from service.trials.duty import judge_trials
from service.trials.trial import Arm
from tests.service.live.test_following import engine_of
from tests.service.trials.running import experiment, run
from tests.service.trials.test_duty import HOUR_US, decide_all, found, now_us, tell_all


def test_the_log_of_an_experiment_reads_as_the_watch_does(
    app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    engine = engine_of(app)
    trial = experiment(Arm("a", "live"), Arm("b", "live", weight=2), wait_s=3600)
    run(app, engine, trial)
    answers = decide_all(client, range(300))
    tell_all(client, answers, {"a": 0.9, "b": 0.6})
    judge_trials(engine, "default", now_us() + HOUR_US + 1)
    watched = found(engine, trial)["reading"]
    log = tmp_path / "log.parquet"
    database = str(engine.url)
    done = CliRunner().invoke(export, ["--database", database, "--out", str(log)])
    assert done.exit_code == 0, done.output
    read = CliRunner().invoke(experiment_command, ["read", str(log), "--arms", "a=1,b=2", "--json"])
    assert read.exit_code == 0, read.output
    told = json.loads(read.stdout)
    told = told.get("reading", told)
    assert told["units"] == watched["units"]
    assert told["differences"][0]["estimate"] == pytest.approx(
        watched["differences"][0]["estimate"]
    )
    assert told["differences"][0]["lower"] == pytest.approx(watched["differences"][0]["lower"])


def test_a_log_without_trials_has_no_columns_for_them(
    app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    decide_all(client, range(3))
    (batch,) = logged_batches(engine_of(app))
    assert not {"x_experiment", "x_arm"} & batch.context.keys()
