"""The gate on a log file and policies by their specs: what the commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.learning.gate.judge import judge
from authopt.learning.gate.settings import Gate
from authopt.learning.gate.trained_on import (
    TrainedOn,
    fingerprint_of,
    is_same_log,
    trained_on,
)
from authopt.learning.gate.verdict import GateVerdict, Look, read_verdict
from authopt.learning.reward_model import fit_reward_model
from authopt.logs.files import AttemptLog
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PropensitySource
from authopt.policies.spec import load_policy
from authopt.rewards import Reward

Track = Callable[[Iterable[LoggedBatch], str], Iterable[LoggedBatch]]


def judge_log(
    log: AttemptLog,
    candidate: str,
    live: str,
    gate: Gate,
    *,
    reward: Reward,
    with_model: bool = True,
    max_weight: float | None = None,
    strict: bool = False,
    before: Path | None = None,
    trained: TrainedOn | None = None,
    track: Track = lambda batches, _: batches,
) -> GateVerdict:
    """Hold the policy of one spec against that of another, by a log file.

    Parameters
    ----------
    log, candidate, live, gate, reward, max_weight
        as in :func:`authopt.learning.gate.judge.judge`.
    with_model
        fit a reward model for doubly robust estimates.
    strict
        stop at the first unsound row instead of leaving it out.
    before
        file of the last verdict, if there may be one: if it is of the same two policies by a
        shorter log with the same beginning, this is a further look.
    trained
        what the candidate learned from; by default what its manifest says.
    track
        shows progress over the log.

    Raises
    ------
    UserError
        As ``judge`` does; and where a policy cannot be loaded or the log has no propensities.
    """
    if log.propensity_source is PropensitySource.UNKNOWN:
        raise UserError(
            f"{log.path} has no propensities, and without them no policy can be judged. Estimate "
            f"them first: authopt log propensities {log.path} --out with-propensities.parquet"
        )
    policies = load_policy(candidate), load_policy(live)
    model = None
    if with_model:
        batches = log.batches(reward=reward, rejects=Rejects(strict=strict))
        model = fit_reward_model(track(batches, "fitting the reward model"))
    known = trained_on(candidate) if trained is None else trained
    rejects = Rejects(strict=strict)
    return judge(
        track(log.batches(reward=reward, rejects=rejects), "judging"),
        *policies,
        gate,
        columns=log.columns,
        reward=reward,
        reward_model=model,
        max_weight=max_weight,
        specs=(candidate, live),
        fingerprints=(fingerprint_of(candidate), fingerprint_of(live)),
        propensity_source=log.propensity_source,
        path=log.path,
        rejects=rejects,
        trained=known,
        same_log=known is not None and is_same_log(known, log.path),
        earlier=earlier_looks(before, candidate, live),
    )


def earlier_looks(before: Path | None, candidate: str, live: str) -> tuple[Look, ...]:
    """The looks of the last verdict, if it was on the same two policies; else none."""
    if before is None or not before.is_file():
        return ()
    last = read_verdict(before)
    same = (last.candidate.spec, last.candidate.sha256) == (candidate, fingerprint_of(candidate))
    same &= (last.live.spec, last.live.sha256) == (live, fingerprint_of(live))
    return last.looks if same else ()
