"""Each unsound row becomes one rejection that says what is wrong; its neighbours go on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.logs.arrow import from_arrow, to_arrow
from authopt.logs.chunks import Chunk
from authopt.logs.conform import conform
from authopt.logs.findings import Findings
from authopt.logs.rejects import Rejection, Rejects
from authopt.logs.validate import sound_records
from tests.authopt.logs.log_cases import RECORDS, with_column
from tests.factories import logged_batch

SMALL = to_arrow(logged_batch(6, with_stop=True))
CARD = "4111 1111 1111 1111"


def check(records: pa.RecordBatch, first: int = 1) -> tuple[pa.RecordBatch, Rejects]:
    findings = Findings("log.parquet", np.arange(first, first + len(records)))
    rejects = Rejects()
    chunk = Chunk(conform(records, findings), findings)
    return sound_records(chunk, rejects), rejects


def changed(name: str, row: int, value: Any) -> pa.RecordBatch:
    """The small log with one value changed."""
    field = SMALL.schema.field(name) if name in SMALL.schema.names else None
    data = SMALL[name].to_pylist() if field is not None else [None] * len(SMALL)
    data[row] = value
    return with_column(SMALL, name, pa.array(data, None if field is None else field.type))


ROUTES = ["adyen", "braintree", "checkout", "stop"]

UNSOUND = [
    ("decision_id", None, "is missing"),
    ("decision_id", "", "is empty"),
    ("payment_id", None, "is missing"),
    ("payment_id", "", "is empty"),
    ("payment_id", f"p {CARD}", "looks like a card number"),
    ("attempt", None, "is missing"),
    ("attempt", 0, "expected at least 1"),
    ("decided_at", None, "is missing"),
    ("decided_at", datetime(1970, 1, 1, tzinfo=UTC), "from 2000 to 2100"),
    ("decided_at", datetime(2100, 1, 1, tzinfo=UTC), "from 2000 to 2100"),
    ("eligible_route", None, "is missing"),
    ("eligible_route", [], "at least one action"),
    ("eligible_route", ["adyen", "adyen", "checkout", "stop"], "the same action"),
    ("eligible_route", ["adyen", None, "checkout", "stop"], "a missing value among its actions"),
    ("eligible_route", ["adyen", "", "checkout", "stop"], "without a name"),
    ("eligible_route", ["adyen", CARD, "checkout", "stop"], "looks like a card number"),
    ("eligible_delay_s", None, "is missing"),
    ("eligible_delay_s", [0, 0, 0], "another number of values"),
    ("eligible_delay_s", [0, None, 0, 0], "a missing value among its actions"),
    ("eligible_delay_s", [0, -1, 0, 0], "expected 0 to 5184000"),
    ("eligible_delay_s", [0, 5184001, 0, 0], "expected 0 to 5184000"),
    ("eligible_delay_s", [0, 0, 0, 60], "'stop' has the delay 0"),
    ("chosen", None, "is missing"),
    ("chosen", 4, "not among the eligible actions"),
    ("chosen", -1, "not among the eligible actions"),
    ("propensity", 0.0, "above 0 and at most 1"),
    ("propensity", 1.01, "above 0 and at most 1"),
    ("propensity", -np.inf, "above 0 and at most 1"),
    ("propensity", 1e-9, "differs from the eligible_probability"),
    ("eligible_probability", [0.5, 0.5], "another number of values"),
    ("eligible_probability", [0.5, 0.5, None, 0.0], "a missing value among its actions"),
    ("eligible_probability", [0.5, 0.6, -0.1, 0.0], "no probability"),
    ("eligible_probability", [0.5, np.nan, 0.5, 0.0], "no probability"),
    ("eligible_probability", [np.inf, 0.5, 0.5, 0.0], "no probability"),
    ("eligible_probability", [0.5, 0.5, 0.5, 0.0], "does not sum to 1"),
    ("network", "Visa", "expected visa, mastercard"),
    ("funding", "charge", "expected credit, debit"),
    ("initiator", "customer", "expected cit, mit"),
    ("currency", "eur", "ISO 4217"),
    ("bin", "41111", "first 6 to 8 digits"),
    ("bin", "4111111111111111", "looks like a card number"),
    ("card_ref", CARD, "looks like a card number"),
    ("x_note", f"call {CARD}", "looks like a card number"),
    ("x_number", 4111111111111111, "looks like a card number"),
    ("amount_minor", -1, "expected at least 0"),
    ("local_hour", 24, "expected 0 to 23"),
    ("local_day", 0, "expected 1 to 7"),
    ("seconds_since_last_attempt", -1, "expected at least 0"),
    ("latency_ms", -0.5, "expected at least 0"),
    ("reward", np.inf, "finite"),
    ("x_score", -np.inf, "finite"),
    ("outcome_at", datetime(1970, 1, 1, tzinfo=UTC), "from 2000 to 2100"),
]


@pytest.mark.parametrize(("name", "value", "reason"), UNSOUND)
def test_one_unsound_value_rejects_its_row_and_no_other(name: str, value: Any, reason: str) -> None:
    records, rejects = check(changed(name, 2, value), first=101)
    assert rejects.count == 1
    (rejection,) = rejects.examples
    assert (rejection.file, rejection.row, rejection.column) == ("log.parquet", 103, name)
    assert reason in rejection.reason
    assert "1111 1111" not in rejection.value
    assert "1111111111" not in rejection.value
    assert records["decision_id"].to_pylist() == [
        text for i, text in enumerate(SMALL["decision_id"].to_pylist()) if i != 2
    ]
    from_arrow(records)


SOUND = [
    ("propensity", None),
    ("eligible_probability", None),
    ("network", None),
    ("amount_minor", 0),
    ("eligible_delay_s", [0, 5184000, 0, 0]),
    ("bin", "41111111"),
    ("x_number", 1_767_225_600_000),
    ("x_score", np.nan),
    ("reward", -3.5),
    ("decided_at", datetime(2000, 1, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("name", "value"), SOUND)
def test_values_at_the_edge_are_sound(name: str, value: Any) -> None:
    records, rejects = check(changed(name, 2, value))
    assert rejects.examples == []
    assert len(records) == len(SMALL)


def test_the_same_route_with_another_delay_is_another_action() -> None:
    records = changed("eligible_route", 0, ["adyen", "adyen", "checkout", "stop"])
    _, rejects = check(with_column(records, "eligible_delay_s", changed_delays([0, 60, 0, 0])))
    assert rejects.count == 0


def changed_delays(delays: list[int]) -> pa.Array:
    return changed("eligible_delay_s", 0, delays)["eligible_delay_s"]


@pytest.mark.parametrize("count", [3, 17, 40])
def test_repeated_actions_are_found_in_lists_of_any_length(count: int) -> None:
    routes = tuple(f"r{i:02}" for i in range(count))
    records = to_arrow(logged_batch(8, routes=routes))
    lists = records["eligible_route"].to_pylist()
    lists[5][-1] = lists[5][0]
    column = pa.array(lists, records.schema.field("eligible_route").type)
    sound, rejects = check(with_column(records, "eligible_route", column))
    assert [each.row for each in rejects.examples] == [6]
    assert len(sound) == 7


def test_a_row_with_several_faults_is_one_rejection_and_rows_come_in_order() -> None:
    records = changed("network", 4, "Visa")
    records = with_column(records, "attempt", pa.array([1, 0, 1, 2, 0, 1], pa.int32()))
    sound, rejects = check(records)
    assert [(each.row, each.column) for each in rejects.examples] == [
        (2, "attempt"),
        (5, "attempt"),
    ]
    assert len(sound) == 4


def test_strict_stops_at_the_first_unsound_row() -> None:
    findings = Findings("log.parquet", np.arange(1, 7))
    with pytest.raises(UserError, match=r"log\.parquet: row 3, column 'chosen': .*got '9'"):
        sound_records(
            Chunk(conform(changed("chosen", 2, 9), findings), findings), Rejects(strict=True)
        )


def test_text_that_is_not_utf8_rejects_its_row_alone() -> None:
    raw = pa.array([b"a", b"\xff", b"c", b"d", b"e", b"f"], pa.binary()).cast(
        pa.string(), safe=False
    )
    for name in ("payment_id", "x_note"):
        sound, rejects = check(with_column(SMALL, name, raw))
        assert [(each.row, each.value) for each in rejects.examples] == [(2, "\\xff")]
        assert "UTF-8" in rejects.examples[0].reason
        from_arrow(sound)


def test_a_missing_list_per_action_becomes_missing_values() -> None:
    rate = pa.array([[0.1, 0.2, 0.3, 0.4], None, None, [1, 2, 3, 4], None, [5, 6, 7, 8]])
    sound, rejects = check(with_column(SMALL, "eligible_rate", rate))
    assert rejects.count == 0
    batch = from_arrow(sound)
    rates = np.asarray(batch.action_features["rate"]).reshape(6, 4)
    assert np.isnan(rates[[1, 2, 4]]).all()
    np.testing.assert_array_equal(rates[3], [1, 2, 3, 4])


LOSSLESS = [
    ("attempt", pa.int64()),
    ("attempt", pa.uint8()),
    ("attempt", pa.float64()),
    ("chosen", pa.int64()),
    ("decision_id", pa.large_string()),
    ("decision_id", pa.string_view()),
    ("decision_id", pa.dictionary(pa.int16(), pa.large_string())),
    ("network", pa.string()),
    ("network", pa.dictionary(pa.int8(), pa.string())),
    ("decided_at", pa.timestamp("ns", "UTC")),
    ("decided_at", pa.timestamp("ms", "Europe/Berlin")),
    ("decided_at", pa.timestamp("s", "UTC")),
    ("eligible_route", pa.list_(pa.string())),
    ("eligible_route", pa.large_list(pa.large_string())),
    ("eligible_delay_s", pa.list_(pa.int32())),
    ("eligible_delay_s", pa.list_(pa.int64(), 4)),
    ("eligible_probability", pa.large_list(pa.float64())),
    ("amount_minor", pa.float64()),
    ("amount_minor", pa.decimal128(12, 0)),
    ("approved", pa.int8()),
    ("approved", pa.float64()),
]


@pytest.mark.parametrize(("name", "data_type"), LOSSLESS)
def test_other_types_that_hold_the_same_are_accepted(name: str, data_type: pa.DataType) -> None:
    values = SMALL[name].to_pylist()
    if name == "approved":
        values = [int(value) for value in values]
    array = pa.array(values, data_type)
    sound, rejects = check(with_column(SMALL, name, array))
    assert rejects.count == 0
    assert sound.to_pydict() == SMALL.to_pydict()
    assert sound.schema.types == SMALL.schema.types


UNFIT = [
    ("attempt", pa.array([1.0, 1.5, 1, 1, 1, 1]), "expected a whole number"),
    ("attempt", pa.array([1, 2**40, 1, 1, 1, 1]), "at most 2147483647"),
    ("amount_minor", pa.array([1, 2**63, 1, 1, 1, 1], pa.uint64()), "at most 9223372036854775807"),
    ("amount_minor", pa.array([1.0, 1e300, 1, 1, 1, 1]), "expected a whole number"),
    ("approved", pa.array([1, 2, 0, 0, 0, 0]), "expected true or false"),
    ("decided_at", pa.array([10**9, 2**62, *[10**9] * 4], pa.timestamp("s", "UTC")), "2000 to"),
]


@pytest.mark.parametrize(("name", "array", "reason"), UNFIT)
def test_a_value_that_does_not_fit_the_type_rejects_its_row(
    name: str, array: pa.Array, reason: str
) -> None:
    sound, rejects = check(with_column(SMALL, name, array))
    assert [each.row for each in rejects.examples] == [2]
    assert reason in rejects.examples[0].reason
    assert len(sound) == 5


WRONG = [
    ("attempt", pa.array(["1"] * 6), "is of type string; expected int32"),
    ("decided_at", pa.array([0] * 6, pa.timestamp("us")), "without a time zone.*UTC"),
    ("decided_at", pa.array(["2026-01-01"] * 6), "is of type string; expected timestamp"),
    ("eligible_route", pa.array(["adyen"] * 6), "expected a list"),
    ("network", pa.array([["visa"]] * 6), "not a list"),
    ("x_blob", pa.array([b"x"] * 6), "expected text, a number or a boolean"),
    ("approved", pa.array(["yes"] * 6), "is of type string; expected bool"),
]


@pytest.mark.parametrize(("name", "array", "message"), WRONG)
def test_a_column_of_a_wrong_type_is_refused_as_a_whole(
    name: str, array: pa.Array, message: str
) -> None:
    with pytest.raises(UserError, match=rf"log\.parquet: column '{name}'.*{message}"):
        check(with_column(SMALL, name, array))


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_sound_rows_and_rejections_are_all_the_rows(data: st.DataObject) -> None:
    records = RECORDS
    for name in data.draw(st.lists(st.sampled_from(RECORDS.schema.names), max_size=4)):
        array = RECORDS[name]
        picks = data.draw(
            st.lists(st.none() | st.integers(0, 59), min_size=60, max_size=60), label=name
        )
        records = with_column(records, name, array.take(pa.array(picks, pa.int64())))
    sound, rejects = check(records)
    assert len(sound) + rejects.count == 60
    assert len({each.row for each in rejects.examples}) == rejects.count
    batch = from_arrow(sound)
    assert batch.n == len(sound)


def test_a_rejection_reads_as_a_sentence() -> None:
    text = str(Rejection("log.csv", 3, "chosen", "9", "is not among the eligible actions"))
    assert text == "log.csv: row 3, column 'chosen': is not among the eligible actions; got '9'"
