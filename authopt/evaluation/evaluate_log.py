"""A log file judged in parts: by several processes, and on from where a run was cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from authopt.errors import UserError
from authopt.evaluation.blocks import PredictsReward, embeddings_of
from authopt.evaluation.engine import (
    LEARN_EVERY,
    check_propensities,
    description_of,
    wanted_of,
    without_propensities,
)
from authopt.evaluation.judged import Named
from authopt.evaluation.judging import Judging
from authopt.evaluation.late.censoring import CensoringModel, fit_censoring
from authopt.evaluation.late.completeness import censoring_remarks
from authopt.evaluation.parallel import add_up
from authopt.evaluation.quantities import Remark
from authopt.evaluation.result import Evaluation
from authopt.evaluation.settings import Settings
from authopt.evaluation.summary import summarise
from authopt.evaluation.sums import EvaluationSums
from authopt.evaluation.sums_file import Checkpoint, fingerprint_of
from authopt.evaluation.support_bounds import Assumption
from authopt.logs.chunks import Span
from authopt.logs.files import SPAN_ROWS, open_log
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PropensitySource
from authopt.rewards import DEFAULT_REWARD, Reward

SMALL_SPAN_ROWS, MANY_ROWS = 131_072, 2_000_000
"""Rows of a part of a log with fewer rows than these: progress is shown part by part."""

CHECKED_ROWS = 300_000
"""Rows whose propensities are checked; faults show in far fewer, and a check of all takes longer
than all else."""

T = TypeVar("T")


def untracked(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """Show no progress."""
    return items


@dataclass(frozen=True, slots=True)
class Lateness:
    """What is to be done about outcomes that come late or not at all.

    Attributes
    ----------
    wait_s
        seconds after an attempt from which on an outcome that has not come counts as lost.
    as_of
        when the log was written (UTC); None for its last decision or outcome.
    lost
        ``random``: lost outcomes are like those that came, within route, delay and attempt;
        ``worst`` and ``best``: they count with the smallest or the largest reward.
    """

    wait_s: float
    as_of: np.datetime64 | None = None
    lost: str = "random"


def evaluate_log(
    path: Path,
    specs: Sequence[str],
    *,
    reward_model: PredictsReward | None = None,
    reward: Reward = DEFAULT_REWARD,
    cluster: str = "payment_id",
    confidence: float = 0.95,
    bootstrap: int = 1000,
    max_weight: float | None = None,
    learn_every: int | None = LEARN_EVERY,
    seed: int = 0,
    segments: Sequence[str] = (),
    volume: bool = False,
    payments: bool = True,
    assumption: Assumption | None = None,
    values_only: bool = False,
    lateness: Lateness | None = None,
    options: tuple[str, ...] = (),
    workers: int = 1,
    resume: Path | None = None,
    strict: bool = False,
    track: Callable[[Iterable[Span], str, int], Iterable[Span]] = untracked,
) -> Evaluation:
    """Judge policies by a log file, as :func:`authopt.evaluation.engine.evaluate` does.

    The answer does not depend on the number of processes, nor on whether the run was cut off and
    resumed. A policy that learns follows the log from its beginning, so with one among them all is
    done in one process, and cannot be resumed.

    Parameters
    ----------
    path
        the attempt log.
    specs
        the policies (:func:`authopt.policies.spec.load_policy`).
    lateness
        what to do about outcomes that are late or lost; None to leave out rows without one.
    options
        of the command, for the report.
    workers
        processes; more than one only for Parquet.
    resume
        file that keeps what has been added up so far; if it is there already, the run goes on
        from it. Only for Parquet.
    strict
        stop at the first unsound row instead of leaving it out.
    track
        shows progress over the parts of the log: gets them, a few words and their number.
    reward_model, reward, cluster, confidence, bootstrap, max_weight, learn_every, seed, segments,
    volume, payments, assumption, values_only
        as in :func:`authopt.evaluation.engine.evaluate`.

    Raises
    ------
    UserError
        As there; and where the log cannot be read, a policy cannot be loaded, or ``resume`` is of
        another evaluation.
    """
    log = open_log(path)
    if log.propensity_source is PropensitySource.UNKNOWN:
        raise UserError(without_propensities(path))
    first = next(log.batches(reward=reward, rejects=Rejects(), chunk_rows=1024), None)
    embeddings = () if first is None else embeddings_of(first)
    censoring: CensoringModel | None = None
    remarks: tuple[Remark, ...] = ()
    if lateness is not None:
        censoring, follow_up = fit_censoring(
            partial(log.batches, reward=reward, rejects=Rejects()),
            lateness.wait_s,
            as_of=lateness.as_of,
            seed=seed,
        )
        remarks = censoring_remarks(follow_up, censoring)
    judging = Judging(
        path=path,
        specs=tuple(specs),
        wanted=wanted_of(
            reward,
            reward_model,
            segments,
            embeddings,
            volume,
            payments,
            assumption,
            values_only,
            check_every=max(1, (log.num_rows or 0) // CHECKED_ROWS),
        ),
        reward=reward,
        reward_model=reward_model,
        cluster=cluster,
        learn_every=learn_every,
        strict=strict,
        censoring=censoring,
        lost=None if lateness is None else _lost(lateness.lost, reward),
    )
    low, high = judging.judged_reward.bounds
    settings = Settings(
        reward=reward.name,
        reward_low=low,
        reward_high=high,
        declared=reward.bounds,
        reward_currency=reward.currency,
        reward_spec=reward.spec,
        reward_by_approval=judging.judged_reward.by_approval,
        remarks=remarks,
        cluster=cluster,
        confidence=confidence,
        bootstrap=bootstrap,
        max_weight=max_weight,
        seed=seed,
        propensity_source=log.propensity_source.value,
        path=path,
        reward_model=None if reward_model is None else description_of(reward_model),
        options=options,
        embeddings=embeddings,
    )
    candidates = judging.candidates()
    learning = [candidate.name for candidate in candidates if candidate.follows]
    spans = (
        None
        if learning
        else log.spans(SPAN_ROWS if (log.num_rows or 0) >= MANY_ROWS else SMALL_SPAN_ROWS)
    )
    if resume is not None and spans is None:
        raise UserError(
            f"an evaluation can be resumed only part by part, and {path} has none: "
            + (f"policy {learning[0]!r} learns from it" if learning else "it is not Parquet")
            + ". Leave --resume out"
            + (", or judge the policy frozen (--frozen)" if learning else "")
        )
    checkpoint = None
    if resume is not None:
        checkpoint = _checkpoint(resume, judging, len(candidates), f"{seed} {options}")
    if not spans:
        sums = judging()(None)
    else:
        sums = add_up(
            spans,
            judging,
            workers=workers,
            checkpoint=checkpoint,
            track=lambda parts: track(parts, "evaluating", len(spans)),
        )
    check_propensities(sums.log, path)
    named = [Named(each.name, each.spec, each.follows) for each in candidates]
    return summarise(sums, named, settings)


def _lost(what: str, reward: Reward) -> float | None:
    low, high = reward.bounds
    return {"random": None, "worst": low, "best": high}[what]


def _checkpoint(
    path: Path, judging: Judging, policies: int, options: str
) -> Checkpoint[EvaluationSums]:
    asked = {
        "the policies": ", ".join(judging.specs),
        "the reward": f"{judging.reward.spec} {judging.reward.bounds}",
        "the reward model": judging.reward_model and description_of(judging.reward_model),
        "the clusters": judging.cluster,
        "the seed and options": options,
        "what is added up": repr(judging.wanted),
    }
    named = [spec.partition(":")[2].partition(",")[0] for spec in judging.specs]
    # A model has its manifest beside it.
    files = [Path(name + suffix) for name in named if name for suffix in ("", ".json")]
    files += judging.reward.files
    return Checkpoint(
        path,
        fingerprint_of(judging.path, [file for file in files if file.is_file()], asked),
        partial(EvaluationSums.from_state, policies=policies, wanted=judging.wanted),
    )
