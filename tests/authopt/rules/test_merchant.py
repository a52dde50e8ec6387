"""A merchant's rules together: the first that forbids gives the reason, and stop stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.rules.merchant import MerchantRule, MerchantRules, merchant_reasons
from authopt.rules.merchant_hours import QuietHours
from authopt.rules.merchant_limits import AttemptsInWindow
from authopt.rules.merchant_routes import RouteAmounts, RouteDown, RouteValues
from authopt.rules.merchant_volume import Period, VolumeCap, VolumePromise
from tests.authopt.rules.merchant_reasons_of import reasons_of
from tests.authopt.rules.one_decision import decision, decisions

ACTIONS = (("adyen", 0), ("zoop", 0), ("stop", 0))
RULES: tuple[MerchantRule, ...] = (
    AttemptsInWindow(2, 86_400),
    RouteDown("zoop"),
    RouteValues("adyen", "currency", ("EUR",)),
    RouteAmounts("zoop", "EUR", 100),
    QuietHours(22, 7),
    VolumeCap("adyen", 10, Period.DAY),
)
PROMISES = (VolumePromise("zoop", Period.DAY, least=10),)


def test_the_first_rule_that_forbids_an_action_gives_its_reason() -> None:
    batch = decision(3, ACTIONS, currency="USD", initiator="mit", local_hour=23)
    ordered = MerchantRules(rules=RULES)
    window = "merchant's limit: 2 attempts of one payment in 1d"
    assert reasons_of(batch, ordered) == [window, window, None]
    turned = MerchantRules(rules=RULES[::-1])
    capped = "route adyen: capped at 10 attempts a day; attempts_today is not known"
    quiet = "merchant's quiet hours: from 22:00 to 07:00 where the cardholder is"
    assert reasons_of(batch, turned) == [capped, quiet, None]


def test_every_reason_has_a_text_and_every_rule_a_sentence() -> None:
    rules = MerchantRules(rules=RULES, promises=PROMISES)
    assert len(rules.texts) == len(set(rules.texts))
    assert len(rules.sentences) == len(RULES) + len(PROMISES) + 2
    assert rules.routes == ("zoop", "adyen")


CONTEXT = st.fixed_dictionaries(
    {
        "currency": st.sampled_from([None, "EUR", "USD"]),
        "amount_minor": st.sampled_from([None, 50, 5_000]),
        "initiator": st.sampled_from([None, "cit", "mit"]),
        "local_hour": st.sampled_from([None, 3, 12]),
        "seconds_to_deadline": st.sampled_from([None, -5, 10_000]),
    }
)
ACTION = st.tuples(st.sampled_from(["adyen", "zoop", "stop"]), st.sampled_from([0, 86_400]))
CASE = st.tuples(CONTEXT, st.integers(1, 20), st.lists(ACTION, min_size=1, max_size=4))


@given(st.lists(CASE, min_size=1, max_size=6), st.permutations(RULES))
def test_stop_is_never_forbidden_and_a_decision_does_not_depend_on_its_neighbours(
    cases: Sequence[tuple[dict[str, object], int, list[tuple[str, int]]]],
    order: Sequence[MerchantRule],
) -> None:
    rules = MerchantRules(rules=order, promises=PROMISES)
    contexts, attempts, actions = (list(column) for column in zip(*cases, strict=True))
    batch = decisions(contexts, attempts, actions)
    together = merchant_reasons(batch, rules)
    assert (together[batch.is_stop] == -1).all()
    alone = [merchant_reasons(batch.take(np.array([row])), rules) for row in range(batch.n)]
    assert together.tolist() == np.concatenate(alone).tolist()


def test_at_least_one_attempt_has_to_be_allowed() -> None:
    with pytest.raises(UserError, match="max_attempts is 0; expected at least 1"):
        MerchantRules(max_attempts=0)
