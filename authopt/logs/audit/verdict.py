"""What the figures of an audit mean: findings, each one a sentence, and the worst of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from authopt.logs.audit import sequence
from authopt.logs.audit.faults import RULE_BROKEN
from authopt.logs.audit.inverse import ALARM_Z
from authopt.logs.audit.meanings import MEANINGS, Meaning
from authopt.logs.audit.report import AuditReport, Fault, Finding, InverseCheck, Level
from authopt.logs.audit.support import CERTAIN, SMALL

_ORDER = list(Level)

_REJECTED_TOLERATED = 0.01
_SHARE_TOLERATED = 0.05
_HEAVY = 1_000.0


# Said once for the whole log, in words of their own.
_SAID_ELSEWHERE = {"outcome_unknown", "propensity_missing"}


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level, ``ok`` where there is none."""
    return max((finding.level for finding in findings), key=_ORDER.index, default=Level.OK)


def findings_of(report: AuditReport) -> AuditReport:
    """The report with its findings, worst first, and its verdict."""
    found = [
        *_rejections(report),
        *_propensities(report),
        *_inverse(report),
        *_support(report),
        *_outcomes(report),
        *_faults(report),
        *_segments(report),
    ]
    # Sorting is stable: within a level, what matters to evaluation comes first.
    found.sort(key=lambda finding: -_ORDER.index(finding.level))
    return replace(report, findings=tuple(found), verdict=worst(found))


def _rejections(report: AuditReport) -> Iterator[Finding]:
    if not report.rejected:
        yield Finding(Level.OK, "rows", f"All {report.rows:,} rows can be read.")
        return
    share = report.rejected / report.rows
    few = share <= _REJECTED_TOLERATED
    main = report.rejections[0]
    yield Finding(
        Level.WARNING if few else Level.PROBLEM,
        "rows",
        f"{_of(report.rejected, report.rows)} rows cannot be used; most often "
        f"({main.count:,}): {main.value}.",
        "Mend them at the source or in the import; --rejects FILE.csv lists every one.",
        tuple(f"{one.row:,} ({one.column})" for one in report.rejected_examples[:3]),
        "row",
    )


def _propensities(report: AuditReport) -> Iterator[Finding]:
    if not report.sound:
        return
    with_propensity = report.with_propensity
    if not with_propensity:
        yield Finding(
            Level.PROBLEM,
            "propensities",
            "NO PROPENSITIES: the log does not say how likely its actions were, and no other "
            "policy can be judged by it.",
            f"Estimate them: authopt log propensities {report.log} --out FILE. From now on, log "
            "the probability of every eligible action.",
        )
        return
    if report.propensity_source == "estimated":
        yield Finding(
            Level.WARNING,
            "propensities",
            "The propensities are estimated, not logged: every figure rests on that model.",
            "Log the probabilities from now on.",
        )
    if with_propensity < report.sound:
        missing = report.sound - with_propensity
        yield Finding(
            Level.WARNING,
            "propensities",
            f"{_of(missing, report.sound)} decisions have no propensity.",
            MEANINGS["propensity_missing"].advice,
            _fault(report, "propensity_missing").examples,
        )
    elif report.propensity_source != "estimated":
        yield Finding(
            Level.OK, "propensities", f"All {report.sound:,} decisions have a logged propensity."
        )


