"""Insufficient funds: what a later attempt is worth, by its delay, and before and after payday."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from authopt.batch import BoolArray, Categorical, DecisionBatch, FloatArray, IntArray, LoggedBatch
from authopt.look.palette import BLUE, ORANGE
from authopt.look.static_charts import Page, new_figure, say
from authopt.payments import Initiator
from simulator.scenarios.contenders import Contender
from simulator.scenarios.follow import batches_of
from simulator.scenarios.pictures import grouped, percent_axis
from simulator.scenarios.places import START, world
from simulator.scenarios.scenario import Answer, Findings, Scenario, ScenarioRun, Stage, Unit, ratio
from simulator.traffic import Traffic
from simulator.world.identifiers import card_numbers
from simulator.world.world import CardWorld

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DAYS = 62
DAY_S = 86_400
NO_FUNDS = "51"
GRID_S = tuple(range(0, 14 * DAY_S + 1, DAY_S // 4))
"""Delays at which the true chance is asked, whether the merchant's set-up offers them or not."""

LEAST = 25
"""Attempts that a dot of the picture rests on at least."""

PAID_ON = {"GB": 25, "ES": 25, "IT": 25, "NL": 25, "SE": 25, "JP": 25,
           "DE": 1, "FR": 1, "PL": 1, "BR": 1}  # fmt: skip
"""Countries most of whose cardholders are paid once a month, and the day of the month."""


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """Attempts after a lack of funds, with what came back and with their true chances.

    Arrays over attempts: the delay (s), whether the card's next payday lay before the attempt, the
    day of the month of the attempt (local), the country's payday (0: none), the true chance, its
    weight, and whether it was approved (NaN where it was not made).
    """

    delay_s: IntArray
    paid: BoolArray
    month_day: IntArray
    payday: IntArray
    chance: FloatArray
    weight: FloatArray
    approved: FloatArray


def _stage(payments: int, seed: int) -> Stage:
    return Stage(
        world=world(),
        traffic=Traffic(payments, START, DAYS, seed),
        policies={"uniform": "uniform"},
        slot_s=DAY_S,
        bin_s=DAY_S,
    )


def _measure(stage: Stage, contenders: tuple[Contender, ...]) -> Findings:
    place = stage.world
    assert isinstance(place, CardWorld)
    offered: list[Chances] = []
    asked: list[Chances] = []
    for batch in batches_of(stage, contenders[0]):
        lacking = np.flatnonzero(_after_no_funds(batch))
        if len(lacking):
            after = batch.take(lacking)
            offered.append(_of_log(place, after))
            asked.append(_of_grid(place, after.decisions()))
    log, grid = _together(offered), _together(asked)
    delays = [int(each) for each in np.unique(log.delay_s[np.isfinite(log.approved)])]
    made = np.isfinite(log.approved)
    rows = []
    for name, side in (("before payday", ~log.paid), ("after payday", log.paid)):
        at = side & made
        rows.append(
            (
                name,
                int(at.sum()),
                float(np.average(log.chance[at])) if at.any() else None,
                float(log.approved[at].mean()) if at.any() else None,
            )
        )
    days = np.arange(1, 32)
    return Findings(
        finding=(
            "After the next payday a retry for lack of funds is approved "
            f"{rows[1][3] or 0.0:.0%} of the time; before it, {rows[0][3] or 0.0:.0%}"
        ),
        explanation=(
            f"Second attempts of bills that were declined for insufficient funds ({NO_FUNDS}) "
            f"without advice on when to try again; {grouped(made.sum())} of them, their route and "
            f"delay drawn evenly. Lines: true chance. Dots: observed, with 95% intervals. "
            f"{grouped(stage.traffic.payments)} payments, seed {stage.traffic.seed}."
        ),
        answer=Answer(
            (
                ("retry falls", Unit.TEXT),
                ("retries", Unit.COUNT),
                ("true chance", Unit.SHARE),
                ("approved", Unit.SHARE),
            ),
            tuple(rows),
        ),
        tables={
            "true_by_delay": {
                "delay_s": list(GRID_S),
                "before": _means(grid, ~grid.paid, grid.delay_s, np.array(GRID_S)),
                "after": _means(grid, grid.paid, grid.delay_s, np.array(GRID_S)),
                "all": _means(grid, np.ones(len(grid.paid), np.bool_), grid.delay_s,
                              np.array(GRID_S)),
            },
            "observed_by_delay": {
                "delay_s": delays,
                **_observed(log, "before", ~log.paid, log.delay_s, np.array(delays)),
                **_observed(log, "after", log.paid, log.delay_s, np.array(delays)),
            },
            "by_day_of_month": {
                "day": days,
                **{f"true_{day}": _means(log, log.payday == day, log.month_day, days)
                   for day in (1, 25)},
                **_observed(log, "paid_1", log.payday == 1, log.month_day, days),
                **_observed(log, "paid_25", log.payday == 25, log.month_day, days),
            },
        },
    )  # fmt: skip


