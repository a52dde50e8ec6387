"""Ask two policies about a log, chunk by chunk, and add up what they do by segment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from authopt.batch import FloatArray, IntArray, LoggedBatch
from authopt.evaluation.segment_values import ATTEMPT, segments_of
from authopt.explaining.behaviour import Behaviour, Segment
from authopt.explaining.scores import scores
from authopt.explaining.segment_tally import Chunk, Names, Tally
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import Policy
from authopt.sampling import normalise

ALL = "all"

_FIRST_OF = ("issuer", "network", "currency")


def default_segments(columns: Sequence[str]) -> list[str]:
    """The columns to form segments by where none are named."""
    return [*next(([name] for name in _FIRST_OF if name in columns), []), ATTEMPT]


def observe(
    batches: Iterable[LoggedBatch],
    policy: Policy,
    live: Policy,
    columns: Sequence[str],
    names: tuple[str, str] | None = None,
) -> Behaviour:
    """Ask two policies about a log, chunk by chunk.

    Parameters
    ----------
    batches
        the log.
    policy, live
        the policy, and what it is compared with.
    columns
        to form segments by, see :func:`authopt.evaluation.segment_values.segments_of`.
    names
        of the two policies; by default their own.

    Raises
    ------
    UserError
        If segments cannot be formed by a column, or a policy cannot be asked.
    """
    tallies = {name: Tally(name) for name in (ALL, *columns)}
    routes, delays = Names(), Names()
    observed, meaning = 0, None
    for batch in batches:
        asked = batch if isinstance(policy, LoggedPolicy) else batch.decisions()
        own, unseen = _probabilities(policy, batch)
        theirs, of_live = _probabilities(live, batch)
        observed += of_live + unseen
        found = scores(policy, asked)
        part = Chunk(
            route=_routes(batch, routes),
            delay=_delays(batch, delays),
            own=own,
            live=theirs,
            score=found.values if found is not None and found.is_reward else None,
        )
        if found is not None and found.is_reward:
            meaning = found.meaning
        for name, tally in tallies.items():
            codes, labels = (
                (np.zeros(batch.n, np.int64), (ALL,)) if name == ALL else segments_of(batch, name)
            )
            tally.add(batch, codes, labels, part, len(routes.index), len(delays.index))
    decisions = int(sum(tallies[ALL].decisions))
    done = {
        name: tally.segments(list(routes.index), list(delays.index), decisions)
        for name, tally in tallies.items()
    }
    return Behaviour(
        policy=policy.name if names is None else names[0],
        live=live.name if names is None else names[1],
        live_is_observed=observed,
        decisions=decisions,
        meaning=meaning,
        overall=done[ALL][0] if decisions else _NOTHING,
        by={name: done[name] for name in columns},
    )


_NOTHING = Segment(ALL, 0, 0.0, {}, {}, {}, {}, 0.0, 0.0, None, None, (), ())


def _routes(batch: LoggedBatch, names: Names) -> IntArray:
    used = np.unique(batch.action_route)
    table = np.full(len(batch.routes), -1, np.int64)
    table[used] = names.places([batch.routes[code] for code in used])
    return np.asarray(table[batch.action_route])


def _delays(batch: LoggedBatch, names: Names) -> IntArray:
    used, code = np.unique(batch.action_delay_s, return_inverse=True)
    table = names.places([str(each) for each in used.tolist()])
    return np.where(batch.is_stop, -1, table[code.reshape(-1)])


def _probabilities(policy: Policy, batch: LoggedBatch) -> tuple[FloatArray, int]:
    """float64[m], and of how many decisions what was done stands for what was likely."""
    if not isinstance(policy, LoggedPolicy):
        asked = batch.decisions()
        return normalise(asked, policy.probabilities(asked)), 0
    done = np.zeros(batch.m)
    done[batch.chosen_action] = 1.0
    if batch.probability is None:
        return done, batch.n
    sound = batch.sum_by_decision((~np.isfinite(batch.probability)).astype(np.float64)) == 0.0
    known = np.repeat(sound, batch.counts)
    return normalise(batch, np.where(known, batch.probability, done)), int((~sound).sum())
