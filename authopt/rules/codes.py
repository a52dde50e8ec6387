"""What one code means on one network, in words: for people, where the mask is for batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from authopt.batch import DecisionBatch
from authopt.errors import UserError
from authopt.rules.rule_set import DEFAULT_RULES, UNKNOWN_ADVICE, NetworkRules, Rules
from authopt.rules.standing import standing
from authopt.rules.table_rows import ANY_NETWORK, NETWORKS
from authopt.rules.tables import CATEGORIES, PERMISSIONS, Category, CodeTable, Permission, canonical

PERMISSION_OF = {
    Category.NEVER: Permission.NEVER,
    Category.NOT_NOW: Permission.LATER,
    Category.DATA_QUALITY: Permission.WITH_NEW_DATA,
    Category.GENERIC: Permission.LATER,
}
"""What a response code's category permits; the networks' limits hold besides."""


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What the tables say of one code.

    Attributes
    ----------
    network
        the network asked about.
    line_for
        the networks that the line is for; ``*`` where the network has none of its own, empty where
        the tables do not know the code.
    kind
        ``response_code`` or ``advice_code``.
    code
        as the tables write it.
    known
        whether the tables have it for the network.
    meaning
        in words.
    category
        of a response code; None for advice.
    permission
        what it permits.
    wait_s
        least wait from the last attempt, seconds; 0 where none is published.
    source, effective_from, note
        where the line is from, since when it holds (empty: always), and what else there is to say.
    """

    network: str
    line_for: str
    kind: str
    code: str
    known: bool
    meaning: str
    category: Category | None
    permission: Permission
    wait_s: int
    source: str
    effective_from: str
    note: str


def code_facts(
    network: str, response_code: str | None, advice_code: str | None, rules: NetworkRules
) -> tuple[CodeFacts, ...]:
    """What the codes of one answer mean: the response code's facts, then the advice code's.

    Parameters
    ----------
    network
        a network of :class:`authopt.payments.Network`, or ``*`` for one that is not known.
    response_code, advice_code
        as they came; None where there is none.
    rules
        those of one day: ``rules.networks.newest``, or ``rules.networks.on(day)``.

    Raises
    ------
    UserError
        If there is no such network.
    """
    place = _place(network)
    found = []
    if response_code is not None:
        found.append(_response(network, place, canonical(response_code), rules.response))
    if advice_code is not None:
        found.append(_advice(network, place, canonical(advice_code), rules.advice))
    return tuple(found)


def known_codes(network: str, rules: NetworkRules) -> Iterator[CodeFacts]:
    """The facts of every code that the tables have for a network, response codes first.

    Raises
    ------
    UserError
        If there is no such network.
    """
    place = _place(network)
    for table, facts in ((rules.response, _response), (rules.advice, _advice)):
        for number in sorted(range(len(table.codes)), key=lambda each: table.codes[each]):
            if table.row[place, number] >= 0:
                yield facts(network, place, table.codes[number], table)


def response_category(batch: DecisionBatch, rules: Rules = DEFAULT_RULES) -> npt.NDArray[np.int8]:
    """What the previous response code says on each decision's network, by the newest tables.

    Returns
    -------
    int8[n]
        Index into ``tables.CATEGORIES``; -1 where there is no code or the tables do not know it.
    """
    known = standing(batch, rules.networks.newest)
    return rules.response.meaning[known.network, known.response]


def advice_permission(batch: DecisionBatch, rules: Rules = DEFAULT_RULES) -> npt.NDArray[np.int8]:
    """What the previous advice code says on each decision's network, by the newest tables.

    Returns
    -------
    int8[n]
        Index into ``tables.PERMISSIONS``; -1 where there is no advice or the tables do not know it.
    """
    known = standing(batch, rules.networks.newest)
    return rules.advice.meaning[known.network, known.advice]


def _place(network: str) -> int:
    if network == ANY_NETWORK:
        return -1
    if network not in NETWORKS:
        raise UserError(f"network {network!r}; expected one of: {', '.join(NETWORKS)}, or *")
    return NETWORKS.index(network)


def _response(network: str, place: int, code: str, table: CodeTable) -> CodeFacts:
    at = place, table.codes.index(code) if code in table.codes else -1
    if table.row[at] < 0:
        meaning = "not in the tables: counts as a generic decline"
        generic = Category.GENERIC
        return _unknown(network, "response_code", code, meaning, generic, PERMISSION_OF[generic])
    category = CATEGORIES[table.meaning[at]]
    return _known(network, "response_code", table, at, category, PERMISSION_OF[category])


def _advice(network: str, place: int, code: str, table: CodeTable) -> CodeFacts:
    at = place, table.codes.index(code) if code in table.codes else -1
    if table.row[at] >= 0:
        return _known(network, "advice_code", table, at, None, PERMISSIONS[table.meaning[at]])
    meaning, permission = UNKNOWN_ADVICE, Permission.NEVER
    if not np.any(table.own[place]):
        meaning, permission = "means nothing on this network", Permission.LATER
    return _unknown(network, "advice_code", code, meaning, None, permission)


def _known(
    network: str,
    kind: str,
    table: CodeTable,
    at: tuple[int, int],
    category: Category | None,
    permission: Permission,
) -> CodeFacts:
    row = table.rows[table.row[at]]
    words = {name: row.value(name) for name in ("meaning", "source", "effective_from", "note")}
    return CodeFacts(
        network=network,
        line_for=row.value("network"),
        kind=kind,
        code=table.codes[at[1]],
        known=True,
        category=category,
        permission=permission,
        wait_s=int(table.wait_s[at]),
        **words,
    )


def _unknown(
    network: str,
    kind: str,
    code: str,
    meaning: str,
    category: Category | None,
    permission: Permission,
) -> CodeFacts:
    return CodeFacts(
        network, "", kind, code, False, meaning, category, permission, 0, "authopt", "", ""
    )
