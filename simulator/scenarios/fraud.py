"""Card testers at one merchant: what is seen at once, what comes later, and what rules change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from authopt.batch import BoolArray, Categorical, DecisionBatch, FloatArray, LoggedBatch, TimeArray
from authopt.look.static_charts import EndLabel, Page, label_ends, new_figure, say, shade
from authopt.rules import Rules, load_rules
from authopt.rules.merchant import MerchantRule, MerchantRules
from simulator.scenarios.contenders import ORACLE, Contender
from simulator.scenarios.follow import follow_one
from simulator.scenarios.pictures import (
    around,
    count_axis,
    first_attempts_approved,
    grouped,
    percent_axis,
    plot_lines,
    strokes,
)
from simulator.scenarios.places import BUSY_NOON, priority, world
from simulator.scenarios.scenario import (
    Answer,
    Findings,
    Moment,
    Scenario,
    ScenarioRun,
    Series,
    Stage,
    Unit,
    ratio,
)
from simulator.traffic import Traffic
from simulator.world.codes import SUSPECTED_CODES
from simulator.world.events import FraudAttack
from simulator.world.identifiers import of_attack
from simulator.world.world import CardWorld

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MERCHANT_KIND = "gadget"
BEFORE_S, ATTACK_S, AFTER_S = 3_600, 5_400, 3_600
BIN_S = 300
SHARE = 0.10
"""Of the payments of all merchants during the attack, those of the card testers."""

TESTED_BINS = 3
REACTION_S = 1_200
"""Until the merchant blocks the BINs that are tested."""

MOST_SCORE = 0.10
"""Of its own fraud score, up to which the merchant accepts a payment."""

FOLLOWED_DAYS = 75
ATTACK, GOOD, MERCHANT = "attack", "customers", "merchant"
NO_RULE, BLOCKED, LIMITED = "no rule", "tested BINs blocked", "limit on the fraud score"
SUSPECTED = "suspected"


@dataclass(frozen=True, slots=True)
class BinsBlocked:
    """No attempt with cards of some BINs, from a time on (UTC)."""

    bins: tuple[str, ...]
    since: np.datetime64

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden."""
        return (f"blocked since {self.since}: BIN {', '.join(self.bins)}",)

    @property
    def sentence(self) -> str:
        """What the rule does."""
        return f"No attempt with a card of BIN {', '.join(self.bins)} since {self.since}."

    def broken(self, batch: DecisionBatch) -> npt.NDArray[np.int8]:
        """int8[m], 0 where the card is of these BINs; -1 elsewhere."""
        column = batch.context.get("bin")
        if not isinstance(column, Categorical):
            return np.full(batch.m, -1, np.int8)
        hit = (column.recode(self.bins) >= 0) & (batch.decided_at >= self.since)
        return np.repeat(np.where(hit, 0, -1).astype(np.int8), batch.counts)


@dataclass(frozen=True, slots=True)
class ScoreLimit:
    """No attempt of a payment that the merchant's own model takes for fraud."""

    most: float

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden."""
        return (f"fraud score above {self.most:g}",)

    @property
    def sentence(self) -> str:
        """What the rule does."""
        return f"No attempt of a payment whose fraud score is above {self.most:g}."

    def broken(self, batch: DecisionBatch) -> npt.NDArray[np.int8]:
        """int8[m], 0 where the score is higher; -1 elsewhere, and where it is not known."""
        score = np.asarray(batch.context.get("fraud_score", np.full(batch.n, np.nan)), np.float64)
        return np.repeat(np.where(score > self.most, 0, -1).astype(np.int8), batch.counts)


def _stage(payments: int, seed: int) -> Stage:
    place = world()
    merchant = next(name for name in place.merchant_names if MERCHANT_KIND in name)
    start = BUSY_NOON + np.timedelta64(BEFORE_S, "s")
    end = start + np.timedelta64(ATTACK_S, "s")
    length = BEFORE_S + ATTACK_S + AFTER_S
    tested = max(int(payments * ATTACK_S / length * SHARE), 1)
    return Stage(
        world=place.with_events(
            FraudAttack(merchant, start, end, tested, _bins_of(place, merchant))
        ),
        traffic=Traffic(payments, BUSY_NOON, length / 86_400, seed),
        policies={NO_RULE: priority()},
        slot_s=60,
        bin_s=BIN_S,
        moments=(Moment("cards are tested", start, end),),
        groups={
            ATTACK: lambda batch: of_attack(batch.payment_id),
            GOOD: lambda batch: _at(batch, merchant) & ~of_attack(batch.payment_id),
            MERCHANT: lambda batch: _at(batch, merchant),
        },
        measures={SUSPECTED: _suspected},
    )


def _bins_of(place: CardWorld, merchant: str) -> tuple[str, ...]:
    """The BINs that most customers of the merchant pay with: the testers' look like theirs."""
    sample = place.arrivals(Traffic(20_000, BUSY_NOON, 1, 1), 0, 20_000)
    of = sample.context["merchant_id"]
    column = sample.context["bin"]
    assert isinstance(of, Categorical)
    assert isinstance(column, Categorical)
    counts = np.bincount(column.codes[of.recode((merchant,)) == 0], minlength=1)
    return tuple(column.categories[at] for at in np.argsort(-counts)[:TESTED_BINS])


