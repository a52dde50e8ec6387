"""``authopt evaluate --replay``: a log is replayed to policies that learn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.blocks import PredictsReward
from authopt.evaluation.engine import without_propensities
from authopt.evaluation.replay.replay import QUANTILE, largest_weight, replay
from authopt.evaluation.replay.result import Method
from authopt.evaluation.report.replay_tables import print_replay
from authopt.logs.files import AttemptLog
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PropensitySource
from authopt.policies.protocol import Policy
from authopt.rewards import Reward
from authopt.terminal import console, print_json, tracked


def replay_log(
    log: AttemptLog,
    policies: Sequence[Policy],
    *,
    method: str,
    reward: Reward,
    reward_model: PredictsReward | None,
    update_every: int,
    repetitions: int,
    confidence: float,
    max_weight: float | None,
    seed: int,
    strict: bool,
    as_json: bool,
) -> None:
    """Replay a log to policies, one after the other, and print what each would have come to.

    Where no largest weight is declared, a first pass looks for the exact one; a log that does not
    hold it is replayed by a quantile of the weights. Parameters as of
    :func:`authopt.evaluation.replay.replay.replay`.

    Raises
    ------
    UserError
        As :func:`authopt.evaluation.replay.replay.replay` does.
    """
    if log.propensity_source is PropensitySource.UNKNOWN:
        raise UserError(without_propensities(log.path))

    def batches(what: str, rejects: Rejects) -> Iterator[LoggedBatch]:
        return tracked(log.batches(reward=reward, rejects=rejects), what, log.num_rows, len)

    bound = max_weight
    if bound is None:
        bound = largest_weight(batches("looking for the largest weight", Rejects(strict=strict)))
    results = []
    for policy in policies:
        rejects = Rejects(strict=strict)
        results.append(
            replay(
                batches(f"replaying to {policy.name}", rejects),
                policy,
                method=Method(method),
                reward_model=reward_model,
                reward=reward,
                max_weight=bound,
                quantile=QUANTILE,
                update_every=update_every,
                seed=seed,
                repetitions=repetitions,
                confidence=confidence,
                path=log.path,
                rejects=rejects,
            )
        )
    if as_json:
        print_json({"replays": [result.as_json() for result in results]})
        return
    for place, result in enumerate(results):
        if place:
            console().print()
        print_replay(result, console())
