"""What codes mean, gathered over the networks that read them alike, and as tables."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from authopt.rules.codes import CodeFacts, code_facts, known_codes
from authopt.rules.durations import duration
from authopt.rules.rule_set import NetworkRules
from authopt.rules.table_rows import ANY_NETWORK, NETWORKS
from authopt.terminal import ACCENT


@dataclass(frozen=True, slots=True)
class SharedFacts:
    """What a code means, and on which networks.

    Attributes
    ----------
    networks
        that read the code so; ``*`` alone means all that have no line of their own.
    facts
        as of the first of them.
    """

    networks: tuple[str, ...]
    facts: CodeFacts


def facts_of(tables: NetworkRules, code: str | None, network: str | None) -> list[SharedFacts]:
    """The facts of one code or of all, on one network or on all.

    A code that no table knows is said to be unknown, with what follows.
    """
    asked = (ANY_NETWORK, *NETWORKS) if network is None else (network,)
    if code is None:
        every = [facts for name in asked for facts in known_codes(name, tables)]
    else:
        both = [facts for name in asked for facts in code_facts(name, code, code, tables)]
        every = [facts for facts in both if facts.known] or both
    together: dict[object, list[CodeFacts]] = {}
    for facts in every:
        same = (facts.kind, facts.code, facts.known, facts.meaning, facts.permission, facts.wait_s)
        together.setdefault((*same, facts.source, facts.effective_from), []).append(facts)
    shared = [
        SharedFacts(_without_repeats(tuple(facts.network for facts in some)), some[0])
        for some in together.values()
    ]
    return sorted(shared, key=lambda each: (each.facts.kind != "response_code", each.facts.code))


def _without_repeats(networks: tuple[str, ...]) -> tuple[str, ...]:
    return (ANY_NETWORK,) if ANY_NETWORK in networks else networks


def print_facts(facts: list[SharedFacts], console: Console) -> None:
    """Print a table of response codes and one of advice codes, then the sources."""
    sources: dict[str, int] = {}
    for kind, title in (("response_code", "Response codes"), ("advice_code", "Advice codes")):
        some = [each for each in facts if each.facts.kind == kind]
        if some:
            console.print(title, style="bold")
            console.print(_table(some, sources))
            console.print()
    for source, number in sources.items():
        console.print(f"{number:>3}  {escape(source)}", style="dim")
    for code, note in dict.fromkeys((each.facts.code, each.facts.note) for each in facts):
        if note:
            console.print(f"{escape(code):>3}: {escape(note)}", style="dim")


def _table(facts: list[SharedFacts], sources: dict[str, int]) -> Table:
    """One line for each code and group of networks; columns that say nothing are left out."""
    has_category = any(each.facts.category for each in facts)
    is_dated = any(each.facts.effective_from for each in facts)
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("code", style=ACCENT, no_wrap=True)
    table.add_column("network", no_wrap=True)
    table.add_column("meaning")
    if has_category:
        table.add_column("category", no_wrap=True)
    table.add_column("retry", overflow="fold")
    if is_dated:
        table.add_column("since", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True, style="dim")
    for each in facts:
        known = each.facts
        wait = f", after {duration(known.wait_s)}" if known.wait_s else ""
        cells = [
            escape(known.code),
            "any other" if each.networks == (ANY_NETWORK,) else "\n".join(each.networks),
            escape(known.meaning),
        ]
        if has_category:
            cells.append(known.category.replace("_", " ") if known.category else "")
        cells.append(f"{known.permission.replace('_', ' ')}{wait}")
        if is_dated:
            cells.append(known.effective_from)
        cells.append(str(sources.setdefault(known.source, len(sources) + 1)))
        table.add_row(*cells)
    return table
