"""Expired and lost cards, the updater, and authentication."""

from __future__ import annotations

import numpy as np

from authopt.rules import DATA_UPDATED
from tests.simulator.world.sample import WORLD, has, log, numbers, previous_rows


def test_new_card_data_let_an_expired_card_pass_and_nothing_else_does() -> None:
    batch = log(40_000, seed=2)
    rows = has(batch, "previous_response_code", "54") & has(batch, "initiator", "mit")
    chance = WORLD.approval_probability(batch)
    updated = np.repeat(rows & (numbers(batch, DATA_UPDATED) == 1), batch.counts) & ~batch.is_stop
    stale = np.repeat(rows & (numbers(batch, DATA_UPDATED) == 0), batch.counts) & ~batch.is_stop
    assert chance[updated].mean() > 0.6
    assert (chance[stale & (batch.action_delay_s == 0)] == 0).all()


def test_the_updater_brings_the_data_of_about_half_of_the_expired_cards() -> None:
    """40-60% less churn by expiry (dunningcompare.com)."""
    batch = log(40_000, seed=2)
    first = (
        (batch.attempt == 1) & has(batch, "response_code", "54") & has(batch, "initiator", "mit")
    )
    following = WORLD.following(batch.take(np.flatnonzero(first)), 2)
    assert following.n == first.sum()
    assert 0.40 < numbers(following, DATA_UPDATED).mean() < 0.66


def test_tokens_seldom_expire() -> None:
    batch = log(40_000, seed=2)
    bills = (batch.attempt == 1) & has(batch, "initiator", "mit")
    token = numbers(batch, "token") == 1
    expired = has(batch, "response_code", "54")
    assert expired[bills & token].mean() < 0.5 * expired[bills & ~token].mean()


def test_an_authenticated_checkout_is_tried_again_with_three_ds() -> None:
    batch = log(40_000, seed=2)
    row, before = previous_rows(batch)
    asked = has(batch, "response_code", "1A")[before]
    assert asked.sum() > 10
    assert (numbers(batch, "three_ds")[row][asked] == 1).all()
    assert (numbers(batch, DATA_UPDATED)[row][asked] == 1).all()
    sca = has(batch, "issuer_country", "GB", "DE", "FR", "ES", "IT", "NL", "SE", "PL")
    assert sca[has(batch, "response_code", "1A")].all()


def test_some_cardholders_leave_when_asked_to_authenticate() -> None:
    batch = log(40_000, seed=2)
    asked = np.flatnonzero(has(batch, "response_code", "1A"))
    stayed = WORLD.following(batch.take(asked), 2).n
    assert 0.6 < stayed / len(asked) < 0.97


def test_a_lost_card_stays_lost() -> None:
    batch = log(40_000, seed=2)
    lost = np.flatnonzero(has(batch, "response_code", "41", "43") & (batch.attempt == 1)
                          & has(batch, "initiator", "mit"))  # fmt: skip
    following = WORLD.following(batch.take(lost), 2)
    soon = following.action_delay_s <= 86_400
    chance = WORLD.approval_probability(following)
    assert len(lost) > 5
    # Some merchants learn of the new card within the day.
    assert np.mean(chance[soon & ~following.is_stop] == 0) > 0.9
