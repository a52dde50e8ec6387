"""Defaults of all charts: quiet, on a page whose colours they take from the stylesheet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def apply_defaults(figure: Figure, height: int) -> Figure:
    """Set fonts, margins and grid; text and grid colours are the stylesheet's."""
    figure.update_layout(
        height=height,
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 13},
        margin={"l": 10, "r": 20, "t": 10, "b": 40},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        hoverlabel={"font": {"family": FONT}},
        bargap=0.25,
    )
    figure.update_xaxes(automargin=True, zeroline=False, showgrid=True)
    figure.update_yaxes(automargin=True, zeroline=False, showgrid=True)
    return figure


def name_rows(figure: Figure, names: Sequence[str], figures: Sequence[str]) -> None:
    """Write a name above the left end of every row, and its figures above the right end.

    Names beside the axis would leave a telephone's screen no room for the chart.

    Parameters
    ----------
    figure
        rows are at 0, 1, 2, ... of its y axis, which runs downwards.
    names, figures
        one each per row, escaped.
    """
    for place, (name, said) in enumerate(zip(names, figures, strict=True)):
        for text, x, side in ((name, 0.0, "left"), (said, 1.0, "right")):
            figure.add_annotation(
                text=text,
                x=x,
                xref="paper",
                xanchor=side,
                y=place - 0.38,
                yref="y",
                yanchor="middle",
                showarrow=False,
                align=side,
                font={"size": 12.5},
            )


def as_div(figure: Figure, element_id: str) -> str:
    """The figure as an HTML element; the page holds plotly's script once (:func:`script`)."""
    html: str = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=element_id,
        config={"displayModeBar": False, "responsive": True},
    )
    return html


@cache
def script() -> str:
    """Plotly's own JavaScript (about 4.8 MB), so that a page works without a network."""
    from plotly.offline import get_plotlyjs

    source: str = get_plotlyjs()
    return source
