"""All learners of the bake-off by name, and the packages that they need."""

from __future__ import annotations

import importlib.util
from functools import cache

from authopt.policies.vw_options import Explorer, VwOptions
from benchmarks._bakeoff_data import MissingPackage
from benchmarks._bakeoff_others import (
    Maker,
    coba_learners,
    contextualbandits_learners,
    mabwiser_learners,
)
from benchmarks._bakeoff_protocol import Learner
from benchmarks._bakeoff_vw import of_defaults, of_options

OURS = "authopt"
DEFAULT = "vw"
PACKAGES = ("coba", "mabwiser", "contextualbandits")

CHOSEN = VwOptions(explorer="cover", learning_rate=0.5, epsilon=0.01)
"""Chosen on every other set, 500 and 1,000 rounds each, among rates from 0.05 to 2, floors from
0.01 to 0.05 and all explorers but ``rnd``; ``squarecb`` lost as little. The rate of 0.05 that the
options have by default suits logs of 100,000 payments and is too slow for 1,000 rounds."""

REPLAYS = 4
"""What learning from earlier rounds again would gain; no part of the product, and not what is
compared with the bar."""

EXPLORERS: tuple[Explorer, ...] = ("epsilon", "squarecb", "regcb")


def check_packages() -> None:
    """Raise :class:`MissingPackage` unless the packages of the learners are there."""
    for name in PACKAGES:
        if importlib.util.find_spec(name) is None:
            raise MissingPackage(name)


@cache
def learners() -> dict[str, Maker]:
    """Every learner by name, each from a number of classes and a seed."""
    return {
        OURS: options_maker(CHOSEN),
        f"{OURS} with {REPLAYS} replays": options_maker(CHOSEN, REPLAYS),
        f"{OURS} default options": options_maker(VwOptions()),
        **{
            f"{OURS} {explorer}": options_maker(
                VwOptions(
                    explorer=explorer,
                    learning_rate=CHOSEN.learning_rate,
                    epsilon=CHOSEN.epsilon,
                )
            )
            for explorer in EXPLORERS
        },
        DEFAULT: lambda classes, seed: of_defaults(classes),
        f"{DEFAULT} squarecb": lambda classes, seed: of_defaults(classes, "--squarecb"),
        **coba_learners(),
        **mabwiser_learners(),
        **contextualbandits_learners(),
    }


def options_maker(options: VwOptions, replays: int = 0) -> Maker:
    def make(classes: int, seed: int) -> Learner:
        return of_options(options, classes, replays=replays, seed=seed)

    return make
