"""What a page shows can be taken as CSV and JSON, from the same rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.console.exports import as_csv
from service.console.tables import Column, Table
from tests.service.console.sample_page import TABLE, with_sample
from tests.service.console.visits import signed_in
from tests.service.in_process import running, settings_in


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with running(settings_in(tmp_path_factory.mktemp("console"))) as app:
        yield with_sample(app)


@pytest.fixture
def visit(lasting: Flask) -> FlaskClient:
    return signed_in(lasting)


def test_json_holds_every_table_with_plain_values(visit: FlaskClient) -> None:
    answer = visit.get("/console/sample?format=json")
    assert answer.content_type == "application/json"
    tables = json.loads(answer.data)
    assert tables["degraded"] == []
    first, second = tables["routes"]
    assert first["approved"] == 0.8912
    assert first["since"] == "2026-03-01T00:00:00+00:00"
    assert (second["note"], second["secret"]) == (None, 2)


def test_csv_holds_one_table_with_the_columns_of_the_page_and_those_for_machines(
    visit: FlaskClient,
) -> None:
    answer = visit.get("/console/sample?format=csv&table=routes")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="sample-routes.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(rows[0]) == [column.key for column in TABLE.columns]
    assert [float(row["approved"]) for row in rows] == [row["approved"] for row in TABLE.rows]
    assert visit.get("/console/sample?format=csv").text == answer.text
    assert visit.get("/console/sample?format=csv&table=degraded").text == "route\r\n"


def test_the_page_links_to_both(visit: FlaskClient) -> None:
    html = visit.get("/console/sample?network=visa").text
    assert 'href="/console/sample?network=visa&amp;format=csv&amp;table=routes"' in html
    assert 'href="/console/sample?network=visa&amp;format=json"' in html


@pytest.mark.parametrize("query", ["format=xml", "format=csv&table=none", "format="])
def test_another_form_or_table_is_refused(visit: FlaskClient, query: str) -> None:
    answer = visit.get(f"/console/sample?{query}")
    assert answer.status_code == 422
    assert "expected one of" in answer.text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_spreadsheet_calculates_nothing_of_a_text(text: str) -> None:
    table = Table("t", "t", (Column("a", "a"), Column("b", "b")), [{"a": text, "b": -1.5}])
    rows = list(csv.reader(io.StringIO(as_csv(table), newline="")))
    assert rows[1] == [f"'{text}", "-1.5"]


def test_what_is_within_a_value_is_json_within_csv() -> None:
    table = Table("t", "t", (Column("a", "a"),), [{"a": {"x": [1, None]}}])
    assert next(csv.DictReader(io.StringIO(as_csv(table))))["a"] == '{"x":[1,null]}'
