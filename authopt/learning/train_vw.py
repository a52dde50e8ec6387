"""Train a Vowpal Wabbit policy from an attempt log.

Two passes over the log: the first one declares the features on a sample of payments and notes the
later attempts of payments; the last one writes the text that VW's own driver learns from. Between
them comes one more where models tell what payments are still to bring, and one where a reward model
is fitted for doubly robust targets.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from authopt import __version__
from authopt.batch import LoggedBatch, utc_datetime
from authopt.errors import UserError
from authopt.features.folds import Sample, sample_payments
from authopt.features.route_properties import RouteTable
from authopt.features.vw_features import ROUTES, learn_vw_features
from authopt.features.vw_text import VwText
from authopt.learning.going_on import Parent, sha256_of, until
from authopt.learning.later_value import fit_later_value, share_open
from authopt.learning.log_survey import Survey
from authopt.learning.progressive import Progress, Progressive
from authopt.learning.reward_model import RewardModel, fit_reward_model
from authopt.learning.reward_to_go import Retries
from authopt.learning.targets import Targets
from authopt.learning.training_text import NO_PROPENSITY, TrainingText
from authopt.learning.vw_driver import DriverResult, run_driver
from authopt.learning.warm_start import fit_support
from authopt.logs.schema import PropensitySource
from authopt.policies.state_file import write_state
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_manifest import (
    LeftOut,
    LogRecord,
    VwManifest,
    manifest_path,
    probes_of,
)
from authopt.policies.vw_options import VwOptions
from authopt.policies.vw_workspace import VwWorkspace
from authopt.rewards import DEFAULT_REWARD, Reward

DECLARE_ROWS = 50_000
PROBES = 8

LARGEST_REWARD = float(np.finfo(np.float32).max)
"""VW holds costs as float32; rows of a larger reward are left out."""

LEAST_OPEN = 0.005
"""Where the log leaves more of its decisions open than this share, a model completes them."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model that was trained.

    Attributes
    ----------
    manifest
        how it was made.
    progressive
        what it was worth while it learned; None with several passes, or where there was nothing to
        judge.
    completed
        what models say of payments beyond what was observed, in words; None where they say nothing.
    """

    manifest: VwManifest
    progressive: Progressive | None
    completed: str | None


ReadLog = Callable[[str], Iterable[LoggedBatch]]
"""Reads the log from its start; the text says what for, to be shown beside a progress bar."""

Later: TypeAlias = Literal["observed", "fitted"]
Interactions: TypeAlias = Literal["declared", "route", "none"]


def train_vw(
    read: ReadLog,
    out: Path,
    options: VwOptions | None = None,
    *,
    reward: Reward = DEFAULT_REWARD,
    reward_to_go: bool | None = None,
    later: Later = "observed",
    targets: Targets = "observed",
    routes: RouteTable | None = None,
    merchant_own: bool = False,
    context_pairs: bool = False,
    attempt_times: bool = False,
    interactions: Interactions = "declared",
    judge: bool = True,
    source: PropensitySource = PropensitySource.LOGGED,
    log: Path | None = None,
    parent: Parent | None = None,
) -> Trained:
    """Train a model and write it with its manifest, each whole or not at all.

    Cost is the negative reward, in money divided by the root of the rewards' mean square: VW's
    learner takes steps of a fixed size, which fit costs of about 1. It starts from the mean reward,
    so that what was never seen is taken for average.

    Parameters
    ----------
    read
        gives the log, chunk by chunk in the order that it is learned in; it is read two to four
        times.
    out
        where the model goes; its manifest goes beside it (``manifest_path``).
    options
        how VW learns and explores.
    reward
        what the batches' rewards are; gives name and bounds.
    reward_to_go
        count the rewards of later attempts of the payment, see ``authopt.learning.reward_to_go``.
        By default where a payment in the log has more than one attempt.
    later
        what follows a decision counts as it was ``observed``, or half as a model expects it if the
        payment is well taken on (``fitted``).
    targets
        ``observed``: one example for every decision, its reward the label of the logged action.
        ``dr``: one for every eligible action, with a doubly robust score
        (``authopt.learning.targets``); it takes several times as long, and the options' weighting
        has no part in it. ``pessimistic``: for a log of fixed rules that explored nothing
        (``authopt.learning.warm_start``).
    routes, merchant_own, context_pairs, attempt_times
        as in :func:`authopt.features.vw_features.learn_vw_features`.
    interactions
        pairs of namespaces that interact: those ``declared``, of them those with the ``route``, or
        ``none``.
    judge
        whether to judge the policy while it learns (``authopt.learning.progressive``); that takes
        one pass.
    source
        where the log's propensities come from.
    log
        the log's file, to be recorded.
    parent
        a model to go on from: what it knows of the logs before this one is kept, and so are its
        features, its scale of rewards and most of its options (``authopt.learning.going_on``).

    Raises
    ------
    UserError
        If no row of the log can be learned from, or VW fails; or if something is asked for that
        the parent cannot go on with.
    """
    if parent is not None:
        options = parent.going_on_with(options)
        of_features = {
            "routes": routes is not None,
            "merchant_own": merchant_own,
            "context_pairs": context_pairs,
            "attempt_times": attempt_times,
            "interactions": interactions != "declared",
        }
        parent.check_task(reward.name, reward_to_go, of_features)
        reward_to_go = parent.manifest.reward_to_go
        if log is not None:
            parent.check_log(log)
    options = options or VwOptions()
    survey = Survey(money=reward.currency is not None)
    sample = sample_payments(
        survey.watch(read("reading")), DECLARE_ROWS, options.seed, "declare features"
    )
    if sample is None:
        raise UserError(f"{log or 'the log'}: there is nothing to learn from: it is empty")
    features = (
        learn_vw_features(
            sample.batch,
            routes,
            merchant_own=merchant_own,
            context_pairs=context_pairs,
            attempt_times=attempt_times,
        )
        if parent is None
        else parent.manifest.features
    )
    if interactions != "declared":
        route = ROUTES[0] if interactions == "route" else None
        pairs = tuple(pair for pair in features.interactions if route is not None and route in pair)
        features = replace(features, interactions=pairs)
    to_go = bool(len(survey.retries)) if reward_to_go is None else reward_to_go
    retries = _retries(read, survey, sample, later, reward, options.seed) if to_go else None
    least, largest = reward.bounds
    scale = survey.scale if parent is None else parent.scale
    training = TrainingText(VwText(features), retries, largest, options, scale)
    got = training.rewards(sample.batch)
    known = got[np.abs(got) <= LARGEST_REWARD]
    if parent is None:
        training.options = options = replace(
            options,
            start=-float(known.mean()) / scale if len(known) else 0.0,
            cost_range=(-largest / scale, -least / scale),
        )
    else:
        training.routes.update(parent.manifest.routes)
    if targets == "dr":
        training.model = _reward_model(read, training, options.seed)
    elif targets == "pessimistic":
        training.support = fit_support(sample.batch, got, float(known.min(initial=least)))
    arguments = options.arguments(features)
    with tempfile.TemporaryDirectory(dir=_folder(out), prefix=f".{out.name}.") as name:
        folder = Path(name).resolve()
        model = folder / "model.vw"
        draft = VwManifest(
            sha256="",
            vw_version="",
            authopt_version=__version__,
            vw_arguments=tuple(arguments),
            explorer=options.explorer,
            epsilon=options.epsilon,
            floor=options.epsilon,
            cb_type=options.cb_type,
            weighting=options.weighting,
            parameters=tuple(options.explorer_arguments()),
            cost_scale=training.scale,
            features=features,
            # The very counts that the training goes on to make.
            routes=training.routes,
            rows=0,
            left_out=(),
            reward=reward.name,
            reward_to_go=to_go,
            targets=targets,
            mean_reward=0.0,
            progressive_value=None,
            log=_record(log, source, survey, parent),
            probes=(),
            ancestors=() if parent is None else parent.lineage,
        )

        def policy_of(file: Path) -> VwPolicy:
            return VwPolicy(draft, VwWorkspace(file), VwText(features))

        if judge and options.passes == 1:
            training.progress = Progress(survey.rows, folder, policy_of, options.seed)
        driver = run_driver(
            [
                *(arguments if parent is None else parent.arguments(arguments)),
                *("--final_regressor", str(model)),
            ],
            training.pieces(read("training")),
            options.passes,
            folder,
        )
        _check(training, driver, options.passes, log)
        progressive = None
        if training.progress is not None:
            progressive = training.progress.value(reward.bounds)
        probe = sample.batch.take(slice(0, PROBES)).decisions()
        manifest = msgspec.structs.replace(
            draft,
            sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
            vw_version=driver.version,
            routes=dict(sorted(training.routes.items())),
            rows=training.rows,
            left_out=tuple(LeftOut(*each) for each in training.left_out.most_common()),
            mean_reward=training.total / training.rows,
            progressive_value=progressive and progressive.value,
            progressive_interval=progressive
            and (progressive.interval.lower, progressive.interval.upper),
            probes=probes_of(probe, features, policy_of(model).probabilities(probe)),
        )
        os.replace(model, out)
    write_state(manifest_path(out), manifest)
    told = None if retries is None or retries.model is None else retries.model.description
    return Trained(manifest, progressive, told)


def _retries(
    read: ReadLog, survey: Survey, sample: Sample, later: Later, reward: Reward, seed: int
) -> Retries:
    """The later attempts, with what models expect of them where that is asked for or needed."""
    assert survey.last is not None
    if later == "observed" and share_open(sample.batch, survey.last) <= LEAST_OPEN:
        return survey.retries
    model = fit_later_value(
        sample.batch, survey.last, reward.bounds[1], bootstrap=later == "fitted", seed=seed
    )
    if model is None:
        return survey.retries
    retries = Retries(model)
    for batch in read("looking ahead"):
        retries.add(batch)
    return retries


def _reward_model(read: ReadLog, training: TrainingText, seed: int) -> RewardModel:
    batches = (replace(batch, reward=training.rewards(batch)) for batch in read("fitting rewards"))
    return fit_reward_model(batches, seed=seed)


def _check(training: TrainingText, driver: DriverResult, passes: int, log: Path | None) -> None:
    """Raise unless there were rows, and VW learned from each of them in every pass."""
    if not training.rows:
        left_out = training.left_out
        reasons = "; ".join(f"{rows:,} rows: {why}" for why, rows in left_out.items())
        advice = ""
        if left_out[NO_PROPENSITY]:
            advice = (
                ". Estimate the propensities first: authopt log propensities "
                f"{log or 'LOG'} --out with-propensities.parquet"
            )
        raise UserError(f"{log or 'the log'}: no row can be learned from ({reasons}){advice}")
    if driver.weighted_examples != training.examples * passes:
        raise RuntimeError(
            f"VW learned from {driver.weighted_examples:g} examples; {training.examples * passes} "
            "were written"
        )


def _record(
    log: Path | None, source: PropensitySource, survey: Survey, parent: Parent | None
) -> LogRecord:
    record = LogRecord(
        name=None if log is None else log.name,
        size_bytes=None if log is None else log.stat().st_size,
        sha256=None if log is None else sha256_of(log),
        propensity_source=source.value,
        first=utc_datetime(survey.first),
        last=utc_datetime(survey.last),
        last_payment=utc_datetime(survey.last_payment),
    )
    before = None if parent is None else parent.learned_until
    own = until(record)
    if before is None or own is None:
        return record
    return msgspec.structs.replace(record, last_payment=max(own, before))


def _folder(out: Path) -> Path:
    if not out.parent.is_dir():
        raise UserError(f"{out}: the folder {out.parent} does not exist")
    return out.parent
