"""Whether a model may become the live policy: by the gate's verdict on it, or a person's word.

A verdict is about two policies and one log. It speaks for a promotion only if the candidate is the
very model, the live policy is still the one that it was held against, and the log is not long past.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from authopt.errors import UserError
from authopt.learning.gate.verdict import GateVerdict, Judged, Override, VerdictFile, as_file

MOST_AGE = timedelta(days=45)
"""By default, how long ago the last decision of the verdict's log may be."""

LINEAGE = "gate"
"""Name of the verdict in a model's lineage."""

LOGGED = "logged"
"""Spec of the policy that made the log, whichever it was."""


class Word(StrEnum):
    """What is said of a promotion."""

    ADMITTED = "admitted"
    """The gate let it through."""
    OVERRIDDEN = "overridden"
    """The gate did not, and a person takes it upon himself."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Known:
    """A policy as a verdict can know it.

    Attributes
    ----------
    spec
        as it was given.
    fingerprint
        of its files (:func:`authopt.learning.gate.trained_on.fingerprint_of`); None where it has
        none, and is known by its spec.
    """

    spec: str
    fingerprint: str | None = None

    def is_that(self, judged: Judged) -> bool:
        """Whether the verdict is about this very policy."""
        if self.fingerprint is None and judged.sha256 is None:
            return self.spec.strip() == judged.spec.strip()
        return self.fingerprint == judged.sha256


@dataclass(frozen=True, slots=True)
class Promotion:
    """Whether a model may be promoted.

    Attributes
    ----------
    word
        what is said.
    why
        one sentence, for the record.
    reasons
        what speaks against it, one sentence each; empty where it is admitted.
    override
        of the person who answers for it; None unless overridden.
    """

    word: Word
    why: str
    reasons: tuple[str, ...] = ()
    override: Override | None = None

    @property
    def allowed(self) -> bool:
        """Whether it may go ahead."""
        return self.word is not Word.REFUSED

    def raise_if_refused(self) -> None:
        """Raise a PromotionRefused, unless it may go ahead."""
        if not self.allowed:
            raise PromotionRefused(self)


class PromotionRefused(UserError):
    """A model may not be promoted; with the reasons and the way out.

    Attributes
    ----------
    promotion
        what was said.
    """

    def __init__(self, promotion: Promotion) -> None:
        told = "\n  ".join(promotion.reasons)
        super().__init__(
            f"{promotion.why}\n  {told}\nLet the gate judge it (authopt gate LOG --candidate SPEC "
            "--live SPEC --out verdict.json), or override with a reason"
        )
        self.promotion = promotion


def promotion(
    verdict: GateVerdict | None,
    model: Known,
    live: Known,
    now: datetime,
    *,
    override: Override | None = None,
    most_age: timedelta = MOST_AGE,
) -> Promotion:
    """Say whether a model may be promoted, and why.

    Parameters
    ----------
    verdict
        of the gate; None where there is none.
    model
        that is to be promoted.
    live
        that it would replace.
    now
        UTC.
    override
        by which a person lets it through whatever speaks against it; one that is in the verdict
        counts for what the gate found, and for nothing else.
    most_age
        how old the log's last decision may be.
    """
    against = tuple(_against(verdict, model, live, now, most_age))
    if not against:
        assert verdict is not None
        if not verdict.passed:
            return Promotion(
                Word.OVERRIDDEN, _overridden(verdict.override), _failed(verdict), verdict.override
            )
        return Promotion(Word.ADMITTED, _admitted(verdict))
    if override is not None:
        return Promotion(Word.OVERRIDDEN, _overridden(override), against, override)
    number = len(against)
    return Promotion(
        Word.REFUSED, f"not promoted: {number} reason{'s' if number > 1 else ''}", against
    )


def lineage_of(verdict: GateVerdict) -> dict[str, Any]:
    """What a model's lineage holds of a verdict: the whole of it, under its name."""
    return {LINEAGE: msgspec.to_builtins(as_file(verdict))}


def verdict_in(lineage: dict[str, Any]) -> GateVerdict | None:
    """The verdict that a lineage holds; None where it has none.

    Raises
    ------
    UserError
        If what stands there is no verdict.
    """
    told = lineage.get(LINEAGE)
    if told is None:
        return None
    try:
        return msgspec.convert(told, VerdictFile).result
    except msgspec.ValidationError as error:
        raise UserError(f"the verdict in the model's lineage is damaged: {error}") from None


def _against(
    verdict: GateVerdict | None, model: Known, live: Known, now: datetime, most_age: timedelta
) -> list[str]:
    if verdict is None:
        return ["the gate has not judged it"]
    found = []
    if not model.is_that(verdict.candidate):
        found.append(
            f"the verdict is on another candidate, {verdict.candidate.spec}, not on this model"
        )
    if verdict.live.spec != LOGGED and not live.is_that(verdict.live):
        found.append(
            f"the verdict holds it against {verdict.live.spec}, and {live.spec} is live now"
        )
    last = verdict.log.last
    if last is None:
        found.append("the verdict does not say when the log was made")
    elif now - last > most_age:
        found.append(
            f"the log of the verdict ends on {last:%Y-%m-%d}, {(now - last).days} days ago; at "
            f"most {most_age.days} are allowed"
        )
    if not verdict.admitted:
        found += _failed(verdict)
    return found


def _failed(verdict: GateVerdict) -> tuple[str, ...]:
    return tuple(f"{check.title}: {check.reason}" for check in verdict.failed)


def _admitted(verdict: GateVerdict) -> str:
    if verdict.settings.gain_rule == "not-shown-worse":
        gain = "" if verdict.gain is None else f", estimated gain {verdict.gain:+.4g}"
        margin = verdict.settings.margin
        by = f" by more than {-margin:.4g}" if margin < 0.0 else ""
        return (
            f"the gate passed: not shown to be worse than {verdict.live.spec}{by}{gain} "
            f"{verdict.reward} per {verdict.unit}, on {verdict.log.decisions:,} decisions"
        )
    gain = "" if verdict.gain is None else f" by an estimated {verdict.gain:+.4g}"
    return (
        f"the gate passed: better than {verdict.live.spec}{gain}, by at least {verdict.lower:+.4g} "
        f"{verdict.reward} per {verdict.unit}, on {verdict.log.decisions:,} decisions"
    )


def _overridden(override: Override | None) -> str:
    assert override is not None
    return f"overridden by {override.who}: {override.why}"
