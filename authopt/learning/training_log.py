"""The log that ``authopt train`` and its like learn from: read with progress, and checked."""

from __future__ import annotations

from collections.abc import Iterator

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.logs.files import AttemptLog
from authopt.logs.schema import PropensitySource
from authopt.rewards import Reward
from authopt.terminal import notes, tracked


def read_log(log: AttemptLog, reward: Reward, what: str) -> Iterator[LoggedBatch]:
    """The log chunk by chunk, with progress."""
    return tracked(log.batches(reward=reward), what, log.num_rows, len)


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