def _at(batch: LoggedBatch, merchant: str) -> BoolArray:
    column = batch.context["merchant_id"]
    assert isinstance(column, Categorical)
    return np.asarray(column.recode((merchant,)) == 0)


def _suspected(batch: LoggedBatch) -> FloatArray:
    column = batch.outcome["response_code"]
    assert isinstance(column, Categorical)
    return (column.recode(tuple(SUSPECTED_CODES)) >= 0).astype(np.float64)


class _Chargebacks:
    """Chargebacks of the merchant's payments, by the day on which they come."""

    def __init__(self, stage: Stage) -> None:
        self.merchant = stage.groups[MERCHANT]
        self.start = stage.moments[0].start
        self.by_day = np.zeros(FOLLOWED_DAYS)

    def __call__(self, batch: LoggedBatch) -> None:
        back = np.asarray(batch.outcome["charged_back"], np.float64) == 1.0
        came: TimeArray = np.asarray(batch.outcome["corrected_at"])
        rows = back & self.merchant(batch) & (batch.decided_at >= self.start) & ~np.isnat(came)
        days = (came[rows] - self.start).astype("m8[s]").astype(np.int64) // 86_400
        days = days[days < FOLLOWED_DAYS]
        self.by_day += np.bincount(days, minlength=FOLLOWED_DAYS)


def _measure(stage: Stage, contenders: tuple[Contender, ...]) -> Findings:
    base = contenders[0]
    blocked = stage.moments[0].start + np.timedelta64(REACTION_S, "s")
    variants: list[tuple[Contender, Rules]] = [(base, stage.rules)]
    variants += [(each, stage.rules) for each in contenders[1:] if each.spec != ORACLE]
    rules: tuple[tuple[str, MerchantRule], ...] = (
        (BLOCKED, BinsBlocked(_attacked_bins(stage), blocked)),
        (LIMITED, ScoreLimit(MOST_SCORE)),
    )
    # A policy that learnt in one run must not go into another.
    if base.spec == priority():
        for label, rule in rules:
            own = load_rules(merchant=MerchantRules(rules=(rule,)))
            variants.append((Contender(label, base.spec, base.policy), own))
    series: list[Series] = []
    backs: dict[str, FloatArray] = {}
    for contender, own in variants:
        counted = _Chargebacks(stage)
        series += follow_one(replace(stage, rules=own), contender, watch=counted)
        backs[contender.label] = np.cumsum(counted.by_day)
    return _findings(stage, tuple(series), backs)


def _attacked_bins(stage: Stage) -> tuple[str, ...]:
    assert isinstance(stage.world, CardWorld)
    attack = stage.world.settings.events[-1]
    assert isinstance(attack, FraudAttack)
    return attack.bins


