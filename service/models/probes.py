"""Probe decisions of a model: what it answered when it was added, to be answered again wherever it
is loaded."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from authopt import __version__
from authopt.actions import STOP_ROUTE
from authopt.batch import Categorical, Column, DecisionBatch, utc_datetime
from authopt.errors import UserError
from authopt.policies.protocol import Policy
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_manifest import PlainValue, Probe, ProbeAction, plain_cells
from authopt.rewards import DEFAULT_REWARD
from service.api.forms import OutcomeRequest
from service.store.carried_out import Exported, carried_out
from service.store.export import batch_of, column_kinds
from service.store.tables import decisions

EXACT = 1e-12
"""Most that a probability may differ on a platform like the one where the model was added."""

ROUNDED = 1e-6
"""The same on another one: Vowpal Wabbit computes in float32, with the functions of the machine."""

RECORDED = 3
"""Decisions of the merchant that serve as probes."""

_ROUTES = ("route-1", "route-2", "route-3")
_CONTEXTS: tuple[tuple[int, dict[str, PlainValue]], ...] = (
    (1, {"network": "visa", "currency": "EUR", "amount_minor": 1999.0, "issuer_country": "DE"}),
    (
        2,
        {
            "network": "mastercard",
            "currency": "USD",
            "amount_minor": 75000.0,
            "previous_response_code": "51",
            "seconds_since_last_attempt": 86400.0,
        },
    ),
)
_DELAYS = (0, 86_400)


class Probes(msgspec.Struct, frozen=True):
    """The probes of a model, and where they were answered first.

    Attributes
    ----------
    decisions
        with the probabilities.
    platform
        machine and versions.
    """

    decisions: tuple[Probe, ...]
    platform: str


def here() -> str:
    """This machine, as far as probabilities may depend on it."""
    from vowpalwabbit import __version__ as vw_version

    return f"{platform.platform()}, authopt {__version__}, Vowpal Wabbit {vw_version}"


def make_probes(policy: Policy, recorded: Sequence[Probe] = ()) -> Probes:
    """Let a policy answer the probes of its manifest, decisions on record, and some made up.

    Raises
    ------
    UserError
        If it cannot answer, or gives no probability distribution.
    """
    asked = [*recorded, *_made_up(recorded)]
    if isinstance(policy, VwPolicy):
        asked += policy.manifest.probes
    answered = (
        msgspec.structs.replace(probe, probabilities=tuple(_ask(policy, probe))) for probe in asked
    )
    return Probes(tuple(answered), here())


def check_probes(policy: Policy, probes: Probes) -> None:
    """Raise unless a policy answers its probes as it did.

    Raises
    ------
    UserError
        If it does not.
    """
    most = EXACT if probes.platform == here() else ROUNDED
    for number, probe in enumerate(probes.decisions, start=1):
        found = np.array(_ask(policy, probe))
        expected = np.array(probe.probabilities)
        if found.shape != expected.shape or np.abs(found - expected).max() > most:
            raise UserError(
                f"probe {number} gets the probabilities {np.round(found, 6).tolist()}, but had "
                f"{np.round(expected, 6).tolist()} when the model was added on {probes.platform}"
            )


def recorded_probes(connection: Connection, tenant: str) -> list[Probe]:
    """The last decisions of a merchant, as probes without answers and without references."""
    rows = connection.execute(
        select(decisions)
        .where(decisions.c.tenant == tenant, decisions.c.deferred.is_(False))
        .order_by(decisions.c.number.desc())
        .limit(RECORDED)
    ).all()
    made = carried_out(rows, {}, Exported())
    if not made:
        return []
    kinds, features = column_kinds(each.request for each in made)
    nothing = [OutcomeRequest("none")] * len(made)
    return list(_probes(batch_of(made, nothing, kinds, features, DEFAULT_REWARD, True)))


def _probes(batch: DecisionBatch) -> Iterator[Probe]:
    context = _cells(batch.context)
    features = _cells(batch.action_features)
    for row in range(batch.n):
        places = range(int(batch.offsets[row]), int(batch.offsets[row + 1]))
        actions = tuple(
            ProbeAction(
                action.route, action.delay_s, {name: features[name][at] for name in features}
            )
            for at, action in zip(places, batch.actions(row), strict=True)
        )
        known = {name: cells[row] for name, cells in context.items() if cells[row] is not None}
        moment = utc_datetime(batch.decided_at[row])
        assert moment is not None
        yield Probe(int(batch.attempt[row]), known, actions, (), moment)


def _cells(columns: Mapping[str, Column]) -> dict[str, list[PlainValue]]:
    return {
        name: plain_cells(column)
        for name, column in columns.items()
        if isinstance(column, Categorical)
        or (isinstance(column, np.ndarray) and column.dtype.kind == "f")
    }


def _made_up(recorded: Sequence[Probe]) -> list[Probe]:
    seen = dict.fromkeys(action.route for probe in recorded for action in probe.actions)
    routes = tuple(route for route in seen if route != STOP_ROUTE) or _ROUTES
    actions = tuple(ProbeAction(route, delay) for route in routes for delay in _DELAYS)
    return [Probe(attempt, context, actions, ()) for attempt, context in _CONTEXTS]


def _ask(policy: Policy, probe: Probe) -> list[float]:
    batch = probe.batch()
    try:
        found = np.asarray(policy.probabilities(batch), np.float64)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"the model cannot answer a probe: {type(error).__name__}") from error
    if found.shape != (batch.m,) or not (found >= 0).all() or abs(found.sum() - 1.0) > ROUNDED:
        raise UserError("the model gives a probe no probability distribution")
    return [float(each) for each in found]
