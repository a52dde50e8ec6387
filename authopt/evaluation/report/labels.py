"""Names and numbers as charts show them."""

from __future__ import annotations

LONGEST_NAME = 34


def short(name: str, longest: int = LONGEST_NAME) -> str:
    """A name that fits beside a chart; the tables hold it whole."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def escaped(text: str) -> str:
    """Text that Plotly shows as it is."""
    # Plotly reads a few HTML tags in its labels.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def label(name: str, longest: int = LONGEST_NAME) -> str:
    """A name for an axis or a legend."""
    return escaped(short(name, longest))
