"""A network allows more attempts from a day on: what the rules remove, and what that saves."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from authopt.batch import FloatArray, IntArray, TimeArray
from authopt.look.palette import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from authopt.look.static_charts import Page, mark, new_figure, say
from authopt.payments import Network
from authopt.rules import Rules, apply_rules, load_rules
from authopt.rules.fees import attempt_fees
from authopt.rules.merchant import MerchantRules
from authopt.rules.table_rows import NETWORKS
from simulator.scenarios.contenders import DAILY, Contender
from simulator.scenarios.follow import batches_of
from simulator.scenarios.pictures import count_axis, date_axis, grouped
from simulator.scenarios.places import world
from simulator.scenarios.scenario import (
    Answer,
    Findings,
    Moment,
    Scenario,
    ScenarioRun,
    Stage,
    Unit,
)
from simulator.traffic import Traffic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHANGE = np.datetime64("2025-05-19")
DAY_BEFORE = date(2025, 5, 18)
"""Visa: 20 re-attempts in 30 days instead of 15 (support.checkout.com)."""

WARM_DAYS, BEFORE_DAYS, AFTER_DAYS = 22, 18, 28
"""Payments need more than two weeks of daily attempts to meet the limit."""

DAY_S = 86_400
PATIENCE = 60
"""Attempts that the merchant itself would make."""

KINDS = (
    ("Visa's limit of attempts", "re-attempts"),
    ("code or advice: never again", "never again"),
    ("advice to wait longer", "not before"),
    ("card data to be corrected first", "only with corrected data"),
    ("the bill's own deadline", "merchant's deadline"),
)
"""Kinds of reasons, and what the text of each holds."""

OTHER = "other reasons"
KIND_COLOURS = (BLUE, VERMILION, ORANGE, PURPLE, SKY)


def _stage(payments: int, seed: int) -> Stage:
    start = CHANGE - np.timedelta64(WARM_DAYS + BEFORE_DAYS, "D")
    return Stage(
        world=world(bill_attempts=PATIENCE),
        traffic=Traffic(payments, start, WARM_DAYS + BEFORE_DAYS + AFTER_DAYS, seed),
        policies={"daily retries": DAILY},
        slot_s=DAY_S,
        bin_s=DAY_S,
        rules=load_rules(merchant=MerchantRules(max_attempts=PATIENCE)),
        moments=(Moment("Visa allows 20 instead of 15", CHANGE),),
    )


def _measure(stage: Stage, contenders: tuple[Contender, ...]) -> Findings:
    contender = contenders[0]
    days = stage.bin_starts
    removed: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(days)))
    fees = np.zeros(len(days))
    beyond, beyond_approved = np.zeros(len(days)), np.zeros(len(days))
    for batch in batches_of(stage, contender):
        day = _day_of(batch.decided_at, days)
        late = (batch.attempt > _limit(stage.rules)) & ~batch.is_stop[batch.chosen_action]
        beyond += np.bincount(day, late, len(days))
        beyond_approved += np.bincount(day, late * np.nan_to_num(batch.reward), len(days))
        offered = stage.world.following(batch, stage.traffic.seed)
        if not offered.n:
            continue
        allowed = apply_rules(offered, stage.rules)
        wanted = contender.policy.probabilities(offered) * ~allowed.keep
        at = np.flatnonzero(wanted)
        when = offered.decided_at[offered.decision_of_action[at]]
        within = when < days[-1] + np.timedelta64(DAY_S, "s")
        at, when = at[within], when[within]
        day = _day_of(when, days)
        charged = attempt_fees(offered, stage.rules)
        in_dollars = charged.currency.recode(("USD",))[at] == 0
        fees += np.bincount(day, wanted[at] * charged.minor[at] * in_dollars, len(days))
        for reason in np.unique(allowed.reason[at]).tolist():
            some = allowed.reason[at] == reason
            text = allowed.reasons[reason]
            removed[text] += np.bincount(day[some], wanted[at][some], len(days))
    return _findings(stage, days, dict(removed), fees, beyond, beyond_approved)


def _limit(rules: Rules) -> int:
    """Attempts of one Visa payment that were allowed before the change, the first included."""
    before = rules.networks.on(DAY_BEFORE).limits
    anywhere, visa = -1, NETWORKS.index(Network.VISA)
    long = before.window_s[anywhere, visa] > DAY_S
    return int(before.attempts[anywhere, visa][long].min())


def _day_of(times: TimeArray, days: TimeArray) -> IntArray:
    place = (times - days[0]).astype("m8[s]").astype(np.int64) // DAY_S
    return np.asarray(np.clip(place, 0, len(days) - 1), np.int64)


def _findings(
    stage: Stage,
    days: TimeArray,
    removed: dict[str, FloatArray],
    fees: FloatArray,
    beyond: FloatArray,
    beyond_approved: FloatArray,
) -> Findings:
    before = (days >= CHANGE - np.timedelta64(BEFORE_DAYS, "D")) & (days < CHANGE)
    after = days >= CHANGE
    kinds = _by_kind(removed, len(days))
    rows = [
        *((f"removed: {kind}", counts) for kind, counts in kinds.items()),
        ("fees saved, US dollars", fees / 100),
        ("attempts beyond the old limit", beyond),
        ("of them approved", beyond_approved),
    ]
    more = float(beyond[after].mean() - beyond[before].mean())
    approved = float(beyond_approved[after].sum() / max(beyond[after].sum(), 1.0))
    return Findings(
        finding=(
            f"From {CHANGE} on, the rules let {grouped(more)} more attempts a day pass, "
            f"the 17th to 21st of a bill; {approved:.1%} of them are approved"
        ),
        explanation=(
            "A merchant who retries unpaid bills every day. Removed: attempts that it wanted and "
            "that the rules forbid, by the day of the decision; each attempt is judged by the "
            f"rules of its own day. {grouped(stage.traffic.payments)} payments, "
            f"seed {stage.traffic.seed}."
        ),
        answer=Answer(
            (("a day", Unit.TEXT), ("before", Unit.NUMBER), ("after", Unit.NUMBER)),
            tuple(
                (text, float(counts[before].mean()), float(counts[after].mean()))
                for text, counts in rows
            ),
        ),
        tables={
            "by_day": {
                "day": days,
                "fees_usd": fees / 100,
                "beyond_old_limit": beyond,
                "beyond_old_limit_approved": beyond_approved,
            },
            "removed_by_kind": kinds,
            "removed": removed,
        },
    )


def _by_kind(removed: dict[str, FloatArray], days: int) -> dict[str, FloatArray]:
    kinds = {kind: np.zeros(days) for kind, _ in KINDS} | {OTHER: np.zeros(days)}
    for text, counts in removed.items():
        kind = next((kind for kind, part in KINDS if part in text), OTHER)
        kinds[kind] += counts
    return kinds


def _picture(run: ScenarioRun, look: Page) -> Figure:
    figure = new_figure(8.8, 6.6)
    top, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=(1.0, 1.3, 0.7))
    table = run.findings.tables["by_day"]
    shown = table["day"] >= CHANGE - np.timedelta64(BEFORE_DAYS, "D")
    day = table["day"][shown] + np.timedelta64(DAY_S // 2, "s")
    width = np.timedelta64(int(DAY_S * 0.8), "s")
    made, approved = table["beyond_old_limit"], table["beyond_old_limit_approved"]
    top.bar(day, made[shown], width, color=look.grid, edgecolor=look.muted, linewidth=0.4,
            label="made")  # fmt: skip
    top.bar(day, approved[shown], width, color=GREEN, linewidth=0, label="approved")
    top.set_title("The 17th to 21st attempt of a bill, a day")
    count_axis(top)
    base = np.zeros(int(shown.sum()))
    for place, (kind, counts) in enumerate(run.findings.tables["removed_by_kind"].items()):
        colour = look.muted if kind == OTHER else KIND_COLOURS[place]
        middle.bar(day, counts[shown], width, bottom=base, color=colour, label=kind,
                   edgecolor=look.paper, linewidth=0.3)  # fmt: skip
        base = base + counts[shown]
    middle.set_title("Attempts that the rules removed, a day")
    count_axis(middle)
    for axes in (top, middle):
        handles, names = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], names[::-1], loc="upper left", bbox_to_anchor=(1.0, 1.08),
                    fontsize=8.3, handlelength=0.9, handleheight=0.9)  # fmt: skip
    below.bar(day, table["fees_usd"][shown], width, color=look.muted, linewidth=0)
    below.set_title("Fees of the networks that this saves, US dollars a day")
    below.set_ylim(0.0, None)
    date_axis(below)
    for axes, text in ((top, run.stage.moments[0].text), (middle, ""), (below, "")):
        mark(axes, look, CHANGE, text, left=True)
    say(figure, look, run.findings.finding, run.findings.explanation)
    return figure


SCENARIO = Scenario(
    "rule-change",
    "Visa allows 20 re-attempts instead of 15 from a day on: what the rules remove, and why.",
    150_000,
    _stage,
    _measure,
    _picture,
)
