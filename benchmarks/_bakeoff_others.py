"""The learners of other packages in the bake-off, each as its own documentation sets it up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks._bakeoff_protocol import drawn

Row = NDArray[np.float64]

BATCH = 100
"""Rounds between two fits of the learners that fit anew to everything they have seen."""


class Coba:
    """A learner of coba: classes as one-hot actions; rewards are 1 less the loss."""

    def __init__(self, learner: Any, classes: int) -> None:
        self._learner = learner
        self._actions = [tuple(float(at == k) for at in range(classes)) for k in range(classes)]
        self._told: dict[str, Any] = {}

    def pick(self, features: Row, draw: float) -> tuple[int, float, float]:
        found = self._learner._pmf(tuple(features.tolist()), self._actions)
        # A learner answers its probabilities alone, or with what it wants to be told again.
        probabilities, self._told = found if isinstance(found, tuple) else (found, {})
        total = sum(probabilities)
        probabilities = [each / total for each in probabilities]
        action = drawn(probabilities, draw)
        return action, probabilities[action], min(probabilities)

    def learn(self, features: Row, action: int, loss: float, probability: float) -> None:
        context = tuple(features.tolist())
        reward = 1.0 - loss
        self._learner.learn(context, self._actions[action], reward, probability, **self._told)


class MabWiser:
    """A policy of MABWiser, updated in every round; the first class is drawn uniformly."""

    def __init__(self, policy: Any, classes: int, seed: int) -> None:
        self._mab = import_module("mabwiser.mab").MAB(list(range(classes)), policy, seed=seed)
        self._classes, self._fitted = classes, False

    def pick(self, features: Row, draw: float) -> tuple[int, float, float]:
        action = (
            int(self._mab.predict(features[None, :]))
            if self._fitted
            else min(int(draw * self._classes), self._classes - 1)
        )
        return action, np.nan, np.nan

    def learn(self, features: Row, action: int, loss: float, probability: float) -> None:
        learn = self._mab.partial_fit if self._fitted else self._mab.fit
        learn([action], [1.0 - loss], features[None, :])
        self._fitted = True


class ContextualBandits:
    """A policy of contextualbandits, fitted every ``batch`` rounds.

    Parameters
    ----------
    policy
        one that was made for the number of classes.
    classes
        number of classes; until the first fit they are drawn uniformly.
    batch
        rounds between fits; 1: it is updated in every round, with that round alone.
    """

    def __init__(self, policy: Any, classes: int, batch: int = BATCH) -> None:
        self._policy, self._classes, self._batch = policy, classes, batch
        self._seen: list[Row] = []
        self._actions: list[int] = []
        self._rewards: list[float] = []
        self._fitted = False

    def pick(self, features: Row, draw: float) -> tuple[int, float, float]:
        if not self._fitted:
            return min(int(draw * self._classes), self._classes - 1), np.nan, np.nan
        return int(self._policy.predict(features[None, :])[0]), np.nan, np.nan

    def learn(self, features: Row, action: int, loss: float, probability: float) -> None:
        self._seen.append(features)
        self._actions.append(action)
        self._rewards.append(1.0 - loss)
        if len(self._seen) % self._batch:
            return
        told = np.array(self._seen), np.array(self._actions), np.array(self._rewards)
        if self._batch == 1:
            self._policy.partial_fit(*told)
            self._seen, self._actions, self._rewards = [], [], []
        else:
            self._policy.fit(*told)
        self._fitted = True


Maker = Callable[[int, int], Any]


def coba_learners() -> dict[str, Maker]:
    """coba's learners by name, each from a number of classes and a seed.

    Its LinTS is left out: it draws from a normal distribution over features times classes in every
    round, which takes a minute on one set.
    """
    coba = import_module("coba.learners")
    linear: Sequence[Any] = (1, "a", "ax")

    def corral(classes: int, seed: int) -> Coba:
        pair = [
            coba.VowpalEpsilonLearner(features=linear),
            coba.VowpalSquarecbLearner(features=linear),
        ]
        return Coba(coba.CorralLearner(pair, T=1000, mode="off-policy", seed=seed), classes)

    return {
        "coba epsilon": lambda k, seed: Coba(coba.VowpalEpsilonLearner(features=linear), k),
        "coba epsilon axx": lambda k, seed: Coba(coba.VowpalEpsilonLearner(), k),
        "coba squarecb": lambda k, seed: Coba(coba.VowpalSquarecbLearner(features=linear), k),
        "coba squarecb axx": lambda k, seed: Coba(coba.VowpalSquarecbLearner(), k),
        "coba linucb": lambda k, seed: Coba(coba.LinUCBLearner(seed=seed), k),
        "coba corral": corral,
    }


def mabwiser_learners() -> dict[str, Maker]:
    """MABWiser's policies by name, each from a number of classes and a seed."""
    policy = import_module("mabwiser.mab").LearningPolicy
    return {
        "mabwiser linucb": lambda k, seed: MabWiser(policy.LinUCB(), k, seed),
        "mabwiser lints": lambda k, seed: MabWiser(policy.LinTS(), k, seed),
        "mabwiser lingreedy": lambda k, seed: MabWiser(policy.LinGreedy(), k, seed),
    }


def contextualbandits_learners() -> dict[str, Maker]:
    """contextualbandits' policies by name, each from a number of classes and a seed."""
    online = import_module("contextualbandits.online")

    def logistic(seed: int) -> LogisticRegression:
        return LogisticRegression(solver="lbfgs", random_state=seed, warm_start=True)

    def prior(classes: int) -> tuple[tuple[float, float], int]:
        return (3.0 / classes, 4.0), 2

    def of(policy: Callable[..., Any], **more: Any) -> Maker:
        def make(classes: int, seed: int) -> ContextualBandits:
            base = logistic(seed + 1)
            made = policy(
                base, nchoices=classes, beta_prior=prior(classes), random_state=seed + 1, **more
            )
            return ContextualBandits(made, classes)

        return make

    return {
        "contextualbandits linucb": lambda k, seed: ContextualBandits(
            online.LinUCB(nchoices=k, random_state=seed + 1), k, batch=1
        ),
        "contextualbandits lints": lambda k, seed: ContextualBandits(
            online.LinTS(nchoices=k, random_state=seed + 1), k, batch=1
        ),
        "contextualbandits bootstrapped ucb": of(online.BootstrappedUCB, nsamples=5),
        "contextualbandits epsilon greedy": of(online.EpsilonGreedy),
        "contextualbandits adaptive greedy": of(online.AdaptiveGreedy),
    }
