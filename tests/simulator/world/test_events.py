"""Events do what they say, when they say it, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.errors import UserError
from simulator.traffic import Traffic
from simulator.world import FraudAttack, RouteAdded, RouteDegraded, RouteDown
from simulator.world.identifiers import of_attack
from tests.simulator.world.sample import WORLD, category, has, numbers, run, sent_at

TRAFFIC = Traffic(4_000, days=20, seed=8)
START = np.datetime64("2026-01-10T06:00:00")
END = np.datetime64("2026-01-14T06:00:00")


def of_route(batch: object, name: str) -> np.ndarray:
    return np.asarray(batch.action_route == batch.routes.index(name))  # type: ignore[attr-defined]


def test_a_route_that_is_down_approves_nothing_then_and_is_unchanged_at_other_times() -> None:
    world = WORLD.with_events(RouteDown("meridian", START, END))
    batch = run(world, TRAFFIC)
    sent = np.repeat(batch.decided_at, batch.counts) + batch.action_delay_s.astype("m8[s]")
    hit = of_route(batch, "meridian") & (sent >= START) & (sent < END)
    chance, usual = world.approval_probability(batch), WORLD.approval_probability(batch)
    assert hit.sum() > 500
    assert (chance[hit] == 0).all()
    assert np.array_equal(chance[~hit], usual[~hit])
    taken = hit[batch.chosen_action]
    code = category(batch, "response_code")
    assert {code.categories[at] for at in np.unique(code.codes[taken])} == {"96"}
    assert (sent_at(batch)[taken] >= START).all()


def test_a_share_of_an_outage_takes_that_share() -> None:
    world = WORLD.with_events(RouteDown("meridian", START, END, share=0.25))
    batch = WORLD.arrivals(TRAFFIC, 0, 2_500)
    hit = of_route(batch, "meridian") & np.repeat(
        (batch.decided_at >= START) & (batch.decided_at < END), batch.counts
    )
    usual = WORLD.approval_probability(batch)[hit]
    assert np.allclose(world.approval_probability(batch)[hit], 0.75 * usual, rtol=1e-9)


def test_a_degradation_concerns_its_issuer_alone_and_grows_along_its_ramp() -> None:
    issuer = WORLD.issuer_names[0]
    ramp_s = 2 * 86_400
    event = RouteDegraded("harbor", START, END, -2.0, issuer=issuer, ramp_s=ramp_s)
    world = WORLD.with_events(event)
    batch = WORLD.arrivals(TRAFFIC, 0, 4_000)
    chance, usual = world.approval_probability(batch), WORLD.approval_probability(batch)
    decided = np.repeat(batch.decided_at, batch.counts)
    hit = of_route(batch, "harbor") & (decided >= START) & (decided < END)
    hit &= np.repeat(has(batch, "issuer", issuer), batch.counts)
    assert hit.sum() > 20
    assert np.array_equal(chance[~hit], usual[~hit])
    at_once = WORLD.with_events(replace(event, ramp_s=0)).approval_probability(batch)
    full = hit & (decided >= START + np.timedelta64(ramp_s, "s"))
    growing = hit & ~full & (usual > 0)
    assert np.array_equal(chance[full], at_once[full])
    assert (at_once[growing] < chance[growing]).all()
    assert (chance[hit & (usual > 0)] < usual[hit & (usual > 0)]).all()


def test_an_added_route_is_not_offered_before_and_is_after() -> None:
    at = np.datetime64("2026-01-12T00:00:00")
    batch = run(WORLD.with_events(RouteAdded("harbor", at)), TRAFFIC)
    there = batch.sum_by_decision(of_route(batch, "harbor").astype(np.float64)) > 0
    usd = has(batch, "currency", "USD")
    assert not there[batch.decided_at < at].any()
    assert there[usd & (batch.decided_at >= at) & (batch.attempt == 1)].all()


def test_routes_may_be_added_one_after_the_other() -> None:
    first, second = np.datetime64("2026-01-08T00:00:00"), np.datetime64("2026-01-12T00:00:00")
    world = WORLD.with_events(RouteAdded("harbor", second), RouteAdded("keystone", first))
    batch = world.arrivals(TRAFFIC, 0, 4_000)
    for name, at in (("harbor", second), ("keystone", first)):
        there = batch.sum_by_decision(of_route(batch, name).astype(np.float64)) > 0
        assert np.array_equal(there, has(batch, "currency", "USD", "MXN", "CAD")
                              & there & (batch.decided_at >= at))  # fmt: skip
        assert there.any()


def test_a_fraud_attack_brings_its_payments_to_its_merchant_on_its_cards() -> None:
    merchant = WORLD.merchant_names[1]
    bins = tuple(np.array(WORLD.cast.products.bins)[WORLD.cast.cards.product[:2]])
    world = WORLD.with_events(FraudAttack(merchant, START, END, 300, bins))
    batch = run(world, TRAFFIC)
    first = batch.take(np.flatnonzero(batch.attempt == 1))
    attack = of_attack(first.payment_id)
    assert first.n == TRAFFIC.payments
    assert attack.sum() == pytest.approx(300, abs=70)
    assert has(first, "merchant_id", merchant)[attack].all()
    assert has(first, "bin", *bins)[attack].all()
    assert has(first, "initiator", "cit")[attack].all()
    assert ((first.decided_at >= START) & (first.decided_at < END))[attack].all()
    assert numbers(first, "fraud_score")[attack].mean() > 0.1
    approved = numbers(first, "approved") == 1
    assert approved[attack].mean() < approved[~attack].mean() - 0.1
    assert (numbers(first, "charged_back")[attack & approved] == 1).mean() > 0.5


def test_payments_outside_an_attack_are_the_same_as_without_it() -> None:
    world = WORLD.with_events(FraudAttack(WORLD.merchant_names[1], START, END, 300))
    with_, without = world.arrivals(TRAFFIC, 0, 4_000), WORLD.arrivals(TRAFFIC, 0, 4_000)
    rest = np.flatnonzero(~of_attack(with_.payment_id))
    one, other = with_.take(rest), without.take(rest)
    assert one.decision_id.equals(other.decision_id)
    for name in ("card_ref",):
        assert one.context[name].equals(other.context[name])
    assert np.array_equal(numbers(one, "fraud_score"), numbers(other, "fraud_score"))


@pytest.mark.parametrize(
    "event",
    [
        RouteDown("nowhere", START, END),
        RouteDegraded("harbor", START, END, -1.0, issuer="nobody"),
        RouteAdded("nowhere", START),
        FraudAttack("nobody", START, END, 10),
        FraudAttack("m-stream-us-1", START, END, 10, ("000000",)),
    ],
)
def test_an_event_with_a_strange_name_is_refused(event: object) -> None:
    with pytest.raises(UserError, match="not of this world"):
        WORLD.with_events(event)  # type: ignore[arg-type]


def test_an_event_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(UserError, match="expected an end after its start"):
        RouteDown("harbor", END, START)
    with pytest.raises(UserError, match="share"):
        RouteDown("harbor", START, END, 1.5)
    with pytest.raises(UserError, match="ramp_s"):
        RouteDegraded("harbor", START, END, -1.0, ramp_s=-1)
