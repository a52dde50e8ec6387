"""Searching decisions finds what a look at every one of them would, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from service.console import decision_search
from service.console.decision_search import SHOWN, Found, Place, Wanted, by_id, newest
from service.store.engine import open_engine
from service.store.migrate import migrate
from service.store.store import Store
from tests.service.summaries.recorded import START_US, activation, decision, outcome

N = 260
SECOND_US = 1_000_000


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path: Path = tmp_path_factory.mktemp("search") / "authopt.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    store = Store(engine)
    store.keep(
        [
            decision(
                f"d{number}",
                f"p{number // 2}",
                attempt=number % 2 + 1,
                # Four at the same time, so that the place must tell them apart.
                at_us=START_US + number // 4 * SECOND_US,
                route=("adyen", "checkout", "nuvei")[number % 3],
                fallback="late" if number % 7 == 0 else None,
                deferred=number % 11 == 0,
                arm=("live", "new")[number % 2] if number % 5 == 0 else None,
                issuer=f"bank{number % 4}" if number % 4 else None,
            )
            for number in range(N)
        ]
    )
    store.keep([decision("other", "p1", tenant="acme", at_us=START_US)])
    store.keep(
        [
            outcome(
                f"d{number}", approved=number % 3 > 0, response_code="00" if number % 3 else "51"
            )
            for number in range(0, N, 2)
        ]
    )
    store.keep([activation(f"d{number}", "worldpay") for number in range(0, N, 22)])
    yield engine
    engine.dispose()


def every(engine: Engine, wanted: Wanted) -> list[Found]:
    """All pages, one after the other."""
    found: list[Found] = []
    before: Place | None = None
    with engine.connect() as connection:
        while True:
            look = newest(connection, "default", wanted, before)
            found += look.found
            assert len(look.found) <= SHOWN
            if look.onward is None:
                return found
            before = look.onward


def ids(found: list[Found]) -> list[str]:
    return [each.row.decision_id for each in found]


def test_without_a_wish_all_come_once_newest_first(engine: Engine) -> None:
    found = every(engine, Wanted())
    assert ids(found) == [f"d{number}" for number in reversed(range(N))]


WISHES = st.builds(
    Wanted,
    since_us=st.none() | st.integers(START_US, START_US + 70 * SECOND_US),
    until_us=st.none() | st.integers(START_US, START_US + 70 * SECOND_US),
    route=st.none() | st.sampled_from(["adyen", "worldpay", "nowhere"]),
    attempt=st.none() | st.integers(1, 2),
    arm=st.none() | st.sampled_from(["live", "new"]),
    fallback=st.none() | st.booleans(),
    outcome=st.none() | st.sampled_from(["approved", "declined", "none"]),
    code=st.none() | st.sampled_from(["00", "51"]),
    context=st.sampled_from([{}, {"issuer": "bank1"}, {"issuer": ""}]),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(wanted=WISHES, rows=st.sampled_from([3, 17, 1_000]))
def test_pages_hold_what_is_wanted_and_nothing_else(
    engine: Engine, wanted: Wanted, rows: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # However few rows a look reads, the next one goes on where it ended.
        patch.setattr(decision_search, "_AT_ONCE", rows)
        patch.setattr(decision_search, "LOOKED_THROUGH", 4 * rows)
        found = ids(every(engine, wanted))
    assert found == [f"d{number}" for number in reversed(range(N)) if fits(number, wanted)]


def fits(number: int, wanted: Wanted) -> bool:
    at_us = START_US + number // 4 * SECOND_US
    route = "worldpay" if number % 22 == 0 else ("adyen", "checkout", "nuvei")[number % 3]
    told = number % 2 == 0
    outcome = ("approved" if number % 3 else "declined") if told else "none"
    code = ("00" if number % 3 else "51") if told else None
    arm = ("live", "new")[number % 2] if number % 5 == 0 else None
    issuer = f"bank{number % 4}" if number % 4 else ""
    return (
        (wanted.since_us is None or at_us >= wanted.since_us)
        and (wanted.until_us is None or at_us < wanted.until_us)
        and wanted.route in (None, route)
        and wanted.attempt in (None, number % 2 + 1)
        and wanted.arm in (None, arm)
        and wanted.fallback in (None, number % 7 == 0)
        and wanted.outcome in (None, outcome)
        and wanted.code in (None, code)
        and wanted.context.get("issuer", issuer) == issuer
    )


def test_an_id_is_found_whole_and_by_its_beginning_among_the_own_ones(engine: Engine) -> None:
    with engine.connect() as connection:
        assert ids(by_id(connection, "default", "p7"))[:2] == ["d15", "d14"]
        begun = by_id(connection, "default", "p12")
        assert {each.row.payment_id for each in begun} == {"p12", *(f"p12{n}" for n in range(10))}
        assert ids(by_id(connection, "default", "d259")) == ["d259"]
        assert by_id(connection, "default", "other") == []
        assert by_id(connection, "default", "%") == []