def _after_no_funds(batch: LoggedBatch) -> BoolArray:
    """bool[n], second attempts of bills after code 51 without advice on when to try again."""
    code, advice = batch.context["previous_response_code"], batch.context["previous_advice_code"]
    initiator = batch.context["initiator"]
    assert isinstance(code, Categorical)
    assert isinstance(advice, Categorical)
    assert isinstance(initiator, Categorical)
    lacking = (code.recode((NO_FUNDS,)) == 0) & (advice.codes < 0)
    return np.asarray(
        lacking & (initiator.recode((Initiator.MIT.value,)) == 0) & (batch.attempt == 2)
    )


def _of_log(place: CardWorld, batch: LoggedBatch) -> Chances:
    """All actions that the router weighed, and the outcome of the one that it took."""
    approved = np.full(batch.m, np.nan)
    approved[batch.chosen_action] = np.asarray(batch.outcome["approved"], np.float64)
    assert batch.probability is not None
    return _chances(place, batch.decisions(), batch.probability, approved)


def _of_grid(place: CardWorld, batch: DecisionBatch) -> Chances:
    """The routes of each decision at each delay of the grid, alike."""
    of, first = (
        batch.decision_of_action,
        np.flatnonzero((batch.action_delay_s == 0) & ~batch.is_stop),
    )
    size = len(GRID_S)
    counts = np.bincount(of[first], minlength=batch.n)
    some = np.flatnonzero(counts)
    asked = replace(
        batch.take(some),
        action_route=np.repeat(batch.action_route[first], size),
        action_delay_s=np.tile(np.array(GRID_S, np.int64), len(first)),
        offsets=np.concatenate([[0], np.cumsum(counts[some] * size)]).astype(np.int64),
        action_features={},
    )
    weight = np.repeat(1.0 / asked.counts, asked.counts)
    return _chances(place, asked, weight, np.full(asked.m, np.nan))


def _chances(
    place: CardWorld, batch: DecisionBatch, weight: FloatArray, approved: FloatArray
) -> Chances:
    of = batch.decision_of_action
    cards: Any = batch.context["card_ref"]
    country = batch.context["issuer_country"]
    assert isinstance(country, Categorical)
    card = card_numbers(cards)
    product = place.cast.cards.product[card].astype(np.int64)
    offset_s = place.cast.offset_s[place.cast.products.country[product]]
    local_s = batch.decided_at.astype("M8[s]").astype(np.int64) + offset_s
    until_s = place.cast.latent.until_payday_s(card, local_s)
    at = (local_s[of] + batch.action_delay_s).astype("M8[s]")
    month_day = (at.astype("M8[D]") - at.astype("M8[M]")).astype(np.int64) + 1
    paid_on = np.array([*(PAID_ON.get(name, 0) for name in country.categories), 0], np.int64)
    kept = ~batch.is_stop
    return Chances(
        batch.action_delay_s[kept],
        (batch.action_delay_s >= until_s[of])[kept],
        month_day[kept],
        paid_on[country.codes][of][kept],
        place.approval_probability(batch)[kept],
        weight[kept],
        approved[kept],
    )


