"""The policies that a scenario compares, each made anew for every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from authopt.errors import UserError
from authopt.policies.protocol import Policy
from authopt.policies.spec import load_policy
from simulator.protocol import World
from simulator.truth import OraclePolicy
from simulator.world.cast_routes import DEFAULT_ORDER

ORACLE = "oracle"
"""Spec of the policy that knows the true chances and takes the action of the highest, now."""


DAILY = f"schedule:routes={'+'.join(DEFAULT_ORDER)},days=daily,cascade=no"
"""Spec of a merchant's static order that retries once a day."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A policy under the label that tables and pictures give it.

    ``policy`` has learnt nothing yet; a run teaches it, so a contender is good for one run.
    """

    label: str
    spec: str
    policy: Policy


def contenders(
    world: World, policies: Mapping[str, str], asked: Sequence[str] = ()
) -> tuple[Contender, ...]:
    """The policies of a stage, or those asked for with the oracle as their measure.

    Parameters
    ----------
    world
        whose chances the oracle knows.
    policies
        spec by label.
    asked
        specs that take the place of ``policies``.

    Raises
    ------
    UserError
        If a spec is not understood, needs a log, or is named twice.
    """
    if asked:
        policies = {spec: spec for spec in asked if spec != ORACLE}
        if len(policies) + (ORACLE in asked) < len(asked):
            raise UserError("--policy names the same policy twice; name each once")
        policies = {**policies, ORACLE: ORACLE}
    made = []
    for label, spec in policies.items():
        if spec.split(":")[0] == "logged":
            raise UserError("the policy 'logged' is that of a log; a scenario has none to read")
        made.append(Contender(label, spec, _policy(world, spec)))
    return tuple(made)


def _policy(world: World, spec: str) -> Policy:
    if spec == ORACLE:
        return OraclePolicy(world)
    return load_policy(spec)
