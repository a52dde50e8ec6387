"""The log that ``authopt train`` and its like learn from: read with progress, and checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.logs.files import AttemptLog
from authopt.logs.schema import PropensitySource
from authopt.logs.trial_columns import ARM, EXPERIMENT
from authopt.rewards import Reward
from authopt.terminal import notes, tracked


def training_batches(log: AttemptLog, reward: Reward) -> Iterator[LoggedBatch]:
    """The log chunk by chunk, without the arms of trials.

    They tell which policy chose, which no policy can know when it is asked.
    """
    for batch in log.batches(reward=reward):
        known = {
            name: column for name, column in batch.context.items() if name not in (EXPERIMENT, ARM)
        }
        yield batch if len(known) == len(batch.context) else replace(batch, context=known)


def read_log(log: AttemptLog, reward: Reward, what: str) -> Iterator[LoggedBatch]:
    """The log of :func:`training_batches`, with progress."""
    return tracked(training_batches(log, reward), what, log.num_rows, len)


def check_propensities(log: AttemptLog) -> None:
    """Refuse a log without propensities; say so where they are estimated."""
    if log.propensity_source is PropensitySource.UNKNOWN:
        raise UserError(
            f"{log.path} has no propensities (the probability with which each logged action was "
            "taken), and without them vw would take the logging policy's habits for success. "
            f"Estimate them first: authopt log propensities {log.path} --out "
            "with-propensities.parquet"
        )
    if log.propensity_source is PropensitySource.ESTIMATED:
        notes().print(
            "[bold yellow]warning[/] the propensities of this log are ESTIMATED; what the logging "
            "policy saw and the log does not hold is learned as if it were the routes' doing"
        )
