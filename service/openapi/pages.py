"""``GET /openapi.json`` and ``GET /docs``: the description, for machines and for people."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from flask import Blueprint, Response
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from service.openapi.description import description
from service.openapi.schema_rows import rows_of

JSON = "application/json"
_CODE = re.compile(r"`([^`]+)`")


def description_blueprint() -> Blueprint:
    """The endpoints, for an app."""
    blueprint = Blueprint("description", __name__)

    @blueprint.get("/openapi.json")
    def machine() -> Response:
        return Response(_document(), content_type=JSON)

    @blueprint.get("/docs")
    def page() -> Response:
        html, policy = _page()
        answer = Response(html, content_type="text/html; charset=utf-8")
        answer.headers["Content-Security-Policy"] = policy
        return answer

    return blueprint


@cache
def _document() -> bytes:
    return msgspec.json.encode(description())


@cache
def _page() -> tuple[str, str]:
    """The page, and the policy that allows its own stylesheet and nothing else."""
    style = files("authopt.look").joinpath("style.css").read_text()
    style += files("service.openapi").joinpath("docs.css").read_text()
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(rows_of=rows_of, curl=curl, pretty=_pretty, with_code=_with_code)
    template = files("service.openapi").joinpath("docs.html").read_text()
    html = environment.from_string(template).render(about=description(), style=style)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return html, (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def curl(method: str, path: str, operation: dict[str, Any]) -> str:
    """A command line that asks an operation."""
    query = [
        f"{one['name']}={one['schema']['default']}"
        for one in operation.get("parameters", [])
        if one["in"] == "query" and "default" in one["schema"]
    ]
    address = f"http://127.0.0.1:8000{path}" + (f"?{'&'.join(query)}" if query else "")
    lines = [f"curl -X {method.upper()} '{address}'" if method != "get" else f"curl '{address}'"]
    if operation["security"] != [{}]:
        lines.append('-H "Authorization: Bearer $AUTHOPT_KEY"')
    body = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("example")
    if body is not None:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d '{json.dumps(body)}'")
    return " \\\n  ".join(lines)


def _with_code(text: str) -> Markup:
    """The description's backticks (it is Markdown) as elements."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2)