def _inverse(report: AuditReport) -> Iterator[Finding]:
    if not report.inverse:
        return
    total, *routes = report.inverse
    slices = [part.inverse for part in report.slices if part.inverse is not None]
    alarms = [check for check in (total, *routes) if check.alarm]
    if alarms:
        first = max(alarms, key=lambda check: abs(check.z or 0.0))
        where = "" if first is total else f" of route {first.what!r}"
        others = sorted(check.what for check in alarms if check not in (first, total))
        yield Finding(
            Level.PROBLEM,
            "propensities",
            f"1/propensity{where} averages {first.mean:.3f} where {first.expected:.3f} "
            f"{'is expected' if first.exact else 'is the most'} (z = {first.z:+.1f}): the "
            "propensities are not those that the actions were drawn with"
            + (f" (also: {', '.join(others)})." if others else "."),
            "Log the probabilities after all overrides, floors and fallbacks, at the moment of "
            "the draw.",
        )
    drifting = [check for check in slices if check.alarm]
    if drifting and (not total.alarm or len(drifting) < len(slices)):
        yield Finding(
            Level.PROBLEM,
            "propensities",
            f"1/propensity is off in {len(drifting)} of {len(slices)} slices of time, most in "
            f"{_worst_slice(drifting).what} (z = {_worst_slice(drifting).z:+.1f}).",
            "Find out what changed in the logging policy then, and leave that time out.",
        )
    if not alarms and not drifting:
        judged = [check.z for check in (total, *routes, *slices) if check.z is not None]
        largest = max((abs(z) for z in judged), default=0.0)
        exact = "" if total.exact else " (an upper bound: not all probabilities are logged)"
        yield Finding(
            Level.OK,
            "propensities",
            f"1/propensity averages {total.mean:.3f} where {total.expected:.3f} is expected"
            f"{exact}; overall, by route and by time no |z| is above {ALARM_Z:.0f} (largest "
            f"{largest:.1f}).",
        )


def _worst_slice(checks: list[InverseCheck]) -> InverseCheck:
    return max(checks, key=lambda check: abs(check.z or 0.0))


def _support(report: AuditReport) -> Iterator[Finding]:
    if not report.sound:
        return
    overlap, choice = report.overlap, report.overlap.with_choice
    if not choice:
        yield Finding(
            Level.PROBLEM,
            "support",
            "No decision has more than one eligible action: the log says nothing about any other "
            "policy.",
            "List in 'eligible_route' all actions that could have been taken, not the taken one.",
        )
        return
    found = [*_certainty(report), *_thin_support(report)]
    yield from found
    if worst(found) in (Level.WARNING, Level.PROBLEM):
        return
    if overlap.with_probabilities:
        yield Finding(
            Level.OK,
            "support",
            "By its probabilities, every route has support: "
            f"{overlap.effective_actions:.1f} effective actions of {overlap.actions:.1f} eligible "
            f"ones, largest weight {overlap.largest_possible:,.0f}.",
        )
    elif report.with_propensity:
        yield Finding(
            Level.NOTE,
            "support",
            "Only the propensity of the taken action is known: where the log lacks support cannot "
            "be seen.",
            "Log 'eligible_probability', the probability of every eligible action.",
        )


def _certainty(report: AuditReport) -> Iterator[Finding]:
    choice = report.overlap.with_choice
    never = [route for route in report.routes if not route.taken]
    taken = [route for route in report.routes if route.taken]
    if len(taken) == 1 and never:
        yield Finding(
            Level.PROBLEM,
            "support",
            f"Route {taken[0].route!r} was taken in all {report.sound:,} decisions: the log says "
            "nothing about any other route.",
            "Explore: give every eligible route some probability, say 2%.",
        )
        return
    certain = report.overlap.nearly_certain
    if certain is not None and certain > 0.5:
        nearly_all = certain >= CERTAIN
        yield Finding(
            Level.PROBLEM if nearly_all else Level.WARNING,
            "support",
            f"The logging policy looks deterministic: in {certain:.1%} of the {choice:,} decisions "
            "with a choice one action has 99% or more.",
            "Explore: mix the policy with a small share of uniform choices.",
        )
    if never:
        names = ", ".join(route.route for route in never[:5])
        offered = sum(route.eligible for route in never)
        yield Finding(
            Level.WARNING,
            "support",
            f"Eligible {offered:,} times but never taken, so without support: {names}"
            + (f" and {len(never) - 5} more." if len(never) > 5 else "."),
            "Explore them, or leave them out of the policies that are compared.",
        )


def _thin_support(report: AuditReport) -> Iterator[Finding]:
    overlap = report.overlap
    if overlap.zero:
        yield Finding(
            Level.WARNING if overlap.zero > _SHARE_TOLERATED else Level.NOTE,
            "support",
            f"In {overlap.zero:.1%} of the decisions with a choice an eligible action has "
            "probability 0: nothing is known of it there.",
            "A policy that takes it is judged by worst and best case; explore to know more.",
        )
    small = (overlap.below_1_percent or 0.0) - (overlap.zero or 0.0)
    if small > 0:
        yield Finding(
            Level.WARNING if small > _SHARE_TOLERATED else Level.NOTE,
            "support",
            f"In {small:.1%} of the decisions with a choice an eligible action has less than "
            f"{SMALL:.0%}, yet not 0.",
            "Policies that favour it get wide intervals; a floor of 1% to 5% helps.",
        )
    largest = overlap.largest_possible or overlap.largest_inverse or 0.0
    if largest > _HEAVY:
        yield Finding(
            Level.NOTE,
            "support",
            f"The largest possible weight is {largest:,.0f}: a single decision can sway an "
            "estimate.",
            "A floor under the logged probabilities bounds it.",
        )


