"""Bounds of a value where the log lacks support, under an assumption on delays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import FloatArray, IntArray, LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.block import Block
from authopt.evaluation.bound_sums import BoundSums, PartialValue
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.support_bounds import (
    LONGER,
    NEAREST,
    SHORTER,
    Assumption,
    Lipschitz,
    Monotone,
    bounds_under,
    move,
    parse_assumption,
)
from tests.authopt.evaluation.propensities.faulty import block_of
from tests.factories import logged_batch

HOUR = 3600
DELAYS = np.array([0, 1, 6, 24, 72]) * HOUR
ROUTES = 2


@dataclass(frozen=True)
class World:
    """Decisions with two routes at five delays each, some without support."""

    log: LoggedArrays
    route: IntArray
    delay_s: IntArray
    evaluation: FloatArray
    mean: FloatArray
    """Mean reward of every action."""

    @property
    def value(self) -> float:
        return float(self.log.sum_by_decision(self.evaluation * self.mean).mean())


def world(seed: int, shape: Assumption | None = None, n: int = 12) -> World:
    rng = np.random.default_rng(seed)
    k = ROUTES * len(DELAYS)
    p = rng.dirichlet(np.ones(k), n) * (rng.random((n, k)) < 0.5)
    p[:, 0] += 1e-3
    p /= p.sum(axis=1, keepdims=True)
    chosen = np.array([rng.choice(k, p=row) for row in p])
    evaluation = rng.dirichlet(np.ones(k) / 3, n)
    mean = rng.random((n, ROUTES, len(DELAYS)))
    if isinstance(shape, Monotone):
        mean = np.sort(mean, axis=2)
        if not shape.rising:
            mean = mean[:, :, ::-1]
    elif shape is not None:
        hours = np.diff(DELAYS) / HOUR
        steps = rng.uniform(-1, 1, (n, ROUTES, len(hours))) * shape.per_hour * hours
        mean = np.cumsum(np.concatenate([mean[:, :, :1], steps], axis=2), axis=2)
        # Clipping keeps a function Lipschitz.
        mean = np.clip(mean, 0.0, 1.0)
    log = LoggedArrays(
        offsets=np.arange(n + 1) * k,
        chosen=chosen,
        reward=np.zeros(n),
        propensity=p[np.arange(n), chosen],
        probability=p.ravel(),
    )
    route = np.tile(np.repeat(np.arange(ROUTES), len(DELAYS)), n)
    return World(log, route, np.tile(DELAYS, n * ROUTES), evaluation.ravel(), mean.ravel())


def slowly_moved(
    given: World, direction: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """The definition, action by action."""
    p, moved = given.log.probability, given.evaluation.copy()
    assert p is not None
    mass, distance, stranded = (np.zeros(given.log.n) for _ in range(3))
    for i in range(given.log.n):
        actions = range(int(given.log.offsets[i]), int(given.log.offsets[i + 1]))
        supported = [a for a in actions if p[a] > 0.0]
        for a in actions:
            if p[a] > 0.0 or not given.evaluation[a]:
                continue
            homes = [
                s
                for s in supported
                if given.route[s] == given.route[a]
                and (direction >= 0 or given.delay_s[s] < given.delay_s[a])
                and (direction <= 0 or given.delay_s[s] > given.delay_s[a])
            ]
            if not homes:
                stranded[i] += given.evaluation[a]
                continue
            home = min(
                homes, key=lambda s: (abs(given.delay_s[s] - given.delay_s[a]), given.delay_s[s])
            )
            moved[home] += given.evaluation[a]
            moved[a] -= given.evaluation[a]
            mass[i] += given.evaluation[a]
            distance[i] += given.evaluation[a] * abs(given.delay_s[home] - given.delay_s[a]) / HOUR
    return moved, mass, distance, stranded


@given(st.integers(0, 10_000), st.sampled_from([SHORTER, NEAREST, LONGER]))
def test_mass_moves_to_the_supported_delay_that_the_definition_names(
    seed: int, direction: int
) -> None:
    given_world = world(seed)
    shuffled = np.random.default_rng(seed).permutation(ROUTES * len(DELAYS))
    order = (np.arange(12)[:, None] * len(shuffled) + shuffled).ravel()
    # The order in which actions are listed must not matter; the logged action moves with them.
    chosen = np.argsort(shuffled)[given_world.log.chosen]
    assert given_world.log.probability is not None
    mixed = World(
        replace(given_world.log, probability=given_world.log.probability[order], chosen=chosen),
        given_world.route[order],
        given_world.delay_s[order],
        given_world.evaluation[order],
        given_world.mean[order],
    )
    found = move(mixed.log, mixed.route, mixed.delay_s, mixed.evaluation, direction)
    expected = slowly_moved(mixed, direction)
    for mine, slow in zip(
        (found.probabilities, found.mass, found.distance_h, found.stranded), expected, strict=True
    ):
        assert np.allclose(mine, slow, atol=1e-12)


@given(
    st.integers(0, 10_000),
    st.sampled_from(
        [Lipschitz(0.0), Lipschitz(0.01), Lipschitz(0.5), Monotone(True), Monotone(False)]
    ),
)
def test_the_bounds_hold_the_value_of_every_world_that_meets_the_assumption(
    seed: int, assumption: Assumption
) -> None:
    given_world = world(seed, assumption)
    log, p = given_world.log, given_world.log.probability
    assert p is not None
    bounds = bounds_under(
        assumption, log, given_world.route, given_world.delay_s, given_world.evaluation, span=1.0
    )
    known = np.where(p > 0.0, given_world.mean, 0.0)
    value = log.sum_by_decision(given_world.evaluation * given_world.mean)
    lowest = log.sum_by_decision(bounds.lower.probabilities * known) - bounds.slack
    highest = log.sum_by_decision(bounds.upper.probabilities * known) + bounds.slack
    assert (lowest <= value + 1e-12).all()
    assert (value <= highest + bounds.upper.stranded + 1e-12).all()


@given(st.integers(0, 10_000))
def test_bounds_without_any_change_by_delay_are_a_point_where_every_route_has_support(
    seed: int,
) -> None:
    given_world = world(seed, Lipschitz(0.0))
    bounds = bounds_under(
        Lipschitz(0.0),
        given_world.log,
        given_world.route,
        given_world.delay_s,
        given_world.evaluation,
        span=1.0,
    )
    assert bounds.slack.max() == 0.0
    sound = bounds.lower.stranded == 0.0
    moved = given_world.log.sum_by_decision(bounds.lower.probabilities * given_world.mean)
    truth = given_world.log.sum_by_decision(given_world.evaluation * given_world.mean)
    assert np.allclose(moved[sound], truth[sound])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lipschitz:0.02/h", Lipschitz(0.02)),
        ("lipschitz:0.48/d", Lipschitz(0.02)),
        ("lipschitz:0.5/min", Lipschitz(30.0)),
        ("monotone:delay:up", Monotone(True)),
        ("monotone:delay:down", Monotone(False)),
    ],
)
def test_assumptions_are_read_from_text_and_written_back(text: str, expected: Assumption) -> None:
    found = parse_assumption(text)
    assert str(found) == str(expected)
    assert parse_assumption(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lipschitz",
        "lipschitz:0.1",
        "lipschitz:-1/h",
        "lipschitz:-/h",
        "lipschitz:inf/h",
        "lipschitz:1e999/h",
        "monotone:delay",
        "monotone:route:up",
        "smooth:0.1/h",
    ],
)
def test_what_is_no_assumption_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match=r"xpected"):
        parse_assumption(text)


def test_a_log_that_does_not_say_what_has_support_is_refused() -> None:
    given_world = world(0)
    blind = replace(given_world.log, probability=None)
    with pytest.raises(UserError, match="eligible_probability"):
        move(blind, given_world.route, given_world.delay_s, given_world.evaluation)


def delayed(n: int, seed: int, rate: FloatArray) -> LoggedBatch:
    """Two routes at three delays of which the log takes the first two; rates by delay."""
    batch = logged_batch(n, ("a", "b") * 3, seed=seed)
    batch = replace(
        batch,
        routes=("a", "b"),
        action_route=np.tile(np.array([0, 1] * 3, np.int32), n),
        action_delay_s=np.tile(np.repeat(np.array([0, 6, 24]) * HOUR, 2), n),
        chosen=np.zeros(n, np.int64),
        probability=None,
    )
    rng = np.random.default_rng(seed)
    p = np.concatenate([rng.dirichlet(np.ones(4) * 3, n), np.zeros((n, 2))], axis=1)
    chosen = (rng.random(n)[:, None] > np.cumsum(p, axis=1)).sum(axis=1).clip(0, 3)
    reward = (rng.random(n) < rate[chosen // 2]).astype(np.float64)
    return replace(
        batch,
        probability=p.ravel(),
        chosen=chosen,
        propensity=p[np.arange(n), chosen],
        reward=reward,
    )


def judged(assumption: Assumption, batch: LoggedBatch, *cuts: int) -> PartialValue:
    """A policy that puts half of its mass on the delay of 24 hours."""
    n = batch.n
    probabilities = np.tile(np.array([0.5, 0.0, 0.0, 0.0, 0.25, 0.25]), n)
    sums = BoundSums.empty(assumption, 0.0, 1.0, with_model=False)
    for start, stop in zip((0, *cuts), (*cuts, n), strict=True):
        part = BoundSums.empty(assumption, 0.0, 1.0, with_model=False)
        part.add(block_of(batch.take(slice(start, stop))), probabilities[6 * start : 6 * stop])
        sums = sums + part
    sums = BoundSums.from_state(sums.state())
    return sums.value(clusters=(n + 1) // 2, confidence=0.95)


RATES = np.array([0.4, 0.5, 0.6])
VALUE = 0.5 * RATES[0] + 0.5 * RATES[2]


@pytest.mark.parametrize(
    ("assumption", "lower", "upper"),
    [
        # The last delay is 18 hours from the nearest one with support.
        (Lipschitz(0.006), 0.45 - 0.5 * 18 * 0.006, 0.45 + 0.5 * 18 * 0.006),
        (Monotone(True), 0.45, 0.2 + 0.5),
        (Monotone(False), 0.2, 0.45),
        (Lipschitz(10.0), 0.0, 0.95),
    ],
)
def test_the_bounds_of_a_long_log_are_those_that_the_assumption_gives(
    assumption: Assumption, lower: float, upper: float
) -> None:
    found = judged(assumption, delayed(40_000, 1, RATES))
    assert found.lower == pytest.approx(lower, abs=0.015)
    assert found.upper == pytest.approx(upper, abs=0.015)


@pytest.mark.parametrize("assumption", [Lipschitz(0.006), Monotone(True)])
def test_the_interval_covers_the_value(assumption: Assumption) -> None:
    held = 0
    for seed in range(60):
        interval = judged(assumption, delayed(400, seed, RATES)).interval
        held += interval.lower <= VALUE <= interval.upper
    assert held >= 57


def test_an_assumption_narrows_the_interval() -> None:
    batch = delayed(2_000, 3, RATES)
    anything = judged(Lipschitz(1e6), batch).interval
    for assumption in (Lipschitz(0.006), Monotone(True), Monotone(False)):
        interval = judged(assumption, batch).interval
        assert interval.width < 0.8 * anything.width
        assert interval.lower >= anything.lower - 1e-9


def test_the_gain_is_bounded_too() -> None:
    batch = delayed(4_000, 5, RATES)
    gain = judged(Lipschitz(0.006), batch).gain
    truth = VALUE - float(batch.reward.mean())
    assert gain.lower <= truth <= gain.upper
    assert gain.width < 0.5


def test_parts_add_up_to_the_whole() -> None:
    batch = delayed(300, 2, RATES)
    whole, parts = judged(Lipschitz(0.006), batch), judged(Lipschitz(0.006), batch, 1, 17, 200)
    assert parts.interval.lower == pytest.approx(whole.interval.lower, abs=1e-9)
    assert parts.upper == pytest.approx(whole.upper, abs=1e-12)
    assert parts.moved == pytest.approx(0.5)


def test_full_support_needs_no_assumption() -> None:
    batch = delayed(500, 4, RATES)
    sums = BoundSums.empty(Lipschitz(0.1), 0.0, 1.0, with_model=False)
    sums.add(block_of(batch), np.tile(np.array([0.5, 0.5, 0.0, 0.0, 0.0, 0.0]), 500))
    found = sums.value(clusters=250, confidence=0.95)
    assert found.lower == found.upper
    assert (found.moved, found.stranded) == (0.0, 0.0)


def test_plain_arrays_have_no_delays_to_assume_anything_of() -> None:
    block = block_of(delayed(20, 0, RATES))
    bare = Block(arrays=block.arrays, hashes=block.hashes, bucket=block.bucket, own=block.own)
    with pytest.raises(UserError, match="routes and delays"):
        BoundSums.empty(Monotone(True), 0.0, 1.0, False).add(bare, np.ones(120) / 6)