def _findings(stage: Stage, series: tuple[Series, ...], backs: dict[str, FloatArray]) -> Findings:
    by = {(each.policy, each.group): each for each in series}
    labels = list(backs)
    during = _during(stage)
    rows = []
    for label in labels:
        attack, good, shop = (by[label, group] for group in (ATTACK, GOOD, MERCHANT))
        rows.append(
            (
                label,
                int(attack.first.sum()),
                int(attack.approved.sum()),
                int(good.first.sum()),
                int(good.approved.sum()),
                float(shop.first_approved[during].sum() / max(shop.first[during].sum(), 1.0)),
                int(backs[label][-1]),
            )
        )
    plain = by[labels[0], MERCHANT]
    calm = float(plain.first_approved[~during].sum() / max(plain.first[~during].sum(), 1.0))
    finding = (
        f"Card testing takes the merchant's approval from {calm:.0%} to {rows[0][5]:.0%}; "
        f"{rows[0][6]:,} chargebacks follow"
    )
    if labels[-1] == LIMITED:
        lost = rows[0][4] - rows[-1][4]
        finding += (
            f". A limit on the fraud score leaves {rows[-1][6]:,} of them and turns away "
            f"{grouped(lost)} good payments"
        )
    return Findings(
        finding=finding,
        explanation=(
            f"{grouped(rows[0][1])} small payments with cards of {TESTED_BINS} BINs at one "
            f"merchant within {ATTACK_S // 60} minutes, among {grouped(stage.traffic.payments)} "
            f"payments of all merchants. The BINs are blocked {REACTION_S // 60} minutes in; the "
            f"limit ({MOST_SCORE:g}) always holds. Seed {stage.traffic.seed}."
        ),
        answer=Answer(
            (
                ("rule", Unit.TEXT),
                ("testers tried", Unit.COUNT),
                ("testers approved", Unit.COUNT),
                ("others tried", Unit.COUNT),
                ("others approved", Unit.COUNT),
                ("approval so long", Unit.SHARE),
                (f"charged back in {FOLLOWED_DAYS} d", Unit.COUNT),
            ),
            tuple(rows),
        ),
        series=series,
        tables={"chargebacks": {"day": np.arange(1, FOLLOWED_DAYS + 1), **backs}},
    )


def _during(stage: Stage) -> BoolArray:
    moment = stage.moments[0]
    assert moment.end is not None
    return np.asarray((stage.bin_starts >= moment.start) & (stage.bin_starts < moment.end))


def _picture(run: ScenarioRun, look: Page) -> Figure:
    figure = new_figure(9.4, 5.4)
    places = figure.subplot_mosaic([["seen", "back"], ["told", "back"]], width_ratios=(1.35, 1.0))
    seen, told, back = places["seen"], places["told"], places["back"]
    bins = len(run.stage.bin_starts)
    minutes = (np.arange(bins) * BIN_S + BIN_S / 2 - BEFORE_S) / 60.0
    drawn = strokes(run, look)

    approved = first_attempts_approved(run, MERCHANT)
    plot_lines(seen, minutes, approved, drawn)
    seen.set_title("The merchant's first attempts approved")
    percent_axis(seen, *around(list(approved.values())))
    of_shop = {each: run.series(each, MERCHANT) for each in run.policies}
    suspected = {
        each: ratio(series.measures[SUSPECTED], series.attempts) for each, series in of_shop.items()
    }
    plot_lines(told, minutes, suspected, drawn)
    told.set_title("Attempts answered with suspected fraud")
    percent_axis(told, 0.0, around(list(suspected.values()))[1])
    told.set_xlabel("minutes since the attack began")
    for axes, text in ((seen, run.stage.moments[0].text), (told, "")):
        shade(axes, look, 0.0, ATTACK_S / 60.0, text)
        axes.set_xlim(-BEFORE_S / 60.0, (ATTACK_S + AFTER_S) / 60.0)
    seen.tick_params(labelbottom=False)
    table = run.findings.tables["chargebacks"]
    ends = [EndLabel(each, float(table[each][-1]), drawn[each]) for each in run.policies]
    for each in run.policies:
        back.plot(table["day"], table[each], **drawn[each].line)
    back.set_title("Chargebacks so far")
    back.set_xlabel("days since the attack")
    count_axis(back)
    say(figure, look, run.findings.finding, run.findings.explanation)
    label_ends(back, look, ends)
    return figure


SCENARIO = Scenario(
    "fraud",
    "Card testers attack one merchant: what is seen at once, what comes later, what rules change.",
    120_000,
    _stage,
    _measure,
    _picture,
)
