from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.policies.experience_replay import ExperienceReplay, ReplayState

STEPS = st.lists(st.one_of(st.none(), st.integers(0, 7)), max_size=40)
"""None adds an example, a number draws as many."""


def carried_out(replay: ExperienceReplay, steps: list[int | None], first: int = 0) -> list[str]:
    """What was drawn; the examples are numbered."""
    drawn: list[str] = []
    for at, step in enumerate(steps, first):
        if step is None:
            replay.add(f"example {at}")
        else:
            drawn += replay.again(step)
    return drawn


@given(STEPS, STEPS, st.integers(1, 9), st.integers(0, 3))
def test_after_a_restart_it_goes_on_exactly(
    before: list[int | None], after: list[int | None], capacity: int, seed: int
) -> None:
    replay = ExperienceReplay(capacity, seed)
    carried_out(replay, before)
    saved = msgspec.json.decode(msgspec.json.encode(replay.state()), type=ReplayState)
    restored = ExperienceReplay.of_state(saved)
    assert restored.state() == replay.state()
    assert carried_out(restored, after, 100) == carried_out(replay, after, 100)
    assert restored.state() == replay.state()


@given(st.integers(0, 40), st.integers(1, 12))
def test_it_keeps_the_latest_examples_and_no_more_than_it_may(added: int, capacity: int) -> None:
    replay = ExperienceReplay(capacity)
    for at in range(added):
        replay.add(str(at))
    assert len(replay) == min(added, capacity)
    assert set(replay.state().texts) == {str(at) for at in range(max(0, added - capacity), added)}


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 5))
def test_every_example_comes_as_often_as_every_other_one(kept: int, passes: int, seed: int) -> None:
    replay = ExperienceReplay(seed=seed)
    for at in range(kept):
        replay.add(str(at))
    times = Counter(text for _ in range(passes) for text in replay.again(kept))
    assert times == {str(at): passes for at in range(kept)}


def test_orders_differ_by_pass_and_by_seed() -> None:
    orders = []
    for seed in (0, 1):
        replay = ExperienceReplay(seed=seed)
        for at in range(30):
            replay.add(str(at))
        orders += [replay.again(30), replay.again(30)]
    assert all(orders[i] != orders[j] for i in range(4) for j in range(i))


@given(st.integers(0, 9))
def test_nothing_is_drawn_while_nothing_is_kept(count: int) -> None:
    replay = ExperienceReplay()
    assert replay.again(count) == []
    replay.add("first")
    assert replay.again(2) == ["first", "first"]


def test_a_replay_without_room_is_refused() -> None:
    with pytest.raises(UserError, match="expected 1 or more"):
        ExperienceReplay(0)