def _outcomes(report: AuditReport) -> Iterator[Finding]:
    unknown = _fault(report, "outcome_unknown")
    if not unknown.of:
        return
    if unknown.count == unknown.of:
        yield Finding(
            Level.PROBLEM,
            "outcomes",
            f"None of the {unknown.of:,} attempts has an outcome.",
            "Import 'approved' (true or false).",
        )
        return
    if unknown.count:
        meaning = MEANINGS["outcome_unknown"]
        yield _finding(unknown, meaning, "outcomes")
    rates = [rate for part in report.segmentations[:1] for rate in part.segments]
    known, approved = sum(rate.known for rate in rates), sum(rate.approved for rate in rates)
    if known >= 100 and approved in (0, known):
        yield Finding(
            Level.PROBLEM,
            "outcomes",
            f"All {known:,} known outcomes are {'approvals' if approved else 'declines'}.",
            "Import both approved and declined attempts; check how 'approved' is mapped.",
        )
    elif not unknown.count:
        yield Finding(
            Level.OK,
            "outcomes",
            f"All {known:,} attempts have an outcome; {approved / known:.1%} were approved.",
        )


def _faults(report: AuditReport) -> Iterator[Finding]:
    silent = 0
    for fault in report.faults:
        if fault.name in _SAID_ELSEWHERE:
            continue
        if fault.count:
            yield _finding(fault, MEANINGS[fault.name], _topic(fault.name), report)
        else:
            silent += fault.of > 0
    if silent:
        yield Finding(
            Level.OK,
            "values",
            f"{silent} checks of values, codes, duplicates and order found nothing.",
        )


def _topic(name: str) -> str:
    if name == RULE_BROKEN:
        return "rules"
    return "order" if name in sequence.CHECKS else "values"


def _finding(
    fault: Fault, meaning: Meaning, topic: str, report: AuditReport | None = None
) -> Finding:
    few = fault.count <= meaning.tolerated * fault.of
    detail = _detail(fault.name, report) if report is not None else ""
    return Finding(
        Level.NOTE if few else meaning.level,
        topic,
        f"{_of(fault.count, fault.of)} {meaning.text}{detail}.",
        meaning.advice,
        fault.examples,
        meaning.examples_of,
    )


def _detail(name: str, report: AuditReport) -> str:
    """The most frequent reasons or codes behind a fault."""
    if name == RULE_BROKEN:
        named = report.rules_broken
    elif name.startswith("unknown_"):
        kind = name.removeprefix("unknown_")
        named = tuple(
            item
            for column, codes in report.unknown_codes.items()
            for item in codes
            if column.endswith(kind)
        )
    else:
        return ""
    counts: dict[str, int] = {}
    for item in named:
        counts[item.value] = counts.get(item.value, 0) + item.count
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{value} ({count:,})" for value, count in ordered[:3])
    return f": {shown}" + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")


def _segments(report: AuditReport) -> Iterator[Finding]:
    segments = [
        rate for part in report.segmentations if len(part.columns) == 1 for rate in part.segments
    ]
    thin = sum(rate.thin for rate in segments)
    if thin:
        yield Finding(
            Level.NOTE,
            "segments",
            f"{thin} of {len(segments)} segments are thin: their interval is wider than 10 "
            "percentage points.",
            "Read no difference into them.",
        )


def _fault(report: AuditReport, name: str) -> Fault:
    return next((fault for fault in report.faults if fault.name == name), Fault(name, 0, 0))


def _of(count: int, of: int) -> str:
    share = count / of
    text = f"{share:.1%}" if share >= 0.001 or not count else "under 0.1%"
    return f"{count:,} of {of:,} ({text})"
