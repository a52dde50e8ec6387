"""Donors: as like as can be found, and any one of them as likely."""

from __future__ import annotations

import numpy as np

from authopt.batch import Categorical
from simulator.replay.donors import APPROVALS, DECLINES, donors_among
from tests.simulator.replay.small_logs import log


def of(name: str, rows: np.ndarray) -> list[str | None]:
    column = log().batch.context[name]
    assert isinstance(column, Categorical)
    return column[rows].values()


def test_donors_end_as_asked_for_and_share_what_matters_most() -> None:
    batch = log().batch
    donors = donors_among(batch, log().declined, DECLINES)
    found = donors.draw(batch, np.full(batch.n, 0.5))
    assert log().declined[found].all()
    everywhere = np.arange(batch.n)
    same = [a == b for a, b in zip(of("currency", everywhere), of("currency", found), strict=True)]
    assert np.mean(same) > 0.99


def test_every_donor_of_a_class_is_drawn_alike() -> None:
    batch = log().batch
    donors = donors_among(batch, log().declined, ("",))
    one = batch.take(np.zeros(20_000, np.int64))
    found = donors.draw(one, (np.arange(20_000) + 0.5) / 20_000)
    times = np.bincount(found, minlength=batch.n)[log().declined]
    assert times.min() >= 20_000 // log().declined.sum()
    assert times.max() <= 20_000 // log().declined.sum() + 1


def test_without_any_donor_there_is_none() -> None:
    batch = log().batch
    donors = donors_among(batch, np.zeros(batch.n, np.bool_), APPROVALS)
    assert (donors.draw(batch, np.zeros(batch.n)) == -1).all()
