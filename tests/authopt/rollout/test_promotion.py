"""A model is promoted by the gate's verdict on it, or by a person's word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec
import pytest

from authopt.errors import UserError
from authopt.learning.gate.judge import judge
from authopt.learning.gate.settings import Gate
from authopt.learning.gate.verdict import GateVerdict, Override
from authopt.rollout.promotion import (
    Known,
    Promotion,
    Word,
    lineage_of,
    promotion,
    verdict_in,
)
from tests.authopt.learning.gate.cases import ADYEN, CHECKOUT, LOG

MODEL, LIVE = Known("vw:new.vw", "a" * 64), Known("priority:routes=adyen,braintree")
ANN = Override("ann", datetime(2026, 1, 5, tzinfo=UTC), "the outage of adyen")


@lru_cache
def verdict(is_better: bool = True) -> GateVerdict:
    """Of the gate, on a candidate that is better than the live policy, or worse."""
    policies = (CHECKOUT, ADYEN) if is_better else (ADYEN, CHECKOUT)
    return judge(
        [LOG],
        *policies,
        Gate(exploration_budget=0.05),
        specs=(MODEL.spec, LIVE.spec),
        fingerprints=(MODEL.fingerprint, None),
    )


def now(later: timedelta = timedelta(days=1)) -> datetime:
    last = verdict().log.last
    assert last is not None
    return last + later


def asked(
    found: GateVerdict | None = None,
    model: Known = MODEL,
    live: Known = LIVE,
    override: Override | None = None,
) -> Promotion:
    return promotion(found, model, live, now(), override=override)


def test_what_the_gate_let_through_is_admitted_with_its_figures() -> None:
    told = asked(verdict())
    assert (told.word, told.allowed, told.reasons) == (Word.ADMITTED, True, ())
    assert told.why.startswith(f"the gate passed: better than {LIVE.spec} by an estimated +0.3")


def test_the_lighter_word_of_the_gate_is_told_as_what_it_is() -> None:
    found = verdict()
    found = replace(
        found, settings=msgspec.structs.replace(found.settings, gain_rule="not-shown-worse")
    )
    assert asked(found).why.startswith(f"the gate passed: not shown to be worse than {LIVE.spec}")


def test_without_a_verdict_nothing_is_promoted() -> None:
    told = asked()
    assert (told.word, told.reasons) == (Word.REFUSED, ("the gate has not judged it",))
    with pytest.raises(UserError, match="authopt gate LOG"):
        told.raise_if_refused()


def test_what_the_gate_did_not_let_through_is_refused_with_its_reasons() -> None:
    told = asked(verdict(is_better=False))
    assert told.word is Word.REFUSED
    assert len(told.reasons) == len(verdict(is_better=False).failed) > 0


def test_a_verdict_on_another_model_says_nothing() -> None:
    told = asked(verdict(), model=Known("vw:new.vw", "b" * 64))
    assert told.word is Word.REFUSED
    assert "another candidate" in told.reasons[0]


def test_a_verdict_against_what_is_live_no_more_says_nothing() -> None:
    told = asked(verdict(), live=Known("uniform"))
    assert told.reasons == (f"the verdict holds it against {LIVE.spec}, and uniform is live now",)


def test_a_verdict_against_the_policy_of_the_log_holds_for_whichever_is_live() -> None:
    found = replace(verdict(), live=replace(verdict().live, spec="logged"))
    assert asked(found, live=Known("uniform")).word is Word.ADMITTED


def test_an_old_verdict_says_nothing() -> None:
    told = promotion(verdict(), MODEL, LIVE, now(timedelta(days=46)))
    assert "46 days ago; at most 45" in told.reasons[0]


def test_a_person_may_take_it_upon_himself_and_is_named() -> None:
    told = asked(override=ANN)
    assert (told.word, told.override) == (Word.OVERRIDDEN, ANN)
    assert told.why == "overridden by ann: the outage of adyen"
    assert told.reasons == ("the gate has not judged it",)
    told.raise_if_refused()


def test_an_override_in_the_verdict_counts_for_what_the_gate_found_alone() -> None:
    found = replace(verdict(is_better=False), override=ANN)
    assert asked(found).word is Word.OVERRIDDEN
    assert asked(found, live=Known("uniform")).word is Word.REFUSED


def test_a_lineage_holds_the_verdict_whole() -> None:
    lineage = {"code": {"authopt": "1"}} | lineage_of(verdict())
    assert verdict_in(lineage) == verdict()
    assert verdict_in({}) is None
    with pytest.raises(UserError, match="damaged"):
        verdict_in({"gate": {"verdict": 3}})
