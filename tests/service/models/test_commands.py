"""``authopt models`` at the prompt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from authopt.errors import UserError
from service.models.commands import models
from service.store.changes import history
from service.store.engine import open_engine
from tests.service.models.models_to_add import policy_file


@pytest.fixture
def database(tmp_path: Path, migrated_file: Path) -> str:
    path = tmp_path / "authopt.db"
    shutil.copy(migrated_file, path)
    return f"sqlite:///{path}"


def run(database: str, *words: str) -> Any:
    """What the command answers as JSON."""
    arguments = [*words, "--database", database, "--json"]
    result = CliRunner().invoke(models, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_model_goes_from_a_file_to_live_and_back(tmp_path: Path, database: str) -> None:
    report = tmp_path / "report.json"
    report.write_text('{"verdict": "better"}')
    made = run(database, "add", policy_file(tmp_path / "m"), "--evaluation", str(report))
    assert made["new"]
    sha256 = made["sha256"]
    assert run(database, "show", sha256[:10])["lineage"]["evaluation"] == [{"verdict": "better"}]
    told = run(database, "promote", sha256[:10], "--override", "--reason", "trusted")
    assert told == {
        "live": {"spec": made["spec"], "sha256": sha256},
        "pinned": False,
        "killed": False,
    }
    assert run(database, "list")["models"][0]["live"]
    assert run(database, "pin", "--reason", "peak")["pinned"]
    assert run(database, "kill", "--reason", "fire")["killed"]
    assert not run(database, "revive")["killed"]
    assert not run(database, "unpin")["pinned"]
    assert run(database, "rollback", "--no-pin", "--reason", "worse")["live"] is None
    assert run(database, "retire", sha256[:10])["live"] is None
    assert run(database, "list")["models"][0]["retired"]
    engine = open_engine(database)
    with engine.connect() as connection:
        told = history(connection, "default", "policy", "live")
    engine.dispose()
    assert [each.reason for each in told] == ["Gate overridden: trusted", "peak", "", "worse"]
    assert all(each.actor.startswith("authopt models (") for each in told)


def test_a_policy_without_files_is_promoted_by_its_spec(database: str) -> None:
    words = "promote", "--spec", "uniform", "--override", "--reason", "gather data"
    assert run(database, *words)["live"]["spec"] == "uniform"


def test_for_people_it_says_what_is_live(tmp_path: Path, database: str) -> None:
    sha256 = run(database, "add", policy_file(tmp_path / "m"))["sha256"]
    run(database, "kill")
    result = CliRunner().invoke(models, ["list", "--database", database])
    assert sha256[:12] in result.stdout
    assert "live: the policy that the service was started with" in result.stdout
    assert "kill switch is on" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("promote",),
        ("promote", "abcdef"),
        ("promote", "--spec", "vw:/etc/passwd", "--override", "--reason", "why not"),
        ("promote", "--spec", "uniform", "--reason", "gather data"),
        ("promote", "--spec", "uniform", "--override"),
        ("rollback",),
        ("show", "abcdef"),
        ("add", "uniform"),
        ("kill", "--tenant", "No Such!"),
        ("kill", "--reason", "card 4111111111111111"),
    ],
)
def test_a_mistake_is_told(database: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UserError):
        CliRunner().invoke(models, [*words, "--database", database], catch_exceptions=False)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="authopt serve"):
        run(f"sqlite:///{tmp_path / 'none.db'}", "list")
    assert not (tmp_path / "none.db").exists()
