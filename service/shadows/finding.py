"""What is known of a shadow policy: the content of the findings of kind ``shadow``."""

from __future__ import annotations

import msgspec

KIND = "shadow"
"""Of the changes that turn shadows on and off, and of the findings; the subject is the name."""

MOST_ERRORS = 5.0
"""Errors by which the mean weight is hardly ever off where the propensities are sound."""


class ShadowValue(msgspec.Struct, frozen=True):
    """What the shadow would be worth, by decisions whose outcome is known.

    Attributes
    ----------
    judged
        number of these decisions.
    live
        their mean reward: the rate of approval of those who decided.
    value
        the shadow's, by self-normalised inverse propensity scores; None where it would have done
        nothing of what was done.
    difference
        ``value`` less ``live``.
    lower, upper
        limits of the difference, both of which hold at all times together with a probability of
        ``confidence``; None where they say nothing, as some action's propensity is not known.
    effective_sample
        decisions of the shadow's own that would tell as much.
    unsupported
        mean probability that it gives to actions which could not have been drawn: they count as
        declined in ``lower`` and as approved in ``upper``.
    mean_weight
        of the importance weights: 1 less ``unsupported``, but for chance, if the propensities on
        record are those that were drawn with; None where nothing is judged.
    mean_weight_error
        by how much chance moves it, its root mean square over the root of ``judged``; None where
        nothing is judged.
    """

    judged: int
    live: float | None
    value: float | None
    difference: float | None
    lower: float | None
    upper: float | None
    effective_sample: float
    unsupported: float
    mean_weight: float | None = None
    mean_weight_error: float | None = None

    @property
    def propensities_fit(self) -> bool:
        """Whether the weights are as they are to be; where not, no figure here can be trusted."""
        if self.mean_weight is None or not self.mean_weight_error:
            return True
        off = self.mean_weight + self.unsupported - 1.0
        return abs(off) <= MOST_ERRORS * self.mean_weight_error


class ShadowSegment(msgspec.Struct, frozen=True):
    """The same for payments alike in one column; its limits are of each segment by itself."""

    column: str
    name: str
    value: ShadowValue


class ShadowFinding(msgspec.Struct, frozen=True):
    """All that is known of a shadow since it was turned on.

    Attributes
    ----------
    spec, sha256
        the policy.
    change
        number of the change that turned it on.
    since_us
        when that was, microseconds since 1970, UTC.
    fault
        why it is not followed; None where it is.
    decisions
        that it was asked about.
    agreed
        share of them whose action it would have preferred too; None without decisions.
    probability
        mean probability that it gives to what was done; None without decisions.
    failed
        decisions that it failed on; they count nowhere else.
    waiting
        decisions whose outcome may still come.
    without_outcome
        decisions whose outcome did not come in time, or whose deferred action was not carried out;
        they are not judged.
    confidence
        of the limits.
    whole
        by all decisions that are judged.
    segments
        by column.
    """

    spec: str
    sha256: str | None
    change: int
    since_us: int
    fault: str | None
    decisions: int
    agreed: float | None
    probability: float | None
    failed: int
    waiting: int
    without_outcome: int
    confidence: float
    whole: ShadowValue
    segments: list[ShadowSegment]
