"""Traces for OpenTelemetry: a span a request, which tells nothing that a caller sent."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from service.tracing import TRACING, end_tracing, trace, trace_if_asked
from tests.service.in_process import ask, request_body, running, settings_in

pytest.importorskip("opentelemetry.sdk")

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PAN = "4111111111111111"


def test_a_decision_is_one_span_of_the_callers_trace(tmp_path: Path) -> None:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans = InMemorySpanExporter()
    with running(settings_in(tmp_path)) as app:
        trace(app, SimpleSpanProcessor(spans))
        client = app.test_client()
        head = {"traceparent": PARENT}
        assert client.post("/v1/decisions", json=request_body(), headers=head).status_code == 200
        assert client.get(f"/v1/payments/{PAN}?q={PAN}").status_code >= 400
        assert ask(client, {"payment_id": PAN}).status_code >= 400
        end_tracing(app)
    one, *others = spans.get_finished_spans()
    assert one.name == "POST /v1/decisions"
    assert f"{one.context.trace_id:032x}" == PARENT.split("-")[1]
    assert dict(one.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/decisions",
        "http.response.status_code": 200,
        "authopt.tenant": "default",
    }
    assert one.resource.attributes["service.name"] == "authopt"
    assert PAN not in "".join(each.to_json() for each in others)


def test_nothing_is_traced_unless_the_environment_says_where_to(tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as app:
        trace_if_asked(app, {})
        assert TRACING not in app.extensions
        end_tracing(app)


def test_spans_that_nobody_takes_cost_no_decision(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    with running(settings_in(tmp_path)) as app, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        patch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        trace_if_asked(app)
        assert TRACING in app.extensions
        assert ask(app.test_client(), request_body()).get_json()["recorded"] is True
        end_tracing(app)
