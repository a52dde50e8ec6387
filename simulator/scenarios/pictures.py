"""Parts that the scenarios' pictures share: lines by policy, axes of time and of shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from authopt.batch import FloatArray, TimeArray
from authopt.look.static_charts import EndLabel, Page, Stroke, stroke
from simulator.scenarios.contenders import ORACLE
from simulator.scenarios.scenario import ScenarioRun, Series, ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def strokes(run: ScenarioRun, look: Page) -> dict[str, Stroke]:
    """How each policy is drawn: those compared in colour, the oracle in grey, as a measure."""
    drawn: dict[str, Stroke] = {}
    for label in run.policies:
        number = len([name for name in drawn if name != ORACLE])
        drawn[label] = Stroke(look.muted, (0, (1, 1.3)), ".") if label == ORACLE else stroke(number)
    return drawn


def plot_lines(
    axes: Axes,
    x: Any,
    lines: Mapping[str, FloatArray],
    drawn: Mapping[str, Stroke],
) -> list[EndLabel]:
    """Draw a line by policy; its labels are to be written at its end once the figure is headed."""
    labels = []
    for label, y in lines.items():
        width = 1.5 if label == ORACLE else 2.0
        axes.plot(x, y, linewidth=width, **drawn[label].line)
        known = y[np.isfinite(y)]
        # The end of a noisy line is what its last stretch is around.
        last = float(known[-max(len(known) // 20, 1) :].mean()) if len(known) else 0.0
        labels.append(EndLabel(label, last, drawn[label]))
    return labels


def percent_axis(axes: Axes, low: float = 0.0, high: float = 1.0) -> None:
    """The y axis in percent, between two shares."""
    from matplotlib.ticker import PercentFormatter

    axes.set_ylim(low, high)
    if high > 1.0:
        axes.set_yticks([tick for tick in (0.0, 0.25, 0.5, 0.75, 1.0) if tick >= low])
    decimals = 0 if high - low > 0.04 else 1
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=decimals))


def around(values: Sequence[FloatArray], margin: float = 0.12) -> tuple[float, float]:
    """Limits that hold all shares given, with some room, within 0 and 1."""
    known = np.concatenate([each[np.isfinite(each)] for each in values])
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    room = max(high - low, 0.01) * margin
    return max(low - room, 0.0), min(high + room, 1.02)


def date_axis(axes: Axes) -> None:
    """The x axis in days and months."""
    from matplotlib import dates

    locator = dates.AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        dates.ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    )


def middles(starts: TimeArray, bin_s: int) -> TimeArray:
    """datetime64[s][bins], the middles of bins."""
    return np.asarray(starts.astype("M8[s]") + np.timedelta64(bin_s // 2, "s"))


def smoothed(above: FloatArray, below: FloatArray, bins: int) -> FloatArray:
    """A ratio over a moving window of bins, centred; shorter at both ends."""
    window = np.ones(bins)
    return ratio(np.convolve(above, window, "same"), np.convolve(below, window, "same"))


def moving_share(series: Series, route: str, bins: int) -> FloatArray:
    """float64[bins of the series], the share sent to a route, over a moving window of bins."""
    place = series.routes.index(route)
    return smoothed(series.by_route[:, place], series.eligible[:, place], bins)


def first_attempts_approved(run: ScenarioRun, group: str, bins: int = 1) -> dict[str, FloatArray]:
    """Share of the first attempts approved, by policy, over a moving window of bins."""
    found = {each: run.series(each, group) for each in run.policies}
    return {
        each: smoothed(series.first_approved, series.first, bins) for each, series in found.items()
    }


def lost_so_far(run: ScenarioRun, group: str) -> dict[str, FloatArray]:
    """Approvals lost to the oracle up to the end of each bin, in expectation, by policy."""
    return {
        each: np.cumsum(run.series(each, group).regret) for each in run.policies if each != ORACLE
    }


def count_axis(axes: Axes) -> None:
    """The y axis in whole numbers from 0 on."""
    axes.set_ylim(0.0, None)
    axes.yaxis.set_major_formatter(lambda value, _: grouped(value))


def grouped(number: float) -> str:
    """A count with its thousands set apart."""
    return f"{number:,.0f}"
