"""Findings: the last one of each kind and subject."""

from __future__ import annotations

from service.store.changes import writing
from service.store.engine import open_engine
from service.watch.findings import Finding, finding, findings_of, keep_finding


def test_a_finding_takes_the_place_of_the_one_before(database_url: str) -> None:
    engine = open_engine(database_url)
    for tenant, subject, now_us in (("a", "x", 1), ("a", "x", 2), ("a", "w", 3), ("b", "x", 4)):
        with writing(engine) as connection:
            keep_finding(connection, tenant, "canary", subject, {"at": now_us}, now_us)
    with engine.connect() as connection:
        assert finding(connection, "a", "canary", "x") == Finding("canary", "x", 2, {"at": 2})
        assert finding(connection, "a", "shadow", "x") is None
        found = findings_of(connection, "a", "canary")
    assert [(each.subject, each.content) for each in found] == [("w", {"at": 3}), ("x", {"at": 2})]
    engine.dispose()
