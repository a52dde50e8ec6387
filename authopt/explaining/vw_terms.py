"""A linear Vowpal Wabbit model taken apart, exactly: what every feature adds to a score.

With interactions the score of an action is a sum over sets of its features: the constant, every
feature alone, and pairs and triples whose namespaces interact. The model itself is asked about
those sets, and the weight of a set S is what is left when that of every smaller set is taken away,

    weight(S) = sum over T in S of (-1)^(|S| - |T|) score(T)

(Moebius inversion; the "Harsanyi dividends" of cooperative games). So no hash of VW's is computed
here, collisions included in what is shown, and the weights sum to the score, but for the float32
in which VW adds up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from urllib.parse import unquote

from authopt.features.tabular import DELAY
from authopt.features.vw_features import VwColumn, VwFeatures
from authopt.payments import CONTEXT_BY_NAME, Kind
from authopt.rules.durations import duration

LINES = 256
"""Actions of an example that the model is asked with."""

CONSTANT = "(constant)"


@dataclass(frozen=True, slots=True)
class _Feature:
    """One feature of one line: where it stands, and whether it is the action's own."""

    namespace: str
    token: str
    of_action: bool


Ask = Callable[[list[str]], list[float]]
"""Gives what a model predicts for every action of some examples, one after the other."""


def linear_terms(ask: Ask, text: str, features: VwFeatures) -> list[dict[str, float]]:
    """What features add to the prediction of every action of one example.

    Parameters
    ----------
    ask
        the model.
    text
        an example as ``authopt.features.vw_text`` writes it.
    features
        the declaration by which it was written.

    Returns
    -------
    list of dict
        One per action, in their order: the weight of every feature, or of features together, by a
        name that people can read. What belongs to the action has the same name in all actions:
        ``issuer loire x route``. The weights of an action sum to its prediction.
    """
    shared, *lines = [_parsed(line) for line in text.splitlines() if line]
    actions = [(*_features(shared, False), *_features(line, True)) for line in lines]
    sets = [_sets(action, features.interactions) for action in actions]
    needed = dict.fromkeys(
        tuple(action[place] for place in subset)
        for action, each in zip(actions, sets, strict=True)
        for subset in each
    )
    found = dict(zip(needed, _asked(ask, list(needed)), strict=True))
    namer = _Namer(features)
    return [
        _weights(action, each, found, namer) for action, each in zip(actions, sets, strict=True)
    ]


def _weights(
    action: Sequence[_Feature],
    sets: Sequence[tuple[int, ...]],
    found: Mapping[tuple[_Feature, ...], float],
    namer: _Namer,
) -> dict[str, float]:
    weight: dict[tuple[int, ...], float] = {}
    named: dict[str, float] = {}
    # Smaller sets come first, so that theirs are known.
    for subset in sets:
        below = (part for size in range(len(subset)) for part in combinations(subset, size))
        members = tuple(action[place] for place in subset)
        weight[subset] = found[members] - sum(weight[part] for part in below)
        name = namer.of(members)
        named[name] = named.get(name, 0.0) + weight[subset]
    return named


def _sets(action: Sequence[_Feature], interactions: Iterable[str]) -> list[tuple[int, ...]]:
    """Sets of places of features that may have a weight, with all that is in them, small first."""
    sets: dict[tuple[int, ...], None] = {(): None}
    sets |= dict.fromkeys((place,) for place in range(len(action)))
    for letters in interactions:
        among = [
            [place for place, each in enumerate(action) if each.namespace[0] == letter]
            for letter in letters
        ]
        for chosen in product(*among):
            whole = tuple(sorted(set(chosen)))
            if whole not in sets:
                for size in range(2, len(whole) + 1):
                    sets |= dict.fromkeys(combinations(whole, size))
    return sorted(sets, key=len)


def _asked(ask: Ask, sets: Sequence[tuple[_Feature, ...]]) -> list[float]:
    """The prediction for every set of features, each as an action of its own."""
    texts = []
    for start in range(0, len(sets), LINES):
        lines = [_line(members) for members in sets[start : start + LINES]]
        texts.append("\n".join(["shared ", *lines, "", ""]))
    return ask(texts)


def _line(members: Sequence[_Feature]) -> str:
    by_namespace: dict[str, list[str]] = {}
    for each in members:
        by_namespace.setdefault(each.namespace, []).append(each.token)
    parts = [f"|{namespace} {' '.join(tokens)}" for namespace, tokens in by_namespace.items()]
    return " ".join(parts) or "|nothing "


def _parsed(line: str) -> list[tuple[str, list[str]]]:
    """Namespaces of a line with their tokens; what stands before the first is no feature."""
    _, *parts = line.split("|")
    return [(words[0], words[1:]) for words in (part.split() for part in parts)]


def _features(parsed: Iterable[tuple[str, list[str]]], of_action: bool) -> list[_Feature]:
    return [_Feature(name, token, of_action) for name, tokens in parsed for token in tokens]


class _Namer:
    """Names of sets of features for people."""

    __slots__ = ("_columns",)

    def __init__(self, features: VwFeatures) -> None:
        self._columns: dict[str, VwColumn] = {
            each.name: each for each in (*features.context, *features.action)
        }

    def of(self, members: Sequence[_Feature]) -> str:
        return " x ".join(self._name(each) for each in members) or CONSTANT

    def _name(self, feature: _Feature) -> str:
        token = feature.token
        column = unquote(token.rstrip("?").partition("=")[0].partition("#")[0])
        if feature.of_action:
            return column
        if token.endswith("?"):
            return f"{column} unknown"
        _, equals, value = token.partition("=")
        if equals:
            return f"{column} {unquote(value)}"
        edges = self._columns[column].edges or ()
        return f"{column} {_between(column, edges, int(token.rpartition('#')[2]))}"


def _between(column: str, edges: Sequence[float], number: int) -> str:
    """A bin in words; a value on an edge is in the bin below."""
    known = CONTEXT_BY_NAME.get(column)
    if known is not None and known.kind is Kind.FLAG:
        return "yes" if number else "no"
    if not edges:
        return "any"
    seconds = column.startswith("seconds_") or column == DELAY
    if all(edge % 1.0 == 0.5 for edge in edges):
        return _whole(edges, number)
    low, high = (
        None if not 0 <= at < len(edges) else _number(edges[at], seconds)
        for at in (number - 1, number)
    )
    if low is None:
        return f"up to {high}"
    return f"above {low}" if high is None else f"{low} to {high}"


def _whole(edges: Sequence[float], number: int) -> str:
    """A bin of whole numbers, whose edges lie half-way between them."""
    if number == 0:
        return f"up to {edges[0] - 0.5:.0f}"
    low = f"{edges[number - 1] + 0.5:.0f}"
    if number == len(edges):
        return f"{low} or more"
    high = f"{edges[number] - 0.5:.0f}"
    return low if low == high else f"{low} to {high}"


def _number(value: float, seconds: bool) -> str:
    return duration(round(value)) if seconds else f"{value:,.6g}"
