"""``GET /metrics``: what Prometheus reads, right over all workers.

Counters and histograms are added up over the processes by whichever worker is asked. What is the
same for all of them, such as the state of the spool, is looked at when it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.live.live import Live
from service.live.serving import Serving
from service.metrics.folder import VARIABLE
from service.security.caller import Caller, Scope, caller
from service.store.group_commit import GroupCommit
from service.tenants import DEFAULT_TENANT


def metrics_blueprint(live: Live, recorder: GroupCommit) -> Blueprint:
    """The endpoint, for an app.

    A key of the merchant ``default`` with the scope ``admin`` reads everything. Any other reads
    what is its own merchant's: even what is counted over all of them would tell of the others.
    """
    blueprint = Blueprint("metrics", __name__)

    @blueprint.get("/metrics")
    def metrics() -> Response:
        told = CollectorRegistry(auto_describe=False)
        told.register(_Told(live, recorder, None if reads_all(caller()) else caller().tenant))
        return Response(generate_latest(told), content_type=CONTENT_TYPE_LATEST)

    return blueprint


def reads_all(asks: Caller) -> bool:
    """Whether a caller operates the service, rather than one merchant's part of it."""
    return asks.tenant == DEFAULT_TENANT and Scope.ADMIN in asks.scopes


class _Told(Collector):
    """What there is for a merchant, or for ``None``: all."""

    def __init__(self, live: Live, recorder: GroupCommit, tenant: str | None) -> None:
        self._live = live
        self._recorder = recorder
        self._tenant = tenant

    def collect(self) -> Iterator[Metric]:
        for metric in (*_counted(), *_now(self._recorder), *_of_merchants(self._live.servings())):
            if self._tenant is not None:
                metric.samples = [
                    each for each in metric.samples if each.labels.get("tenant") == self._tenant
                ]
            if metric.samples:
                yield metric


def _counted() -> list[Metric]:
    if not os.environ.get(VARIABLE):
        return list(REGISTRY.collect())
    registry = CollectorRegistry(auto_describe=False)
    collector = multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return list(collector.collect())  # type: ignore[no-untyped-call]


def _now(recorder: GroupCommit) -> Iterator[Metric]:
    yield _gauge(
        "authopt_spool_holds_records",
        "Whether records wait to be moved into the store.",
        recorder.spool.holds_any,
    )
    yield _gauge(
        "authopt_store_failing",
        "Whether the store failed last, as the worker that was asked knows.",
        recorder.failing,
    )


def _gauge(name: str, about: str, value: bool) -> GaugeMetricFamily:
    found = GaugeMetricFamily(name, about)
    found.add_metric([], float(value))
    return found


def _of_merchants(servings: Sequence[Serving]) -> Sequence[Metric]:
    def gauge(name: str, about: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"authopt_{name}", about, labels=["tenant", *labels])

    killed = gauge("killed", "Whether the static priority decides by order.")
    loaded = gauge("policy_loaded", "Whether there is a policy that can decide.")
    waits = gauge("policy_waits", "Whether another one should be live and cannot be loaded.")
    policy = gauge("policy", "The policy that is live; always 1.", "policy", "sha256")
    down = gauge("routes_down", "Routes that were taken down.")
    for serving in servings:
        tenant, active = serving.tenant, serving.active
        killed.add_metric([tenant], float(serving.killed is not None))
        loaded.add_metric([tenant], float(active.policy is not None))
        waits.add_metric([tenant], float(serving.candidate is not None))
        policy.add_metric([tenant, active.name, active.sha256 or ""], 1.0)
        down.add_metric([tenant], float(len(serving.down)))
    return killed, loaded, waits, policy, down
