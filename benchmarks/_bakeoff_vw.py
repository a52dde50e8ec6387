"""Vowpal Wabbit in the bake-off: one way of writing a row for all, so that options alone differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import vowpalwabbit
from numpy.typing import NDArray

from authopt.features.vw_features import VwFeatures
from authopt.policies.experience_replay import ExperienceReplay
from authopt.policies.vw_floor import lifted_one
from authopt.policies.vw_options import VwOptions
from benchmarks._bakeoff_protocol import drawn

INTERACTIONS = VwFeatures(context=(), action=(), interactions=("xa",))
IGNORED = ("--ignore_linear", "x")
"""With the interactions: every feature of the row with every class, and the class alone; coba's
``(1, "a", "ax")``."""


class Vw:
    """``--cb_explore_adf`` with options.

    Parameters
    ----------
    arguments
        VW's command line, with the interactions.
    classes
        number of classes.
    floor
        each of k classes gets at least ``floor / k``, as in the product; 0 for VW's own.
    regression
        whether labels have probability 1 instead of the true one.
    least_cost
        the cost of a round without loss; one with loss costs 1 more.
    replays
        earlier rounds that are learned from again after every round, see
        :class:`authopt.policies.experience_replay.ExperienceReplay`; sound only with
        ``regression``.
    seed
        of the order in which they are.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        classes: int,
        *,
        floor: float = 0.0,
        regression: bool = False,
        least_cost: float = 0.0,
        replays: int = 0,
        seed: int = 0,
    ) -> None:
        self._workspace = vowpalwabbit.Workspace(arg_list=[*arguments, *IGNORED, "--quiet"])
        # The calls beneath the binding's learn, which wraps every line in an object of its own.
        beneath: Any = super(vowpalwabbit.Workspace, self._workspace)
        self._calls = beneath._parse, beneath.learn_multi, beneath._finish_example_multi_ex
        self._classes = [f"|a {action}" for action in range(classes)]
        self._floor, self._regression = floor, regression
        self._least_cost, self._shared = least_cost, ""
        self._replays, self._replay = replays, ExperienceReplay(seed=seed)

    def pick(self, features: NDArray[np.float64], draw: float) -> tuple[int, float, float]:
        self._shared = shared_line(features)
        predicted = self._workspace.predict([self._shared, *self._classes])
        total = sum(predicted)
        probabilities = lifted_one([each / total for each in predicted], self._floor)
        action = drawn(probabilities, draw)
        return action, probabilities[action], min(probabilities)

    def learn(
        self, features: NDArray[np.float64], action: int, loss: float, probability: float
    ) -> None:
        told = 1.0 if self._regression else probability
        lines = [self._shared, *self._classes]
        lines[action + 1] = (
            f"{action}:{loss + self._least_cost:g}:{told:.9g} {self._classes[action]}"
        )
        text = "\n".join((*lines, "", ""))
        self._learn(text)
        if self._replays:
            self._replay.add(text)
            for earlier in self._replay.again(self._replays):
                self._learn(earlier)

    def _learn(self, text: str) -> None:
        parse, learn, finish = self._calls
        examples = parse(text)
        learn(examples)
        finish(examples)


def shared_line(features: NDArray[np.float64]) -> str:
    """What VW reads of a row; zeros are left out."""
    written = (f"{at}:{value:.6g}" for at, value in enumerate(features.tolist()) if value)
    return "shared |x " + " ".join(written)


def of_options(options: VwOptions, classes: int, *, replays: int = 0, seed: int = 0) -> Vw:
    """The learner of the product's options, with their floor and labels."""
    return Vw(
        options.arguments(INTERACTIONS),
        classes,
        floor=options.epsilon,
        regression=options.weighting == "regression",
        least_cost=options.cost_range[0],
        replays=replays,
        seed=seed,
    )


def of_defaults(classes: int, *more: str) -> Vw:
    """VW's own defaults, as it samples and as it wants its labels."""
    return Vw(["--cb_explore_adf", *more, *INTERACTIONS.arguments], classes)
