"""Spans of requests for OpenTelemetry, where the environment names somebody who takes them.

Off unless ``OTEL_EXPORTER_OTLP_ENDPOINT`` or ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` is set. A span
tells of a request what the metrics tell: its rule, method and status, and the merchant; nothing of
its address, headers or body, which may hold anything. Spans are sent by a thread of their own, and
dropped where they are not taken.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

from authopt import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Tracer

_log = logging.getLogger(__name__)

TRACING = "authopt.tracing"
"""Key of ``app.extensions`` under which the way out of the spans stands, where there is one."""

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_SPAN = "authopt.span"
_CARRIED = ("traceparent", "tracestate")


def trace_if_asked(app: Flask, environ: Mapping[str, str] = os.environ) -> None:
    """Trace an app's requests where the environment asks for it.

    A package that is missing is told in the log and keeps nothing from being decided.
    """
    if not any(environ.get(name) for name in ENDPOINTS):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        _log.error(
            "no traces: the package %r is not installed. Install it with: "
            "pip install 'authopt[otel]'",
            error.name,
        )
        return
    trace(app, BatchSpanProcessor(OTLPSpanExporter()))


def trace(app: Flask, processor: SpanProcessor) -> None:
    """Trace every request of an app; ``processor`` takes the spans."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    resource = Resource.create({"service.name": "authopt", "service.version": __version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(processor)
    app.extensions[TRACING] = provider
    _follow(app, provider.get_tracer("authopt", __version__))


def end_tracing(app: Flask) -> None:
    """Send what waits, and end."""
    provider: TracerProvider | None = app.extensions.get(TRACING)
    if provider is not None:
        provider.shutdown()


def _follow(app: Flask, tracer: Tracer) -> None:
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    extract: Callable[..., Any] = TraceContextTextMapPropagator().extract

    @app.before_request
    def _begin() -> None:
        carried = {name: value for name in _CARRIED if (value := request.headers.get(name))}
        request.environ[_SPAN] = tracer.start_span(
            request.method if request.url_rule else "none",
            extract(carried) if carried else None,
            SpanKind.SERVER,
        )

    @app.after_request
    def _end(answer: Response) -> Response:
        span = request.environ.pop(_SPAN, None)
        if span is not None:
            if request.url_rule is not None:
                span.update_name(f"{request.method} {request.url_rule.rule}")
                span.set_attribute("http.request.method", request.method)
                span.set_attribute("http.route", request.url_rule.rule)
            span.set_attribute("http.response.status_code", answer.status_code)
            if "caller" in g:
                span.set_attribute("authopt.tenant", g.caller.tenant)
            span.end()
        return answer
