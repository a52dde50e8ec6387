"""An audit finds every planted fault with its exact count, and none where there is none."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from authopt.batch import Categorical, LoggedBatch
from authopt.errors import UserError
from authopt.logs.audit.accumulate import AuditSums
from authopt.logs.audit.report import AuditReport, Finding, Level
from authopt.logs.audit.run import report_of
from authopt.logs.rejects import Rejects
from tests.authopt.logs.audit.faulty import (
    HOUR,
    approved_where,
    clean,
    coded,
    numbered,
    only,
    renamed,
    with_context,
    with_outcome,
    with_retries,
)
from tests.factories import logged_batch


def audited(
    *batches: LoggedBatch, by: tuple[str, ...] = (), source: str = "logged", in_memory: int = 10**6
) -> AuditReport:
    sums = AuditSums(by, in_memory)
    for batch in batches:
        sums.add(batch)
    return reported(sums, batches, source)


def reported(
    sums: AuditSums, batches: Iterable[LoggedBatch] = (), source: str = "logged"
) -> AuditReport:
    return report_of(sums, log="log", source=source, rejects=Rejects(), again=lambda: batches)


def counts(report: AuditReport) -> dict[str, int]:
    return {fault.name: fault.count for fault in report.faults if fault.count}


def worse_than_ok(report: AuditReport) -> list[Finding]:
    return [found for found in report.findings if found.level in (Level.WARNING, Level.PROBLEM)]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("uniform_logging", [True, False])
def test_a_clean_log_gives_no_warning(seed: int, uniform_logging: bool) -> None:
    report = audited(clean(3_000, seed, uniform_logging))
    assert worse_than_ok(report) == []
    assert counts(report) == {}


def test_a_clean_log_with_retries_gives_no_warning() -> None:
    report = audited(with_retries())
    assert worse_than_ok(report) == []
    assert report.payments == 500
    assert report.rows == report.attempts == 1_000


LATENCY = np.timedelta64(1, "s")

PLANTED: list[tuple[str, int, Level, Callable[[], LoggedBatch]]] = [
    ("outcome_unknown", 40, Level.NOTE, lambda: approved_where(clean(), range(40), np.nan)),
    ("outcome_unknown", 400, Level.WARNING, lambda: approved_where(clean(), range(400), np.nan)),
    (
        "approved_with_decline_code",
        3,
        Level.PROBLEM,
        lambda: coded(approved_where(clean(), [5, 9, 70], 1.0), [5, 9, 70], "51", "response_code"),
    ),
    (
        "declined_with_approval_code",
        2,
        Level.PROBLEM,
        lambda: coded(approved_where(clean(), [5, 9], 0.0), [5, 9], "0", "response_code"),
    ),
    (
        "outcome_before_decision",
        4,
        Level.WARNING,
        lambda: with_outcome(
            clean(),
            outcome_at=clean().decided_at + np.where(np.arange(2_000) < 4, -1, 1) * LATENCY,
        ),
    ),
    (
        "amount_zero",
        2,
        Level.WARNING,
        lambda: with_context(clean(), amount_minor=np.r_[0.0, 0.0, np.full(1_998, 5.0)]),
    ),
    (
        "history_out_of_order",
        500,
        Level.WARNING,
        lambda: with_context(
            with_retries(), seconds_since_last_attempt=np.tile([np.nan, 7200.0], 500)
        ),
    ),
    (
        "first_attempt_with_history",
        3,
        Level.WARNING,
        lambda: coded(clean(), [0, 1, 2], "51", "previous_response_code"),
    ),
    (
        "retry_without_code",
        500,
        Level.WARNING,
        lambda: with_context(
            with_retries(), previous_response_code=Categorical(np.full(1_000, -1, np.int32), ())
        ),
    ),
    (
        "unknown_response_code",
        30,
        Level.WARNING,
        lambda: coded(
            approved_where(clean(), range(30), 0.0), range(30), "DECLINED", "response_code"
        ),
    ),
    (
        "unknown_response_code",
        2,
        Level.NOTE,
        lambda: coded(approved_where(clean(), [0, 1], 0.0), [0, 1], "XX", "response_code"),
    ),
    ("decision_twice", 2, Level.PROBLEM, lambda: renamed(clean(), "decision_id", [8, 9], 3)),
    ("attempt_twice", 2, Level.PROBLEM, lambda: renamed(clean(), "payment_id", [8, 9], 3)),
    ("attempts_missing", 1, Level.WARNING, lambda: numbered(with_retries(), [1], 3)),
    (
        "payment_starts_late",
        30,
        Level.WARNING,
        lambda: numbered(coded(clean(), range(30), "51", "previous_response_code"), range(30), 2),
    ),
    (
        "attempts_out_of_order",
        1,
        Level.WARNING,
        lambda: replace(
            with_retries(),
            decided_at=with_retries().decided_at - (np.arange(1_000) == 11) * 2 * HOUR,
        ),
    ),
    (
        "attempt_after_approval",
        1,
        Level.WARNING,
        lambda: coded(approved_where(with_retries(), [10], 1.0), [10], "00", "response_code"),
    ),
    (
        "rule_broken",
        20,
        Level.WARNING,
        lambda: coded(with_retries(), range(1, 41, 2), "43", "previous_response_code"),
    ),
    (
        "previous_route_unknown",
        20,
        Level.WARNING,
        lambda: coded(with_retries(), range(1, 41, 2), "Adyen BV", "previous_route"),
    ),
]


@pytest.mark.parametrize(("name", "count", "level", "log"), PLANTED)
def test_a_planted_fault_is_found_with_its_exact_count(
    name: str, count: int, level: Level, log: Callable[[], LoggedBatch]
) -> None:
    batch = log()
    report = audited(batch)
    assert counts(report)[name] == count
    found = [item for item in report.findings if item.text.startswith(f"{count:,} of ")]
    assert [item.level for item in found] == [level]
    assert found[0].examples
    # Nothing else is accused; a late start shows in the history too where there is none.
    others = set(counts(report)) - {name}
    assert others <= {"attempt_twice", "attempt_after_approval", "attempts_missing"}


def test_examples_are_the_earliest_and_name_what_to_look_up() -> None:
    fault = audited(approved_where(clean(), [700, 9, 70, 80], np.nan)).faults[0]
    assert fault.examples == ("d0-9", "d0-70", "d0-80")
    report = audited(renamed(clean(), "payment_id", [8], 3))
    found = next(item for item in report.findings if "repeat an attempt number" in item.text)
    assert (found.examples_of, found.examples) == ("payment", ("p0-3",))


def test_unknown_codes_and_broken_rules_are_named() -> None:
    batch = coded(with_retries(), range(1, 41, 2), "43", "previous_response_code")
    report = audited(coded(batch, [0, 2, 4], "Q9", "response_code"))
    assert report.unknown_codes["response_code"][0].value == "Q9"
    assert report.unknown_codes["response_code"][0].count == 3
    assert sum(reason.count for reason in report.rules_broken) == 20
    assert any("stolen card" in reason.value for reason in report.rules_broken)


def test_a_stop_is_no_attempt() -> None:
    batch = logged_batch(2_000, attempts_per_payment=1, with_stop=True, uniform_logging=True)
    report = audited(batch)
    taken = {route.route: route.taken for route in report.routes}
    assert report.stops == taken["stop"] > 0
    assert report.attempts == 2_000 - taken["stop"]
    by_route = report.segmentations[0]
    assert {rate.values[0] for rate in by_route.segments} == {"adyen", "braintree", "checkout"}


def test_an_approved_stop_is_a_problem_and_no_success() -> None:
    batch = logged_batch(2_000, attempts_per_payment=1, with_stop=True, uniform_logging=True)
    stops = np.flatnonzero(batch.chosen == 3)[:5]
    report = audited(approved_where(batch, stops.tolist(), 1.0))
    assert counts(report) == {"approved_stop": 5}
    for part in report.segmentations:
        assert sum(rate.approved for rate in part.segments) == int(batch.reward.sum())


def test_a_log_without_propensities_says_so_and_names_the_command() -> None:
    batch = replace(clean(), propensity=np.full(2_000, np.nan), probability=None)
    report = audited(batch, source="unknown")
    assert report.verdict is Level.PROBLEM
    first = report.findings[0]
    assert first.text.startswith("NO PROPENSITIES")
    assert "authopt log propensities log" in first.advice
    assert report.inverse == ()
    assert {route.median for route in report.routes} == {None}


def test_estimated_and_missing_propensities_are_warned_of() -> None:
    batch = clean()
    assert "estimated" in worse_than_ok(audited(batch, source="estimated"))[0].text
    some = replace(batch, propensity=np.where(np.arange(2_000) < 5, np.nan, batch.propensity))
    report = audited(some)
    assert report.with_propensity == 1_995
    assert worse_than_ok(report)[0].text == "5 of 2,000 (0.2%) decisions have no propensity."


@pytest.mark.parametrize("with_all", [True, False])
def test_a_policy_that_never_explores_is_seen(with_all: bool) -> None:
    batch = only(clean(), 0)
    batch = batch if with_all else replace(batch, probability=None)
    report = audited(batch)
    assert report.verdict is Level.PROBLEM
    assert "Route 'adyen' was taken in all 2,000 decisions" in worse_than_ok(report)[0].text


def test_a_policy_that_is_nearly_deterministic_is_seen() -> None:
    batch = clean(uniform_logging=False)
    probability = np.full(batch.m, 0.001)
    probability[batch.chosen_action] = 0.998
    report = audited(replace(batch, probability=probability, propensity=np.full(batch.n, 0.998)))
    found = next(found for found in report.findings if "looks deterministic" in found.text)
    assert "in 100.0% of the 2,000 decisions" in found.text
    assert found.level is Level.PROBLEM
    assert report.overlap.below_1_percent == 1.0
    assert report.overlap.largest_possible == pytest.approx(1_000)


def test_decisions_without_a_choice_are_a_problem() -> None:
    report = audited(logged_batch(200, routes=("adyen",), attempts_per_payment=1))
    assert report.verdict is Level.PROBLEM
    assert "No decision has more than one eligible action" in worse_than_ok(report)[0].text


def test_outcomes_that_are_all_alike_are_a_problem() -> None:
    batch = with_outcome(clean(), approved=np.ones(2_000), response_code=Categorical.from_values(
        ["00"] * 2_000))  # fmt: skip
    report = audited(batch)
    assert any("All 2,000 known outcomes are approvals" in item.text for item in report.findings)


def test_success_is_counted_by_segment_with_wilson_intervals() -> None:
    batch = with_context(clean(), x_shop=Categorical.from_values(["a", None] * 1_000))
    report = audited(batch, by=("x_shop", "amount_minor"))
    shops = next(part for part in report.segmentations if part.columns == ("x_shop",))
    by_name = {rate.values[0]: rate for rate in shops.segments}
    assert by_name["a"].attempts == 1_000
    assert by_name["a"].approved == int(batch.reward[::2].sum())
    assert by_name[None].rate == pytest.approx(batch.reward[1::2].mean())
    lower, upper = by_name["a"].lower, by_name["a"].upper
    assert lower is not None
    assert upper is not None
    assert lower < batch.reward[::2].mean() < upper
    by_both = next(part for part in report.segmentations if len(part.columns) == 2)
    assert by_both.columns == ("route", "network")
    assert sum(rate.attempts for rate in by_both.segments) == 2_000


@pytest.mark.parametrize("column", ["x_no_such", "card_ref"])
def test_a_column_that_forms_no_segments_is_a_users_mistake(column: str) -> None:
    batch = with_context(clean(50), card_ref=clean(50).decision_id)
    with pytest.raises(UserError, match=f"--by {column}"):
        audited(batch, by=(column,))


def test_ids_in_the_place_of_routes_are_a_users_mistake() -> None:
    batch = clean(1_200)
    routes = tuple(f"tx{at}" for at in range(batch.m))
    with pytest.raises(UserError, match=r"'eligible_route' has more than 1,000"):
        audited(replace(batch, routes=routes, action_route=np.arange(batch.m, dtype=np.int32)))
    # A large vocabulary of which few values occur is none.
    few = replace(batch, routes=(*batch.routes, *routes))
    assert len(audited(few).routes) == 3


@pytest.mark.parametrize("in_memory", [10**6, 300])
def test_the_report_does_not_depend_on_chunks_nor_on_their_order(in_memory: int) -> None:
    batch = coded(with_retries(1_000), [3, 5, 7], "Q9", "previous_response_code")
    batch = renamed(renamed(batch, "decision_id", [8, 1_900], 3), "payment_id", [40, 60], 1_501)
    whole = audited(batch)
    cuts = [0, 1, 700, 701, 1_500, 2_000]
    parts = [batch.take(slice(*cut)) for cut in pairwise(cuts)]
    assert_same(audited(*parts, in_memory=in_memory), whole)
    sums = []
    for part in parts:
        sums.append(AuditSums(in_memory=in_memory))
        sums[-1].add(part)
    one, two, three, four, five = sums
    assert_same(reported((five + two) + ((one + four) + three), [batch]), whole)


def test_memory_does_not_grow_with_the_log() -> None:
    def peak(chunks: int) -> int:
        sums = AuditSums(in_memory=20_000)
        tracemalloc.start()
        for seed in range(chunks):
            sums.add(logged_batch(4_000, seed=seed))
        reported(sums)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(2)
    assert peak(40) < 1.5 * peak(10)


def assert_same(left: AuditReport, right: AuditReport) -> None:
    for name in AuditReport.__dataclass_fields__:
        if name not in ("inverse", "slices", "overlap", "findings"):
            assert getattr(left, name) == getattr(right, name), name
    assert [item.text for item in left.findings] == [item.text for item in right.findings]
    for checks in (lambda report: report.inverse,
                   lambda report: [part.inverse for part in report.slices]):  # fmt: skip
        for one, other in zip(checks(left), checks(right), strict=True):
            assert one.what == other.what
            assert (one.mean, one.z, one.standard_error) == pytest.approx(
                (other.mean, other.z, other.standard_error), rel=1e-9, abs=1e-9
            )
