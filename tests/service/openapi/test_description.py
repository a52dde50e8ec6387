"""The description says what there is, no more and no less, and says it as OpenAPI 3.1 wants."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.openapi.description import description
from service.openapi.operation import Operation
from service.openapi.operations import OPERATIONS
from service.people.admission import CONSOLE
from service.security.guard import path_of

JSON = "application/json"
BY_PATH = {(each.method, each.path): each for each in OPERATIONS}
WITH_EXAMPLE = [each for each in OPERATIONS if each.example is not None and "{" not in each.path]


def schema_of(content: dict[str, Any]) -> dict[str, Any]:
    """A schema with what it refers to, to be checked by itself."""
    document = description()
    return {**content["schema"], "components": document["components"]}


def operation_in(document: dict[str, Any], each: Operation) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][each.path][each.method.lower()]
    return found


def test_every_endpoint_but_those_for_people_is_described_and_nothing_else(app: Flask) -> None:
    there = {
        (method, path_of(rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith(CONSOLE)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert there == set(BY_PATH)


def test_names_are_unique() -> None:
    assert len({each.name for each in OPERATIONS}) == len(OPERATIONS)


def test_every_variable_of_a_path_is_a_parameter() -> None:
    for each in OPERATIONS:
        named = {one.name for one in each.parameters if one.place == "path"}
        assert named == set(re.findall(r"{(\w+)}", each.path)), each.name


def test_every_reference_leads_somewhere_and_every_pattern_is_portable() -> None:
    document = description()
    schemas = document["components"]["schemas"]
    waiting: list[Any] = [document]
    seen = 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                assert value["$ref"].removeprefix("#/components/schemas/") in schemas
                seen += 1
            if isinstance(value.get("pattern"), str):
                assert not re.search(r"\\[AZ]", value["pattern"])
                re.compile(value["pattern"])
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    assert seen > 50


def test_every_schema_is_a_schema_of_the_dialect_of_openapi_3_1() -> None:
    for schema in description()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("each", WITH_EXAMPLE, ids=lambda each: each.name)
def test_examples_fit_their_schemas_and_are_answered_as_described(
    client: FlaskClient, each: Operation
) -> None:
    told = operation_in(description(), each)
    body = told["requestBody"]["content"][JSON]
    jsonschema.validate(each.example, schema_of(body), cls=jsonschema.Draft202012Validator)
    answer = client.open(each.path, method=each.method, json=each.example)
    if answer.status_code == each.status:
        content = told["responses"][str(each.status)]["content"][JSON]
        check = schema_of(content)
        jsonschema.validate(answer.get_json(), check, cls=jsonschema.Draft202012Validator)
        if each.answer_example is not None:
            jsonschema.validate(each.answer_example, check, cls=jsonschema.Draft202012Validator)
    else:
        # Nothing to roll back to, for one; but a refusal that is described.
        assert str(answer.status_code) in told["responses"], answer.get_data(as_text=True)
        assert answer.status_code == 409


class Page(HTMLParser):
    """What a browser would load or run, and where links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.ids |= {given["id"] or ""} if "id" in given else set()
        self.links |= {given["href"] or ""} if "href" in given else set()
        assert "src" not in given
        assert "style" not in given
        assert not any(name.startswith("on") for name in given)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_neither_scripts_nor_the_internet(client: FlaskClient) -> None:
    answer = client.get("/docs")
    text = answer.get_data(as_text=True)
    page = Page(text)
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    assert "http://" not in text.replace("http://127.0.0.1:8000", "")
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text


def test_the_page_shows_every_operation_with_a_command_that_asks_it(client: FlaskClient) -> None:
    text = client.get("/docs").get_data(as_text=True)
    for each in OPERATIONS:
        assert f'id="{each.name}"' in text
    assert text.count("<pre><code>curl ") == len(OPERATIONS)
    assert "&#39;{&#34;decision_id&#34;: &#34;d-7001&#34;" in text


def test_what_is_served_is_what_is_described(client: FlaskClient) -> None:
    assert client.get("/openapi.json").get_json() == description()
