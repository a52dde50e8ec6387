"""Balances are full after a payday and run down to the next; waiting for it pays."""

from __future__ import annotations

import numpy as np

from simulator.world.clocks import DAY_S, PAYDAY_KINDS, paydays
from tests.simulator.world.sample import WORLD, category, has, log, sent_at

LATENT = WORLD.cast.latent
DAY = np.datetime64("2026-03-01").astype("M8[s]").astype(np.int64)


def test_a_balance_falls_until_payday_and_jumps_on_it() -> None:
    cards = np.flatnonzero(WORLD.cast.cards.slope > 4)[:400]
    now = np.full(len(cards), DAY + 12 * 3_600)
    wait = LATENT.until_payday_s(cards, now).astype(np.int64)
    assert (wait > 0).all()
    before, after = now + wait - 3_600, now + wait + 3_600
    key = LATENT.day_keys(cards, now)  # the same part of the day's own for both
    jump = LATENT.log_balance(cards, after, key) - LATENT.log_balance(cards, before, key)
    assert (jump > 3.5).all()


def test_monthly_paydays_are_the_first_the_fifteenth_and_the_twenty_fifth() -> None:
    for kind, of_month in zip(range(PAYDAY_KINDS - 3, PAYDAY_KINDS), (1, 15, 25), strict=True):
        cards = np.flatnonzero(WORLD.cast.cards.payday == kind)[:20]
        wait = LATENT.until_payday_s(cards, np.full(len(cards), DAY + 3 * DAY_S))
        paid = (DAY + 3 * DAY_S + wait).astype("M8[s]").astype("M8[D]")
        assert {int(str(day)[-2:]) for day in paid} == {of_month}


def test_the_table_of_paydays_counts_up_to_the_length_of_its_cycle() -> None:
    since, length = paydays()
    assert ((since >= 0) & (since < length)).all()
    step = np.diff(since, axis=1)
    assert np.array_equal(step[step < 0], 1 - length[:, :-1][step < 0])
    assert (step[step > 0] == 1).all()


def test_a_retry_after_payday_works_and_one_before_it_does_not() -> None:
    batch = log()
    # A lack of funds on a card that runs dry: its money is back once the payday has passed.
    rows = has(batch, "previous_response_code", "51") & has(batch, "initiator", "mit")
    batch = batch.take(np.flatnonzero(rows))
    card = np.array([int(each[1:]) for each in batch.context["card_ref"].to_pylist()])
    dry = (WORLD.cast.cards.slope[card] > 4) & (WORLD.cast.cards.log_income[card] > 5)
    place = category(batch, "issuer_country").recode(
        tuple(country for country in category(batch, "issuer_country").categories)
    )
    local = batch.decided_at.astype("M8[s]").astype(np.int64) + WORLD.cast.offset_s[place]
    wait = LATENT.until_payday_s(card, local)
    chance = WORLD.approval_probability(batch)
    late = batch.action_delay_s > np.repeat(wait, batch.counts)
    soon = batch.action_delay_s < np.repeat(wait, batch.counts)
    useful = np.repeat(dry, batch.counts) & ~batch.is_stop
    short = np.repeat(wait < 5 * DAY_S, batch.counts)
    assert chance[useful & late & short].mean() > 0.5
    assert chance[useful & soon].mean() < 0.15


def test_advice_to_wait_follows_the_true_payday() -> None:
    batch = log(40_000, seed=2)
    rows = np.flatnonzero(has(batch, "response_code", "51") & has(batch, "initiator", "mit"))
    batch = batch.take(rows)
    card = np.array([int(each[1:]) for each in batch.context["card_ref"].to_pylist()])
    place = category(batch, "issuer_country").codes
    local = sent_at(batch).astype("M8[s]").astype(np.int64) + WORLD.cast.offset_s[place]
    wait = LATENT.until_payday_s(card, local)
    means = [wait[has(batch, "advice_code", code)].mean() for code in ("25", "27", "30")]
    assert means == sorted(means)
    assert means[0] < 3 * DAY_S < 7 * DAY_S < means[-1]
