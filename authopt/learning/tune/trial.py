"""One candidate, trained on the earlier slices and judged on the one after them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from authopt.features.route_properties import RouteTable
from authopt.learning.train_vw import train_vw
from authopt.learning.tune.judging import Exam, Judged, exam_of, judge
from authopt.learning.tune.slices import Slices
from authopt.learning.tune.space import Candidate
from authopt.logs.schema import PropensitySource
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from authopt.rewards import Reward


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is the same for all candidates.

    Attributes
    ----------
    slices
        the log in slices.
    folder
        where models and results go.
    base
        VW's options that are not tried.
    reward, to_go
        what is learned and judged by.
    routes, merchant_own, context_pairs, attempt_times
        as in :func:`authopt.features.vw_features.learn_vw_features`.
    source
        where the log's propensities come from.
    seed
        of samples and reward models.
    """

    slices: Slices
    folder: Path
    base: VwOptions
    reward: Reward
    to_go: bool
    routes: RouteTable | None
    merchant_own: bool
    context_pairs: bool
    attempt_times: bool
    source: PropensitySource
    seed: int

    def exam(self, number: int) -> Exam | None:
        """The decisions of a slice that judge."""
        read = self.slices.read(number, number + 1, self.reward)
        return exam_of(read, self.reward, self.to_go, self.seed)


class Trial(msgspec.Struct, frozen=True):
    """How a candidate did on one rung.

    Attributes
    ----------
    judged
        its worth on the next slice; None where training or judging failed.
    rows
        decisions that it learned from.
    seconds
        that training took.
    failed
        why it failed, or None.
    """

    judged: Judged | None
    rows: int
    seconds: float
    failed: str | None = None

    @property
    def score(self) -> float:
        """What candidates are ranked by; NaN where it failed."""
        return float("nan") if self.judged is None else self.judged.score


def train_on(setting: Setting, candidate: Candidate, slices: int, out: Path) -> int:
    """Train on the first slices; give the number of decisions learned from."""
    given: Any = {name: candidate.training(name) for name in ("targets", "later", "interactions")}
    trained = train_vw(
        lambda _: setting.slices.read(0, slices, setting.reward),
        out,
        candidate.vw_options(setting.base),
        reward=setting.reward,
        reward_to_go=setting.to_go,
        routes=setting.routes,
        merchant_own=setting.merchant_own,
        context_pairs=setting.context_pairs,
        attempt_times=setting.attempt_times,
        source=setting.source,
        judge=False,
        **given,
    )
    return trained.manifest.rows


def try_out(setting: Setting, rung: int, candidate: Candidate, exam: Exam) -> Trial:
    """Train on the slices up to the rung's and judge on the next; a result on disk is taken as is.

    A candidate that Vowpal Wabbit refuses is reported as failed; it does not end the others.
    """
    from authopt.errors import UserError

    kept = setting.folder / f"rung-{rung}-{candidate.key}.json"
    if kept.is_file():
        return msgspec.json.decode(kept.read_bytes(), type=Trial)
    model = setting.folder / f"rung-{rung}-{candidate.key}.vw"
    started = time.monotonic()
    try:
        rows = train_on(setting, candidate, rung + 1, model)
        trial = Trial(judge(exam, VwPolicy.load(model)), rows, time.monotonic() - started)
    except UserError as error:
        trial = Trial(None, 0, time.monotonic() - started, str(error))
    partial = kept.with_suffix(".part")
    partial.write_bytes(msgspec.json.encode(trial))
    partial.replace(kept)
    return trial
