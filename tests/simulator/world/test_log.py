"""What the columns of a log of the world of cards say fits together."""

from __future__ import annotations

import numpy as np
import pytest

from authopt.payments import CONTEXT_FIELDS, OUTCOME_FIELDS, Funding, Initiator, Network
from authopt.rules import DATA_UPDATED, apply_rules
from simulator.traffic import Traffic
from simulator.world.cast_routes import ROUTES, takes
from simulator.world.codes import ADVICE_CODES
from simulator.world.countries import COUNTRIES
from tests.simulator.world.sample import (
    WORLD,
    category,
    has,
    log,
    numbers,
    previous_rows,
    run,
    seconds,
    sent_at,
)


def test_every_field_of_the_domain_is_written() -> None:
    batch = log()
    assert set(batch.context) == {field.name for field in CONTEXT_FIELDS} | {DATA_UPDATED}
    assert set(batch.outcome) == {field.name for field in OUTCOME_FIELDS} - {"reward"}


def test_the_world_speaks_the_domains_words() -> None:
    batch = log()
    assert set(category(batch, "initiator").values()) == set(Initiator)
    assert set(category(batch, "network").values()) <= set(Network)
    assert set(category(batch, "funding").values()) <= set(Funding)
    assert set(category(batch, "issuer_country").values()) == {each.code for each in COUNTRIES}


def test_what_is_known_of_a_card_is_the_same_at_every_payment() -> None:
    batch = log()
    cards = np.array(batch.context["card_ref"].to_pylist())
    _, first, place = np.unique(cards, return_index=True, return_inverse=True)
    assert len(first) < batch.n
    for name in ("bin", "issuer", "network", "funding", "issuer_country"):
        codes = category(batch, name).codes
        assert np.array_equal(codes, codes[first][place])


def test_bins_have_six_or_eight_digits_and_none_begins_with_another() -> None:
    bins = WORLD.cast.products.bins
    assert {len(each) for each in bins} == {6, 8}
    assert all(each.isdecimal() for each in bins)
    assert len({each[:6] for each in bins}) == len(bins)


def test_only_routes_that_take_the_currency_are_offered() -> None:
    batch = log()
    currency = category(batch, "currency")
    for place, name in enumerate(batch.routes):
        route = next((each for each in ROUTES if each.name == name), None)
        if route is None:
            assert name == "stop"
            continue
        of = batch.decision_of_action[batch.action_route == place]
        met = {currency.categories[code] for code in np.unique(currency.codes[of])}
        assert met == {each for each in set(currency.values()) if takes(route, each)}


def test_a_first_attempt_has_no_past() -> None:
    batch = log()
    first = batch.attempt == 1
    for name in ("previous_route", "previous_response_code", "previous_advice_code"):
        assert (category(batch, name).codes[first] == -1).all()
    assert np.isnan(numbers(batch, "seconds_since_first_attempt")[first]).all()
    assert (numbers(batch, "card_declines_24h")[first] == 0).all()
    assert not batch.is_stop[np.repeat(first, batch.counts)].any()


def test_a_later_decision_tells_of_the_attempt_before() -> None:
    batch = log()
    row, before = previous_rows(batch)
    assert len(row) > 1_000
    assert (batch.attempt[row] == batch.attempt[before] + 1).all()
    assert (numbers(batch, "approved")[before] == 0).all()
    for now, then in (("previous_response_code", "response_code"),
                      ("previous_advice_code", "advice_code")):  # fmt: skip
        assert category(batch, now)[row].values() == category(batch, then)[before].values()
    taken = batch.action_route[batch.chosen_action][before]
    assert category(batch, "previous_route")[row].values() == [batch.routes[at] for at in taken]
    since = seconds(batch.decided_at[row]) - seconds(sent_at(batch)[before])
    assert np.array_equal(numbers(batch, "seconds_since_last_attempt")[row], since)
    assert (batch.decided_at[row] >= batch.outcome["outcome_at"][before]).all()


def test_the_clock_since_the_first_attempt_and_to_the_deadline_runs() -> None:
    batch = log()
    ids = np.array(batch.payment_id.to_pylist())
    first = batch.attempt == 1
    sent = dict(zip(ids[first], seconds(sent_at(batch))[first], strict=True))
    grace = dict(zip(ids[first], numbers(batch, "seconds_to_deadline")[first], strict=True))
    later = np.flatnonzero(~first)
    since = seconds(batch.decided_at[later]) - np.array([sent[each] for each in ids[later]])
    assert np.array_equal(numbers(batch, "seconds_since_first_attempt")[later], since)
    left = np.array([grace[each] for each in ids[later]]) - since
    mit = has(batch, "initiator", "mit")[later]
    assert np.array_equal(numbers(batch, "seconds_to_deadline")[later][mit], left[mit])
    assert np.isnan(numbers(batch, "seconds_to_deadline")[later][~mit]).all()


