"""The sample log's first decisions, and models that learned from them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from authopt.batch import LoggedBatch
from authopt.logs.files import open_log
from authopt.policies.online import OnlineVw

SAMPLE = Path(__file__).parents[3] / "data" / "sample.parquet"


@cache
def sample_log(rows: int = 1_200) -> LoggedBatch:
    """Decisions of the sample: first attempts, and retries with a choice of delays and ``stop``."""
    columns = ["issuer", "network", "token", "amount_minor", "previous_response_code"]
    columns += ["approved", "seconds_since_first_attempt", "previous_route", "local_hour"]
    return next(iter(open_log(SAMPLE).batches(chunk_rows=rows, columns=columns)))


@cache
def online(gamma: float = 0.0) -> OnlineVw:
    """A learner that has learned from the sample and still tries; not to be taught more."""
    policy = OnlineVw(tries=300, gamma=gamma, bits=18, plan=True)
    policy.update(sample_log())
    return policy


def first_attempt() -> LoggedBatch:
    """One decision without a choice of time."""
    return sample_log().take(np.flatnonzero(sample_log().attempt == 1)[5:6])


def retry() -> LoggedBatch:
    """One decision between routes, delays and ``stop``."""
    return sample_log().take(np.flatnonzero(sample_log().attempt == 2)[3:4])


def without_propensities(batch: LoggedBatch) -> LoggedBatch:
    """As a log that was made by rules, which say nothing of chances."""
    return replace(batch, propensity=np.full(batch.n, np.nan), probability=None)
