"""Cells: reproducible, kept whole, run once, and the payments that belong to a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.policies.spec import load_policy
from simulator.leaderboard.cell import Cell, Result, read_result, run_cell, write_result
from simulator.leaderboard.makers import make_policy
from simulator.leaderboard.places import place_named
from simulator.leaderboard.play import played
from simulator.leaderboard.runner import results_of
from simulator.leaderboard.tally import COLUMNS, block_size, tallied
from simulator.truth import OraclePolicy, true_value

LEARNER = "timed(days=3,then=repeat)+success-rate:dimensions=currency"
PAYMENTS = 200


def cells() -> list[Cell]:
    specs = ("uniform", LEARNER, "oracle")
    return [Cell("small", spec, PAYMENTS, seed) for spec in specs for seed in (1, 2)]


def same(one: Result, other: Result) -> bool:
    return all(
        np.array_equal(getattr(one.blocks, name), getattr(other.blocks, name)) for name in COLUMNS
    )


def test_a_cell_gives_the_same_sums_every_time() -> None:
    cell = Cell("small", LEARNER, PAYMENTS, 3)
    assert same(run_cell(cell), run_cell(cell))


def test_another_seed_gives_other_sums() -> None:
    one, other = (run_cell(Cell("small", "uniform", PAYMENTS, seed)) for seed in (1, 2))
    assert not same(one, other)


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    alone = results_of(cells(), tmp_path / "one", workers=1)
    together = results_of(cells(), tmp_path / "two", workers=2)
    assert all(same(one, other) for one, other in zip(alone, together, strict=True))


def test_a_result_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    result = run_cell(Cell("small", "uniform", PAYMENTS, 1))
    write_result(result, tmp_path, "mark")
    assert read_result(result.cell, tmp_path, "another mark") is None
    kept = read_result(result.cell, tmp_path, "mark")
    assert kept is not None
    assert same(result, kept)
    assert (kept.cell, kept.policy) == (result.cell, "uniform")


def test_only_cells_that_are_missing_or_damaged_are_run(tmp_path: Path) -> None:
    first = results_of(cells(), tmp_path)
    lost, torn, *_ = (cell.path(tmp_path) for cell in cells())
    lost.unlink()
    torn.write_bytes(torn.read_bytes()[:-40])
    ran: list[Cell] = []

    def watched(items, total):  # type: ignore[no-untyped-def]
        assert total == 2
        for item in items:
            ran.append(item)
            yield item

    again = results_of(cells(), tmp_path, track=watched)
    assert ran == cells()[:2]
    assert all(same(one, other) for one, other in zip(first, again, strict=True))


def test_a_run_that_breaks_keeps_the_cells_that_were_done(tmp_path: Path) -> None:
    wanted = [Cell("small", "uniform", PAYMENTS, 1), Cell("small", "nonsense", PAYMENTS, 1)]
    with pytest.raises(UserError, match="nonsense"):
        results_of(wanted, tmp_path)
    assert read_result(wanted[0], tmp_path, wanted[0].fingerprint()) is not None
    assert not list(tmp_path.rglob(".*.json.*"))


def test_a_result_of_a_changed_file_does_not_hold(tmp_path: Path) -> None:
    table = tmp_path / "router.csv"
    table.write_text("route,probability\neverywhere,1\nstop,0\n")
    one = Cell("small", f"table:{table},epsilon=0.1", PAYMENTS, 1)
    before = one.fingerprint()
    table.write_text("route,probability\neverywhere,0.5\nstop,0.5\n")
    assert one.fingerprint() != before


def test_fingerprints_tell_place_policy_payments_and_seed_apart() -> None:
    base = Cell("small", "uniform", PAYMENTS, 1)
    others = [
        Cell("cards", "uniform", PAYMENTS, 1),
        Cell("small", "success-rate", PAYMENTS, 1),
        Cell("small", "uniform", PAYMENTS + 1, 1),
        Cell("small", "uniform", PAYMENTS, 2),
    ]
    assert len({cell.fingerprint() for cell in (base, *others)}) == 5


def test_the_value_is_the_true_value_of_the_policy() -> None:
    setting = place_named("small").setting(PAYMENTS, 7)
    blocks = tallied(setting, played(setting, load_policy("uniform")))
    truth = true_value(setting.world, load_policy("uniform"), setting.traffic)
    assert blocks.value.sum() / blocks.payments.sum() == pytest.approx(truth.per_payment)
    assert blocks.attempts.sum() / blocks.payments.sum() == truth.attempts_per_payment
    assert blocks.decisions.sum() == truth.decisions


def test_the_oracle_loses_nothing_and_no_policy_gains_on_it_at_a_decision() -> None:
    setting = place_named("small").setting(PAYMENTS, 7)
    oracle = tallied(setting, played(setting, OraclePolicy(setting.world)))
    np.testing.assert_allclose(oracle.best, oracle.value)
    other = tallied(setting, played(setting, load_policy("uniform")))
    assert (other.best >= other.value - 1e-12).all()


def test_what_exploring_costs_is_measured_against_the_favourite() -> None:
    setting = place_named("small").setting(PAYMENTS, 7)
    order = "priority:routes=everywhere,atlas"
    greedy, mixed = (
        tallied(setting, played(setting, load_policy(spec)))
        for spec in (order, f"{order},epsilon=0.5")
    )
    np.testing.assert_allclose(greedy.favourite, greedy.value)
    assert mixed.favourite.sum() != pytest.approx(mixed.value.sum())


@pytest.mark.parametrize("spec", ["uniform", LEARNER])
def test_a_payment_stands_in_its_own_block_with_all_its_attempts(spec: str) -> None:
    payments = 600
    setting = place_named("small").setting(payments, 5)
    batches = list(played(setting, make_policy(spec, setting)))
    size = block_size(payments)
    expected = {name: np.zeros(-(-payments // size)) for name in ("payments", "decisions")}
    retried_later = False
    for batch in batches:
        for payment, attempt, time in zip(
            batch.payment_id.to_pylist(), batch.attempt, batch.decided_at, strict=True
        ):
            number = int(payment.rpartition("-")[2])
            expected["decisions"][number // size] += 1
            expected["payments"][number // size] += attempt == 1
            retried_later |= time > setting.traffic.start.astype("M8[s]") + np.timedelta64(60, "D")
    blocks = tallied(setting, batches)
    assert retried_later
    np.testing.assert_array_equal(blocks.decisions, expected["decisions"])
    np.testing.assert_array_equal(blocks.payments, expected["payments"])
    assert blocks.payments.sum() == payments


def test_every_policy_meets_the_same_payments() -> None:
    found = [run_cell(cell).blocks.payments for cell in cells() if cell.seed == 1]
    for each in found[1:]:
        np.testing.assert_array_equal(each, found[0])


def test_a_scenario_is_played_to_the_end_of_every_payment() -> None:
    result = run_cell(Cell("new-route", LEARNER, 300, 1))
    assert result.blocks.payments.sum() == 300
    assert result.blocks.attempts.sum() > 300


def test_a_place_that_is_not_known_is_answered_with_those_that_are() -> None:
    with pytest.raises(UserError, match="small, cards, steady, outage"):
        place_named("moon")
