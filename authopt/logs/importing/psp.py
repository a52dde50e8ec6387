"""A column of a provider's raw codes becomes the network's response and advice codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, Categorical, Column, IntArray
from authopt.logs.importing.mapping import PSP_CODE, Mapping
from authopt.rules.psp_codes import GENERIC, read_psp_codes


@dataclass(frozen=True, slots=True, eq=False)
class Translated:
    """n attempts' codes.

    Attributes
    ----------
    columns
        ``response_code``, the raw code as ``x_psp_code``, and ``advice_code`` where a provider's
        code implies one.
    unknown
        bool[n], the provider's table does not know the raw code: the response code is a generic
        decline.
    """

    columns: dict[str, Column]
    unknown: BoolArray


def translated(raw: list[str], route: IntArray, mapping: Mapping) -> Translated:
    """The codes of n attempts.

    Parameters
    ----------
    raw
        as the provider writes them; empty where there is none.
    route
        int64[n], index into the eligible routes; where the mapping names a provider for some routes
        only, the codes of the others are taken for the network's.
    mapping
        says which provider's codes these are.
    """
    tables = {name: read_psp_codes(path) for name, path in mapping.psp_tables().items()}
    of_route = [tables.get(mapping.psp_of(name) or "") for name in mapping.routes.eligible]
    response: list[str | None] = []
    advice: list[str | None] = []
    kept: list[str | None] = []
    unknown = np.zeros(len(raw), np.bool_)
    for row, (text, place) in enumerate(zip(raw, route.tolist(), strict=True)):
        # A row of a route that is not eligible is rejected later on.
        table = of_route[place] if place >= 0 else None
        found = table.find(text) if table is not None and text else None
        unknown[row] = table is not None and bool(text) and found is None
        translation = GENERIC if unknown[row] else text
        response.append(found.response_code if found else translation or None)
        advice.append(found.advice_code if found else None)
        kept.append(text or None if table is not None else None)
    columns: dict[str, Column] = {"response_code": Categorical.from_values(response)}
    if any(table.has_advice for table in tables.values()):
        columns["advice_code"] = Categorical.from_values(advice)
    columns[PSP_CODE] = Categorical.from_values(kept)
    return Translated(columns, unknown)
