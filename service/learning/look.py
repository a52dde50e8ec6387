"""One look of the gate at a candidate, on the candidate's fresh decisions."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from authopt.evaluation.segment_values import AMOUNT_BAND, CROSS
from authopt.learning.gate.judge import judge
from authopt.learning.gate.settings import SEGMENTS, Gate
from authopt.learning.gate.trained_on import TrainedOn
from authopt.learning.gate.verdict import GateVerdict
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import Policy
from authopt.rewards import Reward
from authopt.rollout.promotion import LOGGED, Known, Promotion, promotion
from service.learning.candidate import made_of
from service.learning.cursor import Candidate
from service.learning.fresh import fresh_batches
from service.learning.learner import Learner
from service.learning.publishing import actor_of
from service.live.present_policy import load_promoted
from service.live.routes import weights_at
from service.live.weighted import Weighted
from service.models.gate_word import known_policy
from service.models.live_policy import Promoted
from service.models.registry import find_model
from service.store.records import moment

_BAND_OF = "amount_minor"


def look(
    learner: Learner,
    candidate: Candidate,
    live: Promoted | None,
    conditions: Gate,
    now_us: int,
    between: Callable[[], None],
) -> tuple[GateVerdict, Promotion]:
    """Hold a candidate against what is live, on all its fresh decisions.

    Parameters
    ----------
    learner
        that holds its lease.
    candidate
        of it.
    live
        None: what the service was started with. It is not known here, and what was done stands for
        it.
    conditions
        of the gate.
    now_us
        microseconds since 1970, UTC.
    between
        is called now and then.

    Returns
    -------
    tuple
        the verdict, and what it means for promotion.

    Raises
    ------
    UserError
        If one of the two cannot be loaded or gives no probabilities, or the conditions do not fit
        the decisions.
    """
    tenant, made, now = learner.lease.tenant, made_of(candidate), moment(now_us)
    with learner.engine.connect() as connection:
        own, own_known = _policy(connection, tenant, made, now_us)
        present: tuple[Policy, Known] = LoggedPolicy(), Known(LOGGED)
        if live is not None:
            present = _policy(connection, tenant, live, now_us)
        if _is_earlier(connection, learner, live):
            conditions = keeping_up(conditions, learner.reward)
    wanted = SEGMENTS if conditions.segments is None else conditions.segments
    names = {part.strip() for each in wanted for part in each.split(CROSS)}
    if AMOUNT_BAND in names:
        names.add(_BAND_OF)
    verdict = judge(
        fresh_batches(
            learner.engine,
            tenant,
            learner.cursor,
            candidate,
            names & set(candidate.columns),
            learner.reward,
            now_us,
            learner.rows_at_once,
            between,
        ),
        own,
        present[0],
        conditions,
        columns=candidate.columns,
        reward=learner.reward,
        specs=(own_known.spec, present[1].spec),
        fingerprints=(own_known.fingerprint, present[1].fingerprint),
        trained=TrainedOn(unseen=True),
        earlier=candidate.looks,
        is_further=True,
        now=lambda: now,
    )
    return verdict, promotion(verdict, own_known, present[1], now)


def keeping_up(conditions: Gate, reward: Reward) -> Gate:
    """The conditions for a candidate that is the live policy learned on.

    Where it tries something out and the live one does not, it is the worse one by what that costs;
    as much is borne as the gate lets exploring cost by default.
    """
    low, high = reward.bounds
    borne = min(conditions.exploration_budget, Gate().exploration_budget) * (high - low)
    margin = min(conditions.margin, 0.0) - borne
    return msgspec.structs.replace(conditions, gain_rule="not-shown-worse", margin=margin)


def _policy(
    connection: Connection, tenant: str, promoted: Promoted, now_us: int
) -> tuple[Policy, Known]:
    """As it would decide now, with the weights of the routes; and as the verdict knows it."""
    policy = load_promoted(connection, tenant, promoted).policy
    assert policy is not None
    weights = weights_at(connection, tenant, now_us)
    known = known_policy(connection, tenant, promoted.spec, promoted.sha256)
    if promoted.sha256 is not None:
        # All models of a learner have one spec: people tell them apart by their sums.
        known = Known(f"model {promoted.sha256[:12]}", known.fingerprint)
    return Weighted(policy, weights) if weights else policy, known


def _is_earlier(connection: Connection, learner: Learner, live: Promoted | None) -> bool:
    """Whether what is live is an earlier model of the learner."""
    if live is None or live.sha256 is None:
        return False
    model = find_model(connection, learner.lease.tenant, live.sha256)
    return model.added_by == actor_of(learner)
