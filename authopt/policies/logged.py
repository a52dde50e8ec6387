"""The policy that made the log, as the log itself tells it."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.policies.family import Family
from authopt.sampling import normalise


@dataclass(frozen=True, slots=True)
class LoggedPolicy:
    """The logging policy: known where the log holds the probabilities of all eligible actions.

    ``authopt.evaluation.engine`` judges it without asking it: by the mean of the log's own rewards,
    which needs no propensities.
    """

    name: str = "logged"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the probabilities that the log holds, renormalised.

        Raises
        ------
        UserError
            If the batch is no log, or its log has the probability of the logged action alone.
        """
        if not isinstance(batch, LoggedBatch):
            raise UserError(
                "the policy 'logged' is the one that made a log, and knows no others' payments. "
                "Use it with authopt evaluate; to decide new payments take another policy, such as "
                "priority:routes=a,b,c"
            )
        if batch.probability is None:
            raise UserError(
                "the log does not hold the probabilities of all eligible actions "
                "(eligible_probability), so the policy 'logged' cannot be asked for them"
            )
        return normalise(batch, batch.probability)


FAMILY = Family("logged", lambda file, options: LoggedPolicy())
