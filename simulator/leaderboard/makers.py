"""Policies from specs at a place: what the command line knows, the oracles, and timed retries.

``timed(days=3,then=repeat)+SPEC`` is the policy of a spec with its retries on a timetable, written
as the family ``schedule`` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from authopt.errors import UserError
from authopt.policies.family import Options
from authopt.policies.protocol import Policy
from authopt.policies.schedule import scheduled
from authopt.policies.spec import load_policy
from authopt.policies.timetable import timetable_of
from simulator.leaderboard.informed import InformedOracle
from simulator.leaderboard.setting import Setting
from simulator.oracle import PlanningOracle
from simulator.truth import OraclePolicy
from simulator.world.world import CardWorld

ORACLE = "oracle"
PLANNING = "planning-oracle"
INFORMED = "informed-oracle"

MAKERS: Mapping[str, str] = {
    ORACLE: "simulator.truth",
    PLANNING: "simulator.oracle",
    INFORMED: "simulator.leaderboard.informed",
    "timed": "authopt.policies.schedule",
}
"""The module of each of the leaderboard's own words in specs."""

_TIMED = re.compile(r"timed\(([^()]*)\)\+(.+)")


def make_policy(spec: str, setting: Setting) -> Policy:
    """The policy of a spec, which has learnt nothing but what its files hold.

    Raises
    ------
    UserError
        If the spec is not understood, or needs a log.
    """
    if spec == ORACLE:
        return OraclePolicy(setting.world)
    if spec == PLANNING:
        return PlanningOracle(setting.world, setting.rules)
    if spec == INFORMED:
        if not isinstance(setting.world, CardWorld):
            raise UserError(
                f"{INFORMED!r} is of worlds of cards; in this one nothing is hidden, and "
                f"{ORACLE!r} is informed"
            )
        return InformedOracle(setting.world)
    if timed := _TIMED.fullmatch(spec):
        pairs = (part.partition("=") for part in timed[1].split(","))
        values = {key.strip(): value.strip() for key, _, value in pairs}
        return scheduled(make_policy(timed[2], setting), timetable_of(Options(spec, values)))
    if spec.partition(":")[0] == "logged":
        raise UserError("the policy 'logged' is that of a log; the leaderboard has none to read")
    return load_policy(spec)