def _together(parts: list[Chances]) -> Chances:
    names = Chances.__dataclass_fields__
    if not parts:
        return Chances(*(np.zeros(0, kind) for kind in (int, bool, int, int, float, float, float)))
    return Chances(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _means(found: Chances, rows: BoolArray, key: IntArray, values: IntArray) -> FloatArray:
    """float64[values], the mean true chance of the rows at each value of a key; NaN for none."""
    place = np.searchsorted(values, key)
    at = np.flatnonzero(rows & (place < len(values)))
    at = at[values[place[at]] == key[at]]
    weight = found.weight[at]
    above = np.bincount(place[at], weight * found.chance[at], len(values))
    below = np.bincount(place[at], weight, len(values))
    return ratio(above.astype(np.float64), below.astype(np.float64))


def _observed(
    found: Chances, name: str, rows: BoolArray, key: IntArray, values: IntArray
) -> dict[str, FloatArray]:
    """Attempts made, share approved and its 95% interval (Wilson) at each value of a key."""
    at = np.flatnonzero(rows & np.isfinite(found.approved))
    place = np.searchsorted(values, key[at])
    made = np.bincount(place, minlength=len(values))[: len(values)].astype(np.float64)
    good = np.bincount(place, found.approved[at], len(values))[: len(values)].astype(np.float64)
    share = ratio(good, made)
    z = 1.96
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (share + z * z / (2 * made)) / (1 + z * z / made)
        half = (
            z / (1 + z * z / made) * np.sqrt(share * (1 - share) / made + z * z / (4 * made * made))
        )
    return {
        f"{name}_made": made,
        f"{name}_approved": share,
        f"{name}_lower": middle - half,
        f"{name}_upper": middle + half,
    }


def _picture(run: ScenarioRun, look: Page) -> Figure:
    figure = new_figure(9.0, 4.8)
    left, right = figure.subplots(1, 2, sharey=True)
    true, seen = run.findings.tables["true_by_delay"], run.findings.tables["observed_by_delay"]
    days = np.array(true["delay_s"]) / DAY_S
    sides = (("after", BLUE, "o", "solid"), ("before", ORANGE, "s", (0, (5, 1.6))))
    for name, colour, shape, dashes in sides:
        left.plot(days, true[name], color=colour, linestyle=dashes)
        _dots(left, np.array(seen["delay_s"]) / DAY_S, seen, name, colour, shape)
        known = np.flatnonzero(np.isfinite(true[name]))
        if len(known):
            at = known[len(known) // 2]
            left.annotate(
                f"{name} payday", (days[at], true[name][at]), (0, 14),
                textcoords="offset points", ha="left", fontsize=8.7, fontweight="bold",
                color=look.text(colour),
            )  # fmt: skip
    left.plot(days, true["all"], color=look.muted, linewidth=1.2, linestyle=(0, (1, 1.3)))
    left.annotate(
        "all", (days[-1], true["all"][-1]), (0, -4), textcoords="offset points", ha="right",
        va="top", fontsize=8.7, color=look.muted,
    )  # fmt: skip
    left.set_xlabel("delay of the retry, days")
    left.set_title("By delay")
    month = run.findings.tables["by_day_of_month"]
    for day, colour, shape, dashes in ((1, BLUE, "o", "solid"), (25, ORANGE, "s", (0, (5, 1.6)))):
        right.plot(month["day"], month[f"true_{day}"], color=colour, linestyle=dashes)
        _dots(right, month["day"], month, f"paid_{day}", colour, shape)
        right.axvline(day, color=colour, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
        right.annotate(
            f"most are paid on the {day}{'st' if day == 1 else 'th'}", (day, 1.0),
            (4 if day == 1 else -4, -3 if day == 1 else -17), xycoords=("data", "axes fraction"),
            textcoords="offset points", va="top", ha="left" if day == 1 else "right",
            fontsize=8.3, fontweight="bold", color=look.text(colour),
        )  # fmt: skip
    right.set_xlabel("day of the month on which the retry is made")
    right.set_title("By the calendar, by country")
    right.set_xticks([1, 5, 10, 15, 20, 25, 30])
    top = np.nanmax([np.nanmax(true["after"]), np.nanmax(month["true_1"]), 0.5])
    percent_axis(left, 0.0, min(1.0, float(top) + 0.2))
    left.set_ylabel("approved")
    say(figure, look, run.findings.finding, run.findings.explanation)
    return figure


def _dots(axes: Axes, x: Any, table: Any, name: str, colour: str, shape: str) -> None:
    """Observed shares with their intervals, where enough attempts were made."""
    some = np.flatnonzero(np.asarray(table[f"{name}_made"]) >= LEAST)
    share = table[f"{name}_approved"][some]
    spread = [share - table[f"{name}_lower"][some], table[f"{name}_upper"][some] - share]
    axes.errorbar(
        np.asarray(x)[some], share, np.maximum(spread, 0.0), fmt=shape, markersize=4.0,
        color=colour, elinewidth=0.9, alpha=0.85, linestyle="none",
    )  # fmt: skip


SCENARIO = Scenario(
    "payday",
    "Insufficient funds: what a retry is worth by its delay, before payday and after it.",
    500_000,
    _stage,
    _measure,
    _picture,
)
