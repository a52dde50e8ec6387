"""What the codes of the previous attempt mean, as the rules' newest tables say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from authopt.batch import BoolArray, CodeArray, DecisionBatch
from authopt.rules import Rules
from authopt.rules.standing import standing
from authopt.rules.tables import CodeTable

NOT_KNOWN = np.int8(-1)

MeaningArray = npt.NDArray[np.int8]


def code_meanings(batch: DecisionBatch, rules: Rules) -> tuple[MeaningArray, MeaningArray]:
    """Response categories and advice permissions, int8[n] each.

    They index ``CATEGORIES`` and ``PERMISSIONS`` of the rules; -1 where there is no code, or none
    that the tables know.
    """
    known = standing(batch, rules)
    return (
        _meaning(known.network, known.response, known.has_response, rules.response),
        _meaning(known.network, known.advice, known.has_advice, rules.advice),
    )


def _meaning(network: CodeArray, code: CodeArray, has: BoolArray, table: CodeTable) -> MeaningArray:
    return np.where(has, table.meaning[network, code], NOT_KNOWN)
