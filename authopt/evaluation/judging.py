"""How parts of a log file become sums, in this process or in another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from authopt.batch import FloatArray, LoggedBatch
from authopt.evaluation.blocks import PredictsReward
from authopt.evaluation.candidates import Candidate, candidates_of
from authopt.evaluation.engine import add_batches
from authopt.evaluation.late.censoring import CensoringModel
from authopt.evaluation.sums import EvaluationSums
from authopt.evaluation.wanted import Wanted
from authopt.logs.chunks import Span
from authopt.logs.files import AttemptLog, open_log
from authopt.logs.rejects import Rejects
from authopt.policies.spec import load_policy
from authopt.rewards import Reward


@dataclass(frozen=True, slots=True)
class _Completed:
    """A reward that is completed for outcomes that are late or lost: its bounds are wider."""

    reward: Reward
    bounds: tuple[float, float]

    @property
    def name(self) -> str:
        return self.reward.name

    @property
    def spec(self) -> str:
        return self.reward.spec

    @property
    def files(self) -> tuple[Path, ...]:
        return self.reward.files

    @property
    def columns(self) -> tuple[str, ...]:
        return self.reward.columns

    @property
    def currency(self) -> str | None:
        return self.reward.currency

    @property
    def by_approval(self) -> bool:
        return False  # what is filled in for a lost outcome may earn without an approval

    def of(self, batch: LoggedBatch) -> FloatArray:
        return self.reward.of(batch)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Judging:
    """How parts of a log become sums; called once in every process that adds up.

    Attributes
    ----------
    path
        the log.
    specs
        of the policies.
    wanted
        what is added up.
    reward, reward_model, cluster
        as in :func:`authopt.evaluation.engine.evaluate`.
    learn_every
        decisions in a slice for policies that learn; None to judge them frozen.
    strict
        whether to stop at the first unsound row.
    censoring, lost
        how rewards are completed for outcomes that are late or lost, and the reward that lost ones
        count with (None: as at random).
    """

    path: Path
    specs: tuple[str, ...]
    wanted: Wanted
    reward: Reward
    reward_model: PredictsReward | None
    cluster: str
    learn_every: int | None
    strict: bool
    censoring: CensoringModel | None = None
    lost: float | None = None

    def __call__(self) -> Callable[[Span | None], EvaluationSums]:
        """The function that adds up one part of the log, or (None) all of it."""
        candidates = self.candidates()
        return partial(self._sums, open_log(self.path), candidates)

    @property
    def judged_reward(self) -> Reward:
        """The reward with the bounds that it has once it is completed."""
        if self.censoring is None:
            return self.reward
        return _Completed(self.reward, self.censoring.bounds(*self.reward.bounds))

    def candidates(self) -> list[Candidate]:
        """The policies, loaded from their specs."""
        policies = [load_policy(spec) for spec in self.specs]
        return candidates_of(policies, self.specs, self.learn_every)

    def _sums(
        self, log: AttemptLog, candidates: Sequence[Candidate], span: Span | None
    ) -> EvaluationSums:
        rejects = Rejects(strict=self.strict)
        batches = log.batches(reward=self.reward, rejects=rejects, span=span)
        if self.censoring is not None:
            batches = (self.censoring.completed(batch, self.lost) for batch in batches)
        sums = add_batches(
            batches,
            candidates,
            self.wanted,
            reward_model=self.reward_model,
            reward=self.judged_reward,
            cluster=self.cluster,
            path=self.path,
        )
        sums.log.left_out.update(rejects.by_reason)
        return sums
