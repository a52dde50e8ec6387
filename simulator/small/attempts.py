"""What comes back from an attempt, and the decision point that follows a decline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from authopt.batch import (
    BoolArray,
    Categorical,
    Column,
    DecisionBatch,
    FloatArray,
    IntArray,
    LoggedBatch,
)
from authopt.payments import Initiator
from authopt.rules import DATA_UPDATED
from simulator.context_columns import codes_of
from simulator.small.approval import (
    INITIATORS,
    ApprovalModel,
    advice_names,
    ending_told,
    local_time,
    previous_ending,
)
from simulator.small.arrivals import decision_ids, draw
from simulator.small.cast import CURRENCIES, HOURS_FROM_UTC
from simulator.small.declines import (
    ADVICE,
    CODES,
    MASTERCARD_CODES,
    MASTERCARD_NETWORKS,
    STATES,
    STEP_UP_SHARE,
    UPDATER_SHARE,
    Ending,
)
from simulator.small.eligible import MOST_ATTEMPTS, Offers

NO_ATTEMPT = -1
"""Stands for the ending where the payment was given up."""

_CODE_NAMES = tuple(dict.fromkeys([*CODES.values(), *MASTERCARD_CODES.values()]))
_ADVICE_NAMES = advice_names()
_AUTHENTICATION_S = 45
_LATENCY_SPREAD = 0.35
_MIT = INITIATORS.index(Initiator.MIT)


def endings(world: ApprovalModel, batch: LoggedBatch, seed: int) -> IntArray:
    """int64[n], how the logged actions end (``Ending``), or ``NO_ATTEMPT``."""
    made = ~batch.is_stop[batch.chosen_action]
    chances = world.chances(batch, batch.chosen_action[made])
    known = previous_ending(batch)[made]

    def uniform(purpose: str) -> FloatArray:
        return _draw(batch, purpose, seed)[made]

    states = np.cumsum(world.first_states(batch)[made], axis=1)
    state = uniform("state")
    first = (states <= state[:, None]).sum(axis=1)
    first_state = np.array([*STATES, NO_ATTEMPT], np.int64)[first]
    stuck = np.where(state < chances.blocked, known, NO_ATTEMPT)
    blocked = np.where(known >= 0, stuck, first_state)
    refused = np.where(uniform("suspicion") < _suspicion(world, batch)[made],
                       int(Ending.SUSPECTED), int(Ending.REFUSED))  # fmt: skip
    answer = np.where(uniform("issuer") < chances.approve, int(Ending.APPROVED), refused)
    answer = np.where(uniform("step-up") < chances.step_up, int(Ending.AUTHENTICATE), answer)
    answer = np.where(uniform("route") < chances.route_down, int(Ending.ROUTE_DOWN), answer)
    found = np.full(batch.n, NO_ATTEMPT, np.int64)
    found[made] = np.where(blocked >= 0, blocked, answer)
    return found


def with_outcome(
    world: ApprovalModel, batch: LoggedBatch, ending: IntArray, seed: int
) -> LoggedBatch:
    """The decisions with what came back; giving up is known to bring nothing."""
    made = ending != NO_ATTEMPT
    route = np.where(made, batch.action_route[batch.chosen_action], 0)
    approved = (ending == Ending.APPROVED).astype(np.float64)
    noise = ndtri(np.clip(_draw(batch, "latency", seed), 1e-6, 1 - 1e-6))
    typical = np.array([each.latency_ms for each in world.routes])[route]
    latency_ms = np.round(typical * np.exp(_LATENCY_SPREAD * noise))
    amount = np.asarray(batch.context["amount_minor"])
    share = np.array([each.fee_basis_points for each in world.routes])[route] / 10_000
    fixed = np.array([each.fee_fixed_minor for each in world.routes])[route]
    attempt_fee = np.array([each.attempt_fee_minor for each in world.routes])[route]
    fee = attempt_fee + approved * (fixed + np.round(share * amount))
    answered = _sent(batch) + latency_ms.astype("m8[ms]")
    outcome: dict[str, Column] = {
        "approved": approved,
        "response_code": _response_codes(batch, ending),
        "advice_code": _advice_codes(batch, ending, seed),
        "latency_ms": np.where(made, latency_ms, np.nan),
        "fee_minor": np.where(made, fee, 0.0),
        "outcome_at": np.where(made, answered, batch.decided_at).astype("M8[us]"),
    }
    return replace(batch, outcome=outcome, reward=approved)


def following(offers: Offers, batch: LoggedBatch, seed: int) -> DecisionBatch:
    """The decision points after the declines of decisions with their outcomes."""
    ending = ending_told(_category(batch.outcome["response_code"]))
    attempt = batch.attempt
    initiator = codes_of(batch, "initiator", INITIATORS)
    most = np.array([MOST_ATTEMPTS[each] for each in INITIATORS])[initiator]
    authenticates = _draw(batch, "authentication", seed) < STEP_UP_SHARE
    leaves = (ending == Ending.AUTHENTICATE) & ~authenticates
    open_ = (ending != NO_ATTEMPT) & (ending != Ending.APPROVED) & (attempt < most) & ~leaves
    rows = np.flatnonzero(open_)
    stepped_up = (ending == Ending.AUTHENTICATE)[rows]
    updated = _draw(batch, "account updater", seed) < UPDATER_SHARE
    renewed = ((ending == Ending.EXPIRED) & (initiator == _MIT) & updated)[rows]
    last = batch.take(rows)
    sent = _sent(last)
    wait = np.ceil(np.asarray(last.outcome["latency_ms"]) / 1000) + _AUTHENTICATION_S * stepped_up
    decided_at = sent + wait.astype("m8[s]")
    since_last = (decided_at - sent).astype("m8[s]").astype(np.float64)
    first_sent_before = np.nan_to_num(np.asarray(last.context["seconds_since_first_attempt"]))
    since_first = first_sent_before + (sent - last.decided_at).astype("m8[s]").astype(np.float64)
    since_first = np.where(last.attempt == 1, 0.0, since_first) + since_last
    response, advice = last.outcome["response_code"], last.outcome["advice_code"]
    seconds = decided_at.astype("M8[s]").astype(np.int64)
    country = codes_of(last, "issuer_country", tuple(HOURS_FROM_UTC))
    hour, weekday = local_time(seconds, np.array([*HOURS_FROM_UTC.values()])[country])
    three_ds = np.asarray(last.context["three_ds"])
    context: dict[str, Column] = {
        **last.context,
        "three_ds": np.where(stepped_up, 1.0, three_ds),
        "local_hour": hour.astype(np.float64),
        "local_day": weekday.astype(np.float64),
        "previous_route": Categorical(last.action_route[last.chosen_action], last.routes),
        "previous_response_code": response,
        "previous_advice_code": advice,
        "seconds_since_first_attempt": since_first,
        "seconds_since_last_attempt": since_last,
        DATA_UPDATED: (stepped_up | renewed).astype(np.float64),
    }
    currency = codes_of(last, "currency", CURRENCIES)
    route, delay_s, offsets = offers.of(currency, initiator[rows], retry=True)
    return DecisionBatch(
        decision_id=decision_ids(last.payment_id, last.attempt + 1),
        payment_id=last.payment_id,
        attempt=(last.attempt + 1).astype(np.int32),
        decided_at=decided_at.astype("M8[us]"),
        context=context,
        routes=offers.routes,
        action_route=route,
        action_delay_s=delay_s,
        offsets=offsets,
    )


def _draw(batch: DecisionBatch, purpose: str, seed: int) -> FloatArray:
    return draw(batch.decision_id, purpose, seed)


def _sent(batch: LoggedBatch) -> np.ndarray:
    delay = batch.action_delay_s[batch.chosen_action].astype("m8[s]")
    return np.asarray(batch.decided_at + delay)


def _suspicion(world: ApprovalModel, batch: DecisionBatch) -> FloatArray:
    issuer = codes_of(batch, "issuer", tuple(each.name for each in world.issuers))
    return np.array([each.suspicion for each in world.issuers])[issuer]


def _is_mastercard(batch: DecisionBatch) -> BoolArray:
    column = _category(batch.context["network"])
    table = [name in MASTERCARD_NETWORKS for name in column.categories]
    return np.array([*table, False], np.bool_)[column.codes]


def _response_codes(batch: DecisionBatch, ending: IntArray) -> Categorical:
    tables = [
        [*(_CODE_NAMES.index(codes[each]) for each in Ending), -1]
        for codes in (CODES, MASTERCARD_CODES)
    ]
    codes = np.array(tables, np.int32)[_is_mastercard(batch).astype(np.int64), ending]
    return Categorical(codes, _CODE_NAMES)


def _advice_codes(batch: DecisionBatch, ending: IntArray, seed: int) -> Categorical:
    codes = np.full(batch.n, -1, np.int32)
    uniform = _draw(batch, "advice", seed)
    initiator = codes_of(batch, "initiator", INITIATORS)
    mastercard = _is_mastercard(batch)
    for (state, started_by), weighted in ADVICE.items():
        rows = mastercard & (ending == state) & (initiator == INITIATORS.index(started_by))
        edges = np.cumsum([weight for _, weight in weighted])
        place = np.minimum(np.searchsorted(edges, uniform[rows], side="right"), len(edges) - 1)
        names = [-1 if code is None else _ADVICE_NAMES.index(code) for code, _ in weighted]
        codes[rows] = np.array(names, np.int32)[place]
    # The advice tells how long a state lasts; while it lasts, the advice stays the same.
    before = _category(batch.context["previous_advice_code"])
    again = (ending >= 0) & (previous_ending(batch) == ending) & np.isin(ending, STATES)
    codes = np.where(again, before.recode(_ADVICE_NAMES), codes)
    return Categorical(codes.astype(np.int32), _ADVICE_NAMES)


def _category(column: Column) -> Categorical:
    assert isinstance(column, Categorical)
    return column
