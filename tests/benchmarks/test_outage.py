"""What the outage benchmark reads from a course, and that its outage is one."""

from __future__ import annotations

import numpy as np
import pytest

from authopt.policies.guard import Guarded
from authopt.policies.spec import load_policy
from benchmarks._outage_stage import BIN_S, DOWN, FIRST, ISSUER, Times, course, stage
from benchmarks.outage import POLICIES, RECOMMENDED
from simulator.scenarios.contenders import contenders
from simulator.scenarios.follow import follow_one
from simulator.scenarios.places import MAIN_ROUTE, priority
from simulator.scenarios.scenario import Series

TIMES = Times(before_s=100, down_s=200, after_s=300)


def series(shares: list[float]) -> Series:
    """First attempts of which these shares take the main route, of a hundred in every bin."""
    share = np.array(shares)
    hundred = np.full(len(share), 100.0)
    return Series(
        policy="a policy",
        group=FIRST,
        routes=(MAIN_ROUTE,),
        decisions=hundred,
        attempts=hundred,
        approved=hundred,
        first=hundred,
        first_approved=hundred,
        expected=hundred * 0.8,
        best=hundred * 0.9,
        by_route=(share * 100.0)[:, None],
        eligible=hundred[:, None],
        measures={},
    )


def of(during: list[float], after: list[float]) -> Series:
    return series([0.8] * (TIMES.before_s // BIN_S) + during + after)


def test_a_route_is_left_at_the_end_of_the_first_stretch_with_five_percent() -> None:
    found = course(of([0.8, 0.06, 0.05] + [0.0] * 17, [0.8] * 30), TIMES)
    assert found.left_s == 3 * BIN_S
    assert found.usual == pytest.approx(0.8)
    assert found.kept == 0.0


def test_who_never_leaves_has_no_time_of_leaving() -> None:
    assert course(of([0.3] * 20, [0.8] * 30), TIMES).left_s is None


def test_a_route_is_back_once_three_stretches_together_have_nine_tenths() -> None:
    found = course(of([0.0] * 20, [0.0] * 4 + [0.6, 0.72, 0.8, 0.8] + [0.8] * 22), TIMES)
    assert found.back_s == 8 * BIN_S
    assert course(of([0.0] * 20, [0.7] * 30), TIMES).back_s is None


def test_losses_count_from_the_start_of_the_outage() -> None:
    assert course(of([0.0] * 20, [0.8] * 30), TIMES).lost == pytest.approx(50 * 10.0)


@pytest.mark.parametrize("trouble", [DOWN, ISSUER])
def test_the_trouble_hits_the_main_route_while_it_lasts(trouble: object) -> None:
    times = Times(60, 60, 60)
    where = stage(trouble, times, 1, {"order": priority()})  # type: ignore[arg-type]
    (contender,) = contenders(where.world, where.policies)
    (first,) = (each for each in follow_one(where, contender) if each.group == FIRST)
    rate = first.expected.reshape(3, -1).sum(axis=1) / first.decisions.reshape(3, -1).sum(axis=1)
    assert rate[1] < 0.5 * min(rate[0], rate[2])


def test_every_policy_of_the_benchmark_can_be_made() -> None:
    policies = {label: load_policy(spec) for label, spec in POLICIES.items()}
    assert isinstance(policies[RECOMMENDED], Guarded)
