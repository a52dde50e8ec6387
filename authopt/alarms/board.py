"""All alarms of a merchant: minutes in, alarms that are raised or cleared out."""

from __future__ import annotations

import msgspec

from authopt.alarms.alarm import Alarm, clock, percent, place_of, raised
from authopt.alarms.counts import Counts, Minute
from authopt.alarms.kinds import AlarmSettings, Kind
from authopt.alarms.mix import MixJudgement, MixTally, MixTest
from authopt.alarms.standing import Standing
from authopt.alarms.watch import MINUTE_US, Turn, Watch

OTHER = "other"
_MIX = MixTest()
_NOTHING = Counts()


class Mix(msgspec.Struct):
    """The alarm for the mix of one dimension."""

    tally: MixTally = msgspec.field(default_factory=MixTally)
    standing: Standing = msgspec.field(default_factory=Standing)


class Board(msgspec.Struct):
    """What all alarms know; JSON keeps it exactly.

    Attributes
    ----------
    watches
        by family and value.
    mixes
        by dimension.
    minute_us
        end of the last minute that was taken in; 0 before the first.
    """

    watches: dict[str, dict[str, Watch]] = {}
    mixes: dict[str, Mix] = {}
    minute_us: int = 0

    def learn(self, minute: Minute, settings: AlarmSettings) -> None:
        """Take the counts of a span of time within an hour for usual ones, without a judgement."""
        streams = _by_dimension(minute)
        for kind in settings.kinds:
            family = self.watches.setdefault(kind.family, {})
            for value, counts in _values(streams, kind, family, settings).items():
                watch = family.setdefault(value, Watch())
                if not watch.standing.firing:
                    watch.learn(kind, minute.start_us, counts)
        for dimension in settings.mixes:
            mix = self.mixes.setdefault(dimension, Mix())
            mix.tally.add(minute.start_us, _decisions(streams, dimension), _MIX)

    def step(self, minute: Minute, settings: AlarmSettings) -> list[Alarm]:
        """Take in the next minute.

        Returns
        -------
        list of Alarm
            those that it raises and clears, the whole before its parts.
        """
        said: list[Alarm] = []
        streams = _by_dimension(minute)
        end_us = minute.start_us + MINUTE_US
        held: bool | None = None
        for kind in settings.kinds:
            family = self.watches.setdefault(kind.family, {})
            threshold = settings.threshold(len(kind.tests) * len(family))
            # Wholes are judged before their parts: once they have been, the answer stands.
            if kind.part and held is None:
                held = self._whole_fires(settings)
            found = _values(streams, kind, family, settings)
            for value, watch in family.items():
                if watch.standing.firing_since_us is not None:
                    found.setdefault(value, _NOTHING)
            for value, counts in found.items():
                watch = family.setdefault(value, Watch())
                if kind.part and held and not watch.standing.firing:
                    continue
                turn = watch.step(kind, minute.start_us, counts, threshold, settings)
                if turn is not None:
                    said.append(_alarm(kind, value, turn, end_us))
        for dimension in settings.mixes:
            mix = self.mixes.setdefault(dimension, Mix())
            judged = mix.tally.add(minute.start_us, _decisions(streams, dimension), _MIX)
            said += _drift(dimension, mix, judged, end_us, settings)
        self.minute_us = end_us
        return said

    def _whole_fires(self, settings: AlarmSettings) -> bool:
        return any(
            watch.standing.firing
            for kind in settings.kinds
            if kind.name in ("rate", "route-down") and not kind.part
            for watch in self.watches.get(kind.family, {}).values()
        )


def _by_dimension(minute: Minute) -> dict[str, dict[str, Counts]]:
    found: dict[str, dict[str, Counts]] = {}
    for (dimension, value), counts in minute.streams.items():
        found.setdefault(dimension, {})[value] = counts
    return found


def _values(
    streams: dict[str, dict[str, Counts]],
    kind: Kind,
    family: dict[str, Watch],
    settings: AlarmSettings,
) -> dict[str, Counts]:
    """By value; a missing value is none."""
    given = streams.get(kind.dimension, {})
    found = {value: of for value, of in given.items() if value or kind.dimension == "all"}
    new = [value for value in found if value not in family]
    for value in new[max(settings.most_values - len(family), 0) :]:
        pairs = zip(found.get(OTHER, _NOTHING), found.pop(value), strict=True)
        found[OTHER] = Counts(*(a + b for a, b in pairs))
    return found


def _decisions(streams: dict[str, dict[str, Counts]], dimension: str) -> dict[str, float]:
    given = streams.get(dimension, {})
    return {value: counts.decisions for value, counts in given.items() if counts.decisions}


def _alarm(kind: Kind, value: str, turn: Turn, at_us: int) -> Alarm:
    dimension = kind.dimension
    figures: dict[str, float | str] = {
        "test": turn.test,
        "share": round(turn.share, 6),
        "usual": round(turn.usual, 6),
        "outcomes": round(turn.n),
    }
    if turn.firing:
        what = raised(turn.test, dimension, value, turn.share, turn.usual, turn.n, turn.since_us)
    else:
        of = place_of(dimension, value) or " as a whole"
        how = {
            "recovered": "is as usual again",
            "accepted": "has lasted so long that it counts as usual from now on",
            "forgotten": "has had nothing to judge for a long time",
        }[turn.why]
        what = f"{_TITLES[kind.name]}{of}: {how}; the alarm fired since {clock(turn.since_us)}."
        figures["ended"] = turn.why
    return Alarm(
        kind.subject(value),
        turn.firing,
        at_us,
        turn.since_us,
        what,
        figures,
        kind.name,
        dimension,
        value,
    )


_TITLES = {
    "route-down": "Traffic",
    "rate": "The authorization rate",
    "fallback": "The share of decisions without the policy",
    "outcomes-missing": "The share of overdue outcomes",
    "propensity": "The mean probability of what the policy does",
    "rule-fees": "The share of retries that cost a network's fee",
}


def _drift(
    dimension: str,
    mix: Mix,
    judged: MixJudgement | None,
    at_us: int,
    settings: AlarmSettings,
) -> list[Alarm]:
    if judged is None:
        return []
    since_us = mix.standing.firing_since_us
    if judged.drifted and mix.standing.fire(at_us, settings.holding):
        firing, since_us = True, at_us
        what = (
            f"The mix by {dimension} has changed: population stability index "
            f"{judged.index:.2f} over the last day, above all {judged.value or 'missing values'} "
            f"with {percent(judged.share)}, where {percent(judged.usual)} are usual."
        )
    elif since_us is not None and judged.settled and mix.standing.ease(at_us):
        firing = False
        what = (
            f"The mix by {dimension} is as usual again, or has become what is usual; the alarm "
            f"fired since {clock(since_us)}."
        )
    else:
        return []
    figures: dict[str, float | str] = {
        "index": round(judged.index, 6),
        "chance": round(judged.chance, 6),
        "value": judged.value,
        "share": round(judged.share, 6),
        "usual": round(judged.usual, 6),
        "decisions": round(judged.n),
    }
    return [
        Alarm(
            f"features:{dimension}",
            firing,
            at_us,
            since_us or at_us,
            what,
            figures,
            "features",
            dimension,
            "",
        )
    ]
