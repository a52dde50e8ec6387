"""What a candidate must show before it may replace the live policy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from authopt.toml_file import read_toml

Unit: TypeAlias = Literal["decision", "payment"]
Bound: TypeAlias = Literal["either", "anytime", "fixed"]
GainRule: TypeAlias = Literal["shown-better", "not-shown-worse"]
SegmentRule: TypeAlias = Literal["not-shown-harmed", "shown-unharmed"]

SEGMENTS = ("issuer", "issuer_country", "merchant_id", "network")
"""Columns that segments are formed by, where the log has them."""

SEE = "The keys are explained in authopt.learning.gate.settings.Gate"


class Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The conditions of the gate.

    A gain is the value of the candidate less that of the live policy. Tolerances that are said to
    be shares of the span are multiplied by the difference between the largest and the smallest
    possible reward; with the reward ``approved`` that is 1, so 0.02 are 2 percentage points.

    Attributes
    ----------
    confidence
        of the lower bound of the gain, one-sided; and of all segments' bounds together.
    margin
        what that bound has to exceed, in units of the reward.
    gain_rule
        ``shown-better``: as said. ``not-shown-worse``: the gain fails only when its upper bound is
        below the margin; the lighter word, for a candidate that is the live policy learned on.
    unit
        ``decision``: mean reward per decision, at the decision points that the log met.
        ``payment``: reward per whole payment, which few logs can tell for another policy.
    bound
        ``anytime``: a confidence sequence; the gate may be asked again whenever the log has grown,
        with the same confidence over all looks together. ``fixed``: the interval for a log that is
        looked at once, which is tighter; look number j gets the share 6 / (pi j)^2 of the error, so
        that it too holds over all looks that are recorded. ``either``: each of them has half of the
        error, and the higher bound counts.
    segments
        columns to form segments by; None for those of ``SEGMENTS`` that the log has.
    segment_tolerance
        how much worse than the live policy a segment may be, as a share of the span.
    segment_rule
        ``not-shown-harmed``: a segment fails when it is shown to be worse by more than the
        tolerance (its upper bound is below), or when it is large and the log says next to nothing
        about it. ``shown-unharmed``: it fails unless it is shown to be no worse than the tolerance
        (its lower bound is above); with many or small segments hardly any candidate can pass.
    large_segment
        share of the decisions from which on a segment is large.
    least_segment_effective
        effective sample of a large segment below which the log says next to nothing about it.
    payment_tolerance
        how much lower the reward per payment may be, as a share of the span, where it is not the
        unit; it fails when that is shown.
    cost_per_approval_rise, attempts_rise
        how much higher cost per approval and attempts per payment may be, as a share of the live
        policy's; each fails when that is shown.
    excess_fee_rise
        how many minor units per decision more the networks may charge for attempts against their
        retry rules; for rewards in money.
    largest_route_share
        of the decisions, on any one route; more is allowed where the live policy has as much.
    least_epsilon
        every one of k actions must keep at least this, over k: what is logged without exploration
        can judge no other policy. 0 admits policies that do not explore.
    exploration_budget
        what the candidate's exploration may cost per decision, as a share of the span: its value
        against that of its most probable action. It fails when more is shown.
    least_effective
        effective sample size of the candidate's weights, in decisions.
    most_unsupported
        share of the candidate's probability on actions that the log's policy never takes.
    estimated_propensities
        whether a log whose propensities were estimated may carry a verdict.
    """

    confidence: float = 0.95
    margin: float = 0.0
    gain_rule: GainRule = "shown-better"
    unit: Unit = "decision"
    bound: Bound = "either"
    segments: tuple[str, ...] | None = None
    segment_tolerance: float = 0.02
    segment_rule: SegmentRule = "not-shown-harmed"
    large_segment: float = 0.1
    least_segment_effective: float = 50.0
    payment_tolerance: float = 0.02
    cost_per_approval_rise: float = 0.1
    attempts_rise: float = 0.1
    excess_fee_rise: float = 0.0
    largest_route_share: float = 0.95
    least_epsilon: float = 0.01
    exploration_budget: float = 0.01
    least_effective: float = 100.0
    most_unsupported: float = 0.05
    estimated_propensities: bool = True

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ValueError(f"{name} is {value:g}; expected {low:g} to {high:g}")


_MANY = 1e12
_RANGES = {
    "confidence": (0.5, 0.999999),
    "margin": (-_MANY, _MANY),
    "segment_tolerance": (0.0, 1.0),
    "large_segment": (0.0, 1.0),
    "least_segment_effective": (0.0, _MANY),
    "payment_tolerance": (0.0, _MANY),
    "cost_per_approval_rise": (0.0, _MANY),
    "attempts_rise": (0.0, _MANY),
    "excess_fee_rise": (0.0, _MANY),
    "largest_route_share": (0.0, 1.0),
    "least_epsilon": (0.0, 1.0),
    "exploration_budget": (0.0, 1.0),
    "least_effective": (0.0, _MANY),
    "most_unsupported": (0.0, 1.0),
}


def load_gate(path: Path, defaults: Gate | None = None) -> Gate:
    """Read the conditions from a TOML file.

    Parameters
    ----------
    path
        the file.
    defaults
        of the keys that it lacks; by default those of :class:`Gate`.

    Raises
    ------
    UserError
        If the file cannot be read, or a key or value is none of a :class:`Gate`.
    """
    return read_toml(path, Gate, SEE, defaults=defaults)
