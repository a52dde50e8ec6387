"""What ``/metrics`` says, as figures."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def figures(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Each sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(text: str, name: str, **labels: str) -> float:
    """The sum of the samples of a name that have some labels."""
    wanted = frozenset(labels.items())
    return sum(
        value for (each, found), value in figures(text).items() if each == name and wanted <= found
    )