def test_the_counts_of_a_card_are_those_of_the_payments_own_attempts() -> None:
    batch = log()
    assert np.array_equal(numbers(batch, "card_attempts_30d"), batch.attempt - 1.0)
    ids = np.array(batch.payment_id.to_pylist())
    sent = seconds(sent_at(batch))
    declines = numbers(batch, "card_declines_24h")
    for row in np.flatnonzero(batch.attempt > 2)[:400]:
        own = (ids == ids[row]) & (batch.attempt < batch.attempt[row])
        within = (own & (seconds(batch.decided_at)[row] - sent <= 86_400)).sum()
        assert within <= declines[row] <= batch.attempt[row] - 1


def test_refunds_and_chargebacks_come_after_approvals_alone() -> None:
    batch = log()
    approved = numbers(batch, "approved") == 1
    refunded, back = numbers(batch, "refunded_minor"), numbers(batch, "charged_back") == 1
    changed = (refunded > 0) | back
    assert (refunded > 0).any()
    assert back.any()
    assert approved[changed].all()
    assert not ((refunded > 0) & back).any()
    assert (refunded <= numbers(batch, "amount_minor")).all()
    corrected = np.asarray(batch.outcome["corrected_at"])
    assert np.array_equal(~np.isnat(corrected), changed)
    assert (corrected[changed] > batch.outcome["outcome_at"][changed]).all()


def test_a_high_fraud_score_foretells_chargebacks() -> None:
    batch = log()
    first = (batch.attempt == 1) & has(batch, "initiator", "cit")
    score, back = numbers(batch, "fraud_score")[first], numbers(batch, "charged_back")[first] == 1
    assert ((score > 0) & (score < 1)).all()
    assert score[back].mean() > 4 * score[~back].mean()


def test_advice_codes_are_mastercards_and_waits_are_advised_on_bills_without_funds() -> None:
    batch = log()
    advised = category(batch, "advice_code").codes >= 0
    assert has(batch, "network", "mastercard", "maestro")[advised].all()
    waits = has(batch, "advice_code", *(code for code in ADVICE_CODES if "24" <= code <= "30"))
    assert waits.sum() > 50
    assert (has(batch, "response_code", "51") & has(batch, "initiator", "mit"))[waits].all()


def test_giving_up_brings_nothing_and_costs_nothing() -> None:
    batch = log()
    stopped = batch.is_stop[batch.chosen_action]
    assert stopped.any()
    assert (category(batch, "response_code").codes[stopped] == -1).all()
    assert (numbers(batch, "fee_minor")[stopped] == 0).all()
    assert (batch.outcome["outcome_at"][stopped] == batch.decided_at[stopped]).all()


def test_fees_are_whole_minor_units_and_an_approval_costs_more() -> None:
    batch = log()
    fee = numbers(batch, "fee_minor")
    assert np.array_equal(fee, np.round(fee))
    yen = has(batch, "currency", "JPY") & (numbers(batch, "approved") == 1)
    assert (fee[yen] < 0.15 * numbers(batch, "amount_minor")[yen] + 30).all()
    approved = numbers(batch, "approved") == 1
    usd = has(batch, "currency", "USD") & ~batch.is_stop[batch.chosen_action]
    assert fee[usd & approved].mean() > 3 * fee[usd & ~approved].mean()


def test_no_logged_decision_breaks_a_rule() -> None:
    assert apply_rules(log().decisions()).keep.all()


def test_a_subscription_is_billed_every_thirty_days_on_the_same_card() -> None:
    batch = run(WORLD, Traffic(6_000, days=90, seed=3))
    first = batch.take(np.flatnonzero((batch.attempt == 1) & has(batch, "initiator", "mit")))
    number = np.array([int(each[3:]) for each in first.payment_id.to_pylist()])
    at = {each: row for row, each in enumerate(number.tolist())}
    pairs = [(row, at[each + 2_000]) for each, row in at.items() if each + 2_000 in at]
    one, other = np.array(pairs).T
    cards = np.array(first.context["card_ref"].to_pylist())
    same = cards[one] == cards[other]
    monthly = same & (category(first, "merchant_id").codes[one]
                      == category(first, "merchant_id").codes[other])  # fmt: skip
    assert monthly.mean() > 0.6
    one, other = one[monthly], other[monthly]
    assert np.array_equal(
        numbers(first, "amount_minor")[one], numbers(first, "amount_minor")[other]
    )
    apart = (first.decided_at[other] - first.decided_at[one]) / np.timedelta64(1, "D")
    assert np.median(apart) == pytest.approx(30, abs=2)


def test_more_arrives_by_day_than_by_night_and_before_christmas() -> None:
    first = WORLD.arrivals(Traffic(20_000, np.datetime64("2025-07-01"), 184, 5), 0, 20_000)
    hour = (first.decided_at.astype("M8[h]").astype(np.int64)) % 24
    assert (hour == 18).sum() > 2 * (hour == 3).sum()
    month = first.decided_at.astype("M8[M]")
    assert (month == np.datetime64("2025-12")).sum() > 1.1 * (
        month == np.datetime64("2025-08")
    ).sum()
