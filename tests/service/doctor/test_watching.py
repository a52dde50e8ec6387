"""``authopt doctor`` says who should be watched over and is not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from service.doctor.finding import Finding, State
from service.doctor.watching import check_watch
from service.people.roles import Role
from service.people.users import add_user
from service.settings import Settings
from service.store.changes import changing
from service.store.engine import open_engine
from service.store.lease import RowLease
from service.store.store import Store
from service.store.tables import watchers
from service.summaries.duty import add_up
from service.trials.operating import WantedPolicy, start_canary
from service.trials.shadowing import turn_on
from service.trials.trial import CANARY, PAYMENT, Trial
from tests.service.in_process import settings_in
from tests.service.summaries.recorded import NOW_US, decision, outcome

HOUR_US = 3_600_000_000
LONG_US = 100 * 365 * 24 * HOUR_US
CONFIG = """policy = "uniform"
routes = ["adyen"]
[alarms.webhooks.on-call]
url = "https://example.com/hook"
"""


@pytest.fixture
def engine(tmp_path: Path, migrated_file: Path) -> Iterator[Engine]:
    shutil.copy(migrated_file, tmp_path / "authopt.db")
    engine = open_engine(f"sqlite:///{tmp_path / 'authopt.db'}")
    yield engine
    engine.dispose()


def looked(
    engine: Engine, settings: Settings | None = None, config: Path | None = None
) -> dict[str, Finding]:
    with engine.connect() as connection:
        return {each.point: each for each in check_watch(connection, settings, config)}


def canary(engine: Engine, tenant: str = "default") -> None:
    trial = Trial(CANARY, CANARY, "", (), PAYMENT, 0.05, "", wait_s=3_600)
    wanted = WantedPolicy("priority:routes=adyen,epsilon=0.05")
    start_canary(engine, tenant, "ann", trial, wanted, "does it earn more?")


def held(engine: Engine, tenant: str = "default", until_us: int = LONG_US) -> None:
    RowLease(watchers, {"tenant": tenant}, "host:7:secret", until_us).take(engine, 0)


def test_where_nothing_needs_it_nobody_has_to_watch(engine: Engine, tmp_path: Path) -> None:
    assert looked(engine)["watch"].state is State.OK
    found = looked(engine, settings_in(tmp_path))["watch of default"]
    assert (found.state, found.mend) == (State.OK, "")


def test_a_canary_that_nobody_watches_fails_and_the_command_is_told(
    engine: Engine, tmp_path: Path
) -> None:
    canary(engine)
    found = looked(engine)["watch of default"]
    assert found.state is State.FAIL
    assert "not rolled back" in found.found
    assert "authopt watch --tenant default" in found.mend
    held(engine, until_us=HOUR_US)
    assert "since 1970-01-01 01:00 UTC" in looked(engine)["watch of default"].found
    held(engine)
    found = looked(engine)["watch of default"]
    assert (found.state, found.mend) == (State.OK, "")
    assert "host:7 watches" in found.found
    assert "secret" not in found.found


def test_each_merchant_needs_its_own(engine: Engine) -> None:
    canary(engine)
    canary(engine, "acme")
    held(engine)
    states = {point: each.state for point, each in looked(engine).items()}
    assert states == {"watch of acme": State.FAIL, "watch of default": State.OK}


def test_shadows_and_people_are_worth_a_warning(engine: Engine) -> None:
    wanted = WantedPolicy("priority:routes=adyen,epsilon=0.1")
    turn_on(engine, "default", "ann", "careful", wanted, "what would it do?")
    with changing(engine) as connection:
        add_user(connection, "kim", "acme", Role.VIEWER, "four quiet green lamps", actor="test")
    found = looked(engine)
    assert {each.state for each in found.values()} == {State.WARN}
    assert "the shadow careful" in found["watch of default"].found
    assert "the console's figures" in found["watch of acme"].found


def test_channels_of_alarms_need_a_watch_and_a_section_that_it_can_read(
    engine: Engine, tmp_path: Path
) -> None:
    config, settings = tmp_path / "service.toml", settings_in(tmp_path)
    config.write_text(CONFIG)
    found = looked(engine, settings, config)["watch of default"]
    assert found.state is State.FAIL
    assert "no alarm is raised for on-call" in found.found
    assert str(config) in found.mend
    config.write_text(CONFIG.replace("url", "address"))
    assert looked(engine, settings, config)["alarms of default"].state is State.FAIL


def test_one_that_falls_behind_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(engine)
    store.keep([decision(), outcome(approved=True)])
    held(engine)
    assert "2 records behind" in looked(engine)["watch of default"].found
    monkeypatch.setattr("service.doctor.watching.BEHIND_WARN", 1)
    assert looked(engine)["watch of default"].state is State.WARN
    while add_up(engine, "default", NOW_US):
        pass
    found = looked(engine)["watch of default"]
    assert found.state is State.OK
    assert "0 records behind, caught up last at " in found.found
