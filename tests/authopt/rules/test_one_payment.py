"""One decision from plain values, from a request, from a log: the same as the product sees it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authopt.actions import STOP, Action
from authopt.batch import Categorical
from authopt.errors import UserError
from authopt.logs.files import write_log
from authopt.rules.one_payment import (
    from_log,
    from_request,
    minor_units,
    offered,
    one_decision,
    read_value,
    with_actions,
)
from tests.factories import logged_batch

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFFER = offered(["adyen"], [0])
PAN = "4111 1111 1111 1111"


def request(folder: Path, **changes: Any) -> Path:
    body = {"payment_id": "p1", "attempt": 2, "context": {"network": "visa", "token": True}}
    path = folder / "request.json"
    path.write_text(json.dumps(body | changes))
    return path


def test_every_route_is_offered_after_every_delay_and_stop_last() -> None:
    assert offered(["a", "b"], [0, 60]) == [
        Action("a"),
        Action("a", 60),
        Action("b"),
        Action("b", 60),
        STOP,
    ]
    assert offered(["a", "a", "stop"], [0, 0]) == [Action("a"), STOP]


def test_a_request_is_read_as_the_service_reads_it(tmp_path: Path) -> None:
    asked = request(
        tmp_path,
        decision_id="d1",
        decided_at="2026-03-01T13:00:00+01:00",
        actions=[
            {"route": "zoop", "delay_s": 60, "features": {"attempts_this_month": 7}},
            {"route": "stop"},
        ],
    )
    batch = from_request(asked, OFFER)
    assert (batch.decision_id[0].as_py(), batch.payment_id[0].as_py()) == ("d1", "p1")
    assert batch.decided_at[0] == np.datetime64("2026-03-01T12:00:00")
    assert batch.actions(0) == [Action("zoop", 60), STOP]
    counts = batch.action_features["attempts_this_month"]
    assert np.array_equal(np.asarray(counts), [7.0, np.nan], equal_nan=True)
    network = batch.context["network"]
    assert isinstance(network, Categorical)
    assert network.values() == ["visa"]


def test_a_request_without_actions_is_offered_the_routes(tmp_path: Path) -> None:
    assert from_request(request(tmp_path), OFFER).actions(0) == OFFER


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attempt": "two"}, "Expected `int`"),
        ({"attempt": 0}, "attempt is 0; expected at least 1"),
        ({"contxt": {}}, "unknown field `contxt`"),
        ({"context": {"netwrk": "visa"}}, "'netwrk' is no column .*; did you mean 'network'"),
        ({"context": {"network": "vista"}}, "network is 'vista'; expected one of visa"),
        ({"context": {"network": 3}}, "network is 3; expected a text"),
        ({"context": {"currency": "euro"}}, "currency is 'euro'; expected an ISO 4217 code"),
        ({"context": {"token": "yes"}}, "token is 'yes'; expected true or false"),
        ({"context": {"local_hour": 24}}, "local_hour is 24; expected 0 to 23"),
        ({"context": {"amount_minor": 1.5}}, "amount_minor is 1.5; expected a whole number"),
        ({"context": {"amount_minor": "9"}}, "amount_minor is '9'; expected a number"),
        ({"context": {"x_list": [1]}}, r"x_list is \[1\]; expected a text, a number"),
        ({"context": {"card_ref": PAN}}, "holds what looks like a card number"),
        ({"decided_at": "2026-03-01T12:00:00"}, "decided_at has no zone"),
        ({"actions": [{"route": "a"}, {"route": "a"}]}, "expected one or more actions, each once"),
        ({"actions": [{"route": "stop", "delay_s": 5}]}, "'stop' has no delay"),
    ],
)
def test_a_fault_of_a_request_names_the_file_and_the_field(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        from_request(request(tmp_path, **changes), OFFER)
    assert "request.json" in str(caught.value)
    assert "4111" not in str(caught.value)


def test_what_is_no_json_or_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json: cannot be read"):
        from_request(tmp_path / "none.json", OFFER)
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UserError, match=r"bad\.json: no request of a decision"):
        from_request(tmp_path / "bad.json", OFFER)


def test_a_decision_of_a_log_has_the_actions_that_were_eligible(tmp_path: Path) -> None:
    log = logged_batch(40, with_stop=True)
    write_log(tmp_path / "log.parquet", [log])
    batch = from_log(tmp_path / "log.parquet", "d0-17")
    assert batch.n == 1
    assert batch.payment_id[0].as_py() == "p0-8"
    assert batch.actions(0) == log.actions(17)
    other = with_actions(batch, OFFER)
    assert other.actions(0) == OFFER
    assert other.context.keys() == batch.context.keys()


def test_a_decision_that_a_log_does_not_have_is_named(tmp_path: Path) -> None:
    write_log(tmp_path / "log.parquet", [logged_batch(10)])
    with pytest.raises(UserError, match=r"log\.parquet: has no decision 'd9'"):
        from_log(tmp_path / "log.parquet", "d9")


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("49.90", "EUR", 4990), ("500", "JPY", 500), ("1", "BHD", 1000)],
)
def test_an_amount_goes_by_the_decimals_of_its_currency(
    amount: str, currency: str, minor: int
) -> None:
    assert minor_units(Decimal(amount), currency) == minor


@pytest.mark.parametrize(("amount", "currency"), [("1.5", "JPY"), ("-1", "EUR"), ("1", "XXQ")])
def test_an_amount_that_the_currency_does_not_have_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(UserError):
        minor_units(Decimal(amount), currency)


def test_text_becomes_what_its_column_holds() -> None:
    assert read_value("mcc", "5732") == "5732"
    assert read_value("local_hour", "7") == 7.0
    assert read_value("x_data_updated", "true") is True
    assert read_value("x_shop", "north") == "north"
    with pytest.raises(UserError, match="local_hour is 'noon'; expected a number"):
        read_value("local_hour", "noon")


def test_an_empty_offer_is_refused() -> None:
    with pytest.raises(UserError, match="expected one or more actions"):
        one_decision({}, [], 1, NOW)
