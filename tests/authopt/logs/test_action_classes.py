"""Actions of the log are told apart by route and delay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from authopt.actions import Action
from authopt.batch import LoggedBatch
from authopt.logs.action_classes import ActionClasses, ActionCounter
from tests.factories import logged_batch

LOG = logged_batch(n=100, routes=("b", "a"))


def counted(*batches: LoggedBatch) -> ActionClasses:
    counter = ActionCounter()
    assert [batch.n for batch in counter.counting(batches)] == [batch.n for batch in batches]
    return counter.classes()


def test_every_pair_of_route_and_delay_is_a_class_with_its_counts() -> None:
    later = replace(LOG, action_delay_s=np.tile([0, 3600], 100))
    classes = counted(LOG.take(slice(60)), later.take(slice(60, None)))
    assert classes.actions == (Action("a"), Action("a", 3600), Action("b"))
    assert classes.offered.tolist() == [60, 40, 100]
    assert classes.taken.sum() == 100
    assert classes.taken[2] == (LOG.chosen == 0).sum()


def test_classes_do_not_depend_on_vocabularies() -> None:
    swapped = replace(LOG, routes=("a", "b"), action_route=1 - LOG.action_route)
    classes = counted(LOG)
    assert (classes.of(LOG) == classes.of(swapped)).all()


def test_an_action_that_the_log_never_offered_has_no_class() -> None:
    classes = counted(LOG)
    assert (classes.of(replace(LOG, routes=("b", "c"))).reshape(-1, 2)[:, 1] == -1).all()
    assert (classes.of(replace(LOG, action_delay_s=np.full(LOG.m, 5))) == -1).all()


def test_too_many_delays_are_taken_together_in_bands() -> None:
    delays = np.arange(LOG.m, dtype=np.int64) * 1000
    classes = counted(replace(LOG, action_delay_s=delays))
    assert classes.banded
    assert Action("b") in classes.actions
    assert Action("a", 24 * 3600) in classes.actions
    assert classes.offered.sum() == LOG.m
    found = classes.of(replace(LOG, action_delay_s=delays + 1))
    assert (found >= 0).all()
