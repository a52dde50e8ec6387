"""One repetition of a replay: a learner of its own that follows the log and learns what it accepts.

The learner is asked for a slice of rows at a time. When enough rows of the slice are accepted for
an update, what comes after in the slice is put back and asked again after the update, so the answer
is that of going row by row, whatever the slices and the chunks of the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from authopt.batch import FloatArray, IntArray, LoggedBatch, concat
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.replay.acceptance import AcceptanceRule, excess
from authopt.evaluation.terms import BadProbabilities, terms_of
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.sampling import normalise

SMALLEST_SLICE, LARGEST_SLICE = 64, 16_384


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Followed:
    """What one repetition made of n rows, row by row.

    Attributes
    ----------
    accepted
        float64[n], 1 where the row was accepted, else 0.
    before
        int64[n], rows accepted before it.
    multiplier
        float64[n], the c of the row.
    weight
        float64[n], importance weight of the learner's policy.
    term
        float64[n], the doubly robust term of the policy that the learner followed at the row.
    worst, best
        float64[n], the same with the smallest and the largest reward on what has no support.
    excess
        float64[n], see ``replay_acceptance.excess``.
    unsupported
        float64[n], the learner's probability of actions that the logging policy never takes.
    """

    accepted: FloatArray
    before: IntArray
    multiplier: FloatArray
    weight: FloatArray
    term: FloatArray
    worst: FloatArray
    best: FloatArray
    excess: FloatArray
    unsupported: FloatArray


@dataclass(slots=True, eq=False)
class Follower:
    """A learner on its way through the log.

    Attributes
    ----------
    policy
        a copy that nobody else has.
    acceptance
        the rule by which rows are accepted.
    update_every
        accepted rows that the learner learns from at a time.
    bounds
        smallest and largest possible reward.
    accepted, updates
        so far.
    waiting
        accepted rows that have not been learnt from yet.
    """

    policy: Policy
    acceptance: AcceptanceRule
    update_every: int
    bounds: tuple[float, float]
    accepted: int = 0
    updates: int = 0
    waiting: list[LoggedBatch] = field(default_factory=list)
    _learns: bool = field(init=False)

    def __post_init__(self) -> None:
        # Asking a protocol is slow.
        self._learns = isinstance(self.policy, LearningPolicy)

    def follow(self, batch: LoggedBatch, arrays: LoggedArrays, uniform: FloatArray) -> Followed:
        """Go through n rows; ``arrays`` are theirs with predictions, ``uniform`` decides.

        Raises
        ------
        BadProbabilities
            If the policy gives what are not probabilities; its ``decision`` counts in ``batch``.
        """
        parts, start = [], 0
        while start < batch.n:
            stop = min(start + self._slice(), batch.n)
            try:
                parts.append(self._slice_of(batch, arrays, uniform, start, stop))
            except BadProbabilities as error:
                where = None if error.decision is None else start + error.decision
                raise BadProbabilities(where, str(error)) from error
            start += len(parts[-1].term)
        names = Followed.__slots__
        return Followed(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        )

    def finish(self) -> None:
        """Let the learner have the accepted rows that are left."""
        self._learn()

    def _slice(self) -> int:
        largest = min(LARGEST_SLICE, self.acceptance.until_renewal)
        if not self._learns:
            return int(largest)
        missing = self.update_every - sum(part.n for part in self.waiting)
        expected = missing / self.acceptance.multiplier
        return int(min(max(expected, SMALLEST_SLICE), largest))

    def _slice_of(
        self, batch: LoggedBatch, arrays: LoggedArrays, uniform: FloatArray, start: int, stop: int
    ) -> Followed:
        part, log = batch.take(slice(start, stop)), _rows(arrays, start, stop)
        own = np.asarray(self.policy.probabilities(part.decisions()), np.float64)
        terms = terms_of(log, own)
        own = normalise(part, own)
        assert terms.w is not None
        assert terms.v is not None
        assert terms.q is not None
        multiplier = self.acceptance.multiplier
        accept = uniform[start:stop] < self.acceptance.chances(terms.w)
        n, taken = part.n, np.flatnonzero(accept)
        missing = self.update_every - sum(waiting.n for waiting in self.waiting)
        if self._learns and len(taken) >= missing:
            taken = taken[:missing]
            n = int(taken[-1]) + 1
        w, accepted = terms.w[:n], accept[:n].astype(np.float64)
        self.acceptance.see(w)
        lacking = np.zeros(n) if terms.unsupported is None else terms.unsupported[:n]
        elsewhere = 0.0 if terms.v_unsupported is None else terms.v_unsupported[:n]
        term = terms.v[:n] + w * (terms.r[:n] - terms.q[:n])
        low, high = self.bounds
        followed = Followed(
            accepted=accepted,
            before=self.accepted + (np.cumsum(accepted) - accepted).astype(np.int64),
            multiplier=np.full(n, multiplier),
            weight=w,
            term=term,
            worst=term - elsewhere + low * lacking,
            best=term - elsewhere + high * lacking,
            excess=excess(log, own, terms.w, multiplier)[:n],
            unsupported=lacking,
        )
        self.accepted += len(taken)
        if self._learns and len(taken):
            self.waiting.append(_as_own(part, own, taken))
            if len(taken) == missing:
                self._learn()
        return followed

    def _learn(self) -> None:
        if not self.waiting:
            return
        assert isinstance(self.policy, LearningPolicy)
        self.policy.update(concat(self.waiting))
        self.updates += 1
        self.waiting = []
        self.acceptance.renew()


def _rows(arrays: LoggedArrays, start: int, stop: int) -> LoggedArrays:
    first, last = int(arrays.offsets[start]), int(arrays.offsets[stop])
    known, q = arrays.probability, arrays.q
    return LoggedArrays(
        offsets=arrays.offsets[start : stop + 1] - first,
        chosen=arrays.chosen[start:stop],
        reward=arrays.reward[start:stop],
        propensity=arrays.propensity[start:stop],
        probability=None if known is None else known[first:last],
        q=None if q is None else q[first:last],
    )


def _as_own(batch: LoggedBatch, own: FloatArray, rows: IntArray) -> LoggedBatch:
    """Accepted rows as the learner's own log: it took these actions with its own probability."""
    mine = replace(batch, probability=own, propensity=own[batch.chosen_action])
    return mine.take(rows)
