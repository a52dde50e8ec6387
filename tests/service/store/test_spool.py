"""The spool holds records until the store has them, for all processes that share it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from service.store.records import Kept, Record
from service.store.spool import LOOK_EVERY_S, Spool
from tests.service.store.records import decision, outcome


def into(moved: list[Record]) -> Callable[[Sequence[Record]], list[Kept]]:
    def keep(records: Sequence[Record]) -> list[Kept]:
        moved.extend(records)
        return [Kept(True)] * len(records)

    return keep


def test_processes_that_share_it_give_one_answer(tmp_path: Path) -> None:
    ours, theirs = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    first = decision("d1")
    assert ours.keep([first]) == [Kept(True, first)]
    assert theirs.keep([decision("d1", route="checkout")]) == [Kept(True, first)]
    theirs.keep([decision("d2")])
    assert ours.decision("d2") is None
    ours.catch_up()
    assert ours.decision("d2") == decision("d2")
    ours.close()
    theirs.close()


def test_what_another_process_has_moved_is_forgotten(tmp_path: Path) -> None:
    ours, theirs = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    moved: list[Record] = []
    for decision_id in ("d1", "d2", "d3"):
        # The file of each turn may have the number of the one before it.
        theirs.keep([decision(decision_id)])
        time.sleep(2 * LOOK_EVERY_S)
        ours.catch_up()
        assert ours.decision(decision_id) == decision(decision_id)
        assert theirs.load_into(into(moved)) == 1
    ours.catch_up()
    assert ours.decision("d3") is None
    assert [each.decision_id for each in moved] == ["d1", "d2", "d3"]
    ours.close()
    theirs.close()


def test_others_may_append_while_it_is_loaded(tmp_path: Path) -> None:
    ours, theirs = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    ours.keep([decision(f"d{at}") for at in range(1200)])
    moved: list[Record] = []
    parts = ours.load_in_parts(into(moved))
    assert next(parts) == 500
    assert theirs.keep([decision("d7", route="checkout"), outcome("d7")]) == [
        Kept(True, decision("d7")),
        Kept(True),
    ]
    assert theirs.load_into(into(moved)) == 0
    assert sum(parts) == 701
    assert moved[-1] == outcome("d7")
    assert not ours.holds_any
    ours.close()
    theirs.close()


def test_a_load_that_fails_is_done_again_from_its_beginning(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.keep([decision("d1")])

    def refuse(_: Sequence[Record]) -> list[Kept]:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        spool.load_into(refuse)
    spool.keep([decision("d2")])
    moved: list[Record] = []
    assert Spool(tmp_path / "spool").load_into(into(moved)) == 2
    assert moved == [decision("d1"), decision("d2")]
    spool.close()
