"""How Vowpal Wabbit learns and explores: its options, checked, and as its command line.

Which explorer is the best depends on the data. Bietti, Agarwal and Langford ("A Contextual Bandit
Bake-off", JMLR 22(133), 2021) compare most of them on 500 problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from authopt.batch import FloatArray
from authopt.errors import UserError
from authopt.features.vw_features import VwFeatures

Explorer: TypeAlias = Literal["epsilon", "squarecb", "regcb", "cover", "bag", "softmax", "rnd"]
CbType: TypeAlias = Literal["mtr", "ips", "dr"]
Weighting: TypeAlias = Literal["regression", "ips"]
Optimiser: TypeAlias = Literal["adaptive", "coin"]

CB_TYPES: Mapping[Explorer, tuple[CbType, ...]] = {
    "epsilon": ("mtr", "ips", "dr"),
    "squarecb": ("mtr",),
    "regcb": ("mtr",),
    "cover": ("mtr", "ips", "dr"),
    "bag": ("mtr", "ips", "dr"),
    "softmax": ("mtr", "ips", "dr"),
    "rnd": ("mtr", "ips", "dr"),
}
"""The explorers, and what each of them can learn from."""

LEAST_PROPENSITY = 0.001
"""A smaller propensity weighs as much as this: one row of propensity 1e-6 would shape the model."""

LARGEST_EXPONENT = 0.25
"""Of SquareCB's gamma: with a larger one exploration dies, and a change of the world is missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VwOptions:
    """How VW learns and explores.

    Attributes
    ----------
    explorer
        How what was learned becomes probabilities; below, f(a) is the cost that the model expects
        of action a, and b the action of least cost:

        * ``epsilon``: all on b, but for the floor.
        * ``squarecb``: p(a) = 1 / (k + gamma (f(a) - f(b))) for every other action (Foster and
          Rakhlin, "Beyond UCB", ICML 2020, algorithm 1; Abe and Long, 1999).
        * ``regcb``: the action of least lower bound, by the sensitivity of the regressor, or,
          without ``optimistic``, all those alike whose interval overlaps that of b (Foster,
          Agarwal, Dudik, Luo and Schapire, "Practical Contextual Bandits with Regression
          Oracles", ICML 2018, algorithm 1).
        * ``cover``: the votes of ``policies`` policies, each trained to differ from those before it
          (Agarwal, Hsu, Kale, Langford, Li and Schapire, "Taming the Monster", ICML 2014; the
          online form of the Bake-off, section 3.3).
        * ``bag``: the votes of ``policies`` policies, each trained on a bootstrap of the data (the
          Bake-off, section 3.2; online: Oza and Russell, 2001).
        * ``softmax``: p(a) in proportion to exp(-softness f(a)).
        * ``rnd``: a bonus where regressions of random targets, ``policies`` of them, still err
          (Burda, Edwards, Storkey and Klimov, "Exploration by Random Network Distillation",
          ICLR 2019; Osband, Aslanides and Cassirer, "Randomized Prior Functions", NeurIPS 2018).
    epsilon
        the floor, whatever the explorer: each of k actions gets at least ``epsilon / k``, see
        :func:`authopt.policies.vw_floor.lifted`. What is made with 0 may be judged, but may not
        decide what is logged.
    cb_type
        ``mtr``: regression on the action that was taken. ``ips``: cost over propensity, and 0 for
        the others (Bake-off, section 2.3). ``dr``: doubly robust, with a second regression (Dudik,
        Langford and Li, ICML 2011). VW's ``dm`` takes the cost of what was not taken for 0, and is
        not offered.
    weighting
        of the learning step: ``regression``: every row alike (a label's probability is 1);
        ``ips``: by the inverse of the propensity, down to ``LEAST_PROPENSITY``. As long as the
        features can express what rewards depend on, both find it, and the weights only add
        variance: online in the simulator, regression had 93.95% (small world) and 92.30% (cards)
        of payments paid, weights 93.15% and 91.92%. ``squarecb`` and ``regcb`` must have
        ``regression``, as VW 9.11.9 weighs every action but the last wrongly with them; ``ips``
        and ``dr`` must have the propensity.
    optimiser
        of the steps. ``adaptive``: VW's gradient descent, of a size that ``learning_rate`` sets.
        ``coin``: betting on the sign of the gradient (Orabona and Tommasi, "Training Deep Networks
        without Learning Rates Through Coin Betting", NeurIPS 2017, algorithm 2), which has no rate
        to be chosen; with the explorers ``epsilon`` and ``softmax`` alone, as the others need the
        sensitivities of the former or several regressions.
    learning_rate, power_t, initial_t
        VW's, of ``adaptive``. Measured on the simulator's world, trained on 150,000 payments and
        run on 60,000 others: a rate of 0.02 had 93.75% of the payments paid in the end, 0.05
        93.61%, 0.1 93.32%, 0.3 92.95%, uniform routing 90.68% (standard error 0.12%); trained on
        20,000 payments, 0.05 was the best with 92.99%. A power of 0 (steps that do not shrink) is
        for logs over which the world changed.
    start
        what every action is expected to cost before anything is learned, VW's ``--constant``: with
        the mean cost, weights learn how an action differs from the mean. From 0, the mean is
        spread over all features, and an action with a new value in it, such as a route without a
        past, lacks that value's part of it and looks worse than it is. None: nothing is common to
        all actions (``--noconstant``), and one of which nothing is known costs 0. Where no cost is
        below 0, such as losses of 0 or 1, whatever was never tried then looks best until it was.
    decay_learning_rate
        the learning rate is multiplied by it after every pass.
    l2
        weights shrink towards 0 in every step; for large models of few rows.
    passes
        times that VW goes over the log.
    bits
        the model has at most 2 to that power weights; with ``cover``, ``bag``, ``rnd`` and ``dr``
        they are shared out among several regressions.
    seed
        VW's: of what ``bag`` and ``rnd`` draw while they learn. Asking never draws.
    gamma_scale, gamma_exponent
        of ``squarecb``: gamma = scale * (rows learned from) ^ exponent.
    mellowness, optimistic
        of ``regcb``: how wide the confidence intervals are, and what is done with them.
    policies
        of ``cover``, ``bag`` and ``rnd``.
    psi
        of ``cover``: how much a policy is rewarded for differing.
    softness
        of ``softmax``: VW's ``--lambda``; 0 is uniform.
    cost_range
        of ``regcb``: least and largest cost that can occur; costs are negative rewards.

    Raises
    ------
    UserError
        If a value is out of its range, or does not go with the explorer.
    """

    explorer: Explorer = "epsilon"
    epsilon: float = 0.05
    cb_type: CbType = "mtr"
    weighting: Weighting = "regression"
    optimiser: Optimiser = "adaptive"
    learning_rate: float = 0.05
    power_t: float = 0.5
    initial_t: float = 0.0
    start: float | None = 0.0
    decay_learning_rate: float = 1.0
    l2: float = 0.0
    passes: int = 1
    bits: int = 20
    seed: int = 0
    gamma_scale: float = 100.0
    gamma_exponent: float = 0.25
    mellowness: float = 0.01
    optimistic: bool = True
    policies: int = 4
    psi: float = 0.1
    softness: float = 100.0
    cost_range: tuple[float, float] = (-1.0, 0.0)

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if name == "start" and value is None:
                continue
            if not low <= value <= high:
                raise UserError(f"{name} is {value:g}; expected {_told(low, high)}")
        for name in ("learning_rate", "decay_learning_rate"):
            if getattr(self, name) == 0.0:
                raise UserError(f"{name} is 0; expected above 0")
        least, most = self.cost_range
        if not -np.inf < least < most < np.inf:
            raise UserError(f"cost_range is {least:g} to {most:g}; expected two increasing numbers")
        self._check_combination()

    def _check_combination(self) -> None:
        if self.explorer not in CB_TYPES:
            raise UserError(f"explorer is {self.explorer!r}; expected {', '.join(CB_TYPES)}")
        allowed = CB_TYPES[self.explorer]
        if self.cb_type not in allowed:
            raise UserError(
                f"cb_type is {self.cb_type!r} with the explorer {self.explorer!r}; expected "
                f"{' or '.join(allowed)}"
            )
        if self.optimiser not in ("adaptive", "coin"):
            raise UserError(f"optimiser is {self.optimiser!r}; expected adaptive or coin")
        if self.optimiser == "coin" and self.explorer not in ("epsilon", "softmax"):
            raise UserError(
                f"optimiser is 'coin' with the explorer {self.explorer!r}; expected epsilon or "
                "softmax with it, or the optimiser adaptive"
            )
        if self.weighting not in ("regression", "ips"):
            raise UserError(f"weighting is {self.weighting!r}; expected regression or ips")
        if self.weighting == "ips" and self.explorer in ("squarecb", "regcb"):
            raise UserError(
                f"weighting is 'ips' with the explorer {self.explorer!r}; expected regression, as "
                "Vowpal Wabbit weighs all actions but the last wrongly with it"
            )
        if self.weighting == "regression" and self.cb_type != "mtr":
            raise UserError(
                f"weighting is 'regression' with the cb_type {self.cb_type!r}; expected ips, as "
                "it estimates the cost of what was not taken by the propensity"
            )

    @property
    def may_log(self) -> bool:
        """Whether what it decides may be logged, as every action keeps a probability above 0."""
        return self.epsilon > 0.0

    def label_probability(self, propensity: FloatArray) -> FloatArray:
        """float64[n], the probabilities that go into the labels of the learning step.

        Parameters
        ----------
        propensity
            float64[n], those with which the logged actions were taken.
        """
        if self.weighting == "regression":
            return np.ones(len(propensity))
        return np.asarray(np.maximum(propensity, LEAST_PROPENSITY))

    def arguments(self, features: VwFeatures) -> list[str]:
        """VW's command line, without files."""
        words = [
            *("--cb_explore_adf", "--cb_type", self.cb_type),
            *("--epsilon", _text(self.epsilon)),
            *self.explorer_arguments(),
            *self._step_arguments(),
            *("--bit_precision", str(self.bits)),
            *("--random_seed", str(self.seed)),
        ]
        if self.weighting == "ips":
            words += ["--clip_p", _text(LEAST_PROPENSITY)]
        if self.start is None:
            words.append("--noconstant")
        elif self.start:
            words += ["--constant", _text(self.start)]
        for name, unchanged in (("initial_t", 0.0), ("decay_learning_rate", 1.0), ("l2", 0.0)):
            if (value := getattr(self, name)) != unchanged:
                words += [f"--{name}", _text(value)]
        return [*words, *features.arguments]

    def _step_arguments(self) -> list[str]:
        if self.optimiser == "coin":
            return ["--coin"]
        return ["--power_t", _text(self.power_t), "--learning_rate", _text(self.learning_rate)]

    def explorer_arguments(self) -> list[str]:
        """The part of VW's command line that is the explorer's own."""
        match self.explorer:
            case "epsilon":
                return []
            case "squarecb":
                scale, exponent = _text(self.gamma_scale), _text(self.gamma_exponent)
                return ["--squarecb", "--gamma_scale", scale, "--gamma_exponent", exponent]
            case "regcb":
                least, most = map(_text, self.cost_range)
                # Without --regcb VW ignores --regcbopt, and says nothing.
                return [
                    *(["--regcb", "--regcbopt"] if self.optimistic else ["--regcb"]),
                    *("--mellowness", _text(self.mellowness)),
                    *("--cb_min_cost", least, "--cb_max_cost", most),
                ]
            case "cover":
                return ["--cover", str(self.policies), "--psi", _text(self.psi)]
            case "bag":
                return ["--bag", str(self.policies)]
            case "softmax":
                return ["--softmax", "--lambda", _text(self.softness)]
            case "rnd":
                return ["--rnd", str(self.policies)]


_RANGES: Mapping[str, tuple[float, float]] = {
    "epsilon": (0.0, 1.0),
    "learning_rate": (0.0, 100.0),
    "power_t": (0.0, 1.0),
    "initial_t": (0.0, 1e12),
    "start": (-1e9, 1e9),
    "decay_learning_rate": (0.0, 1.0),
    "l2": (0.0, 1.0),
    "passes": (1, 1000),
    "bits": (10, 28),
    "seed": (0, 2**32 - 1),
    "gamma_scale": (1.0, 1e9),
    "gamma_exponent": (0.0, LARGEST_EXPONENT),
    "mellowness": (1e-9, 1e3),
    "policies": (1, 64),
    "psi": (0.0, 1e3),
    "softness": (0.0, 1e6),
}


def _told(low: float, high: float) -> str:
    return f"{low:g} to {high:g}"


def _text(value: float) -> str:
    return f"{value:.9g}"


SHORT_STREAM = VwOptions(
    explorer="regcb", epsilon=0.005, learning_rate=1.0, start=None, cost_range=(0.0, 1.0)
)
"""For learning online from a few hundred to a few thousand outcomes, with a cost of 1 for a failure
and 0 for a success, and ``authopt.policies.experience_replay``: ``REPLAYS`` after each outcome.

Chosen on 22 classification sets played as bandits, those that the bake-off does not keep for
checking, 500 rounds of each, two shuffles. Mean loss: these 0.3090; a rate of 0.5 0.3204, of 2
0.3138; the explorer ``epsilon`` 0.3131; something common to all actions 0.3155, and with rewards
for costs, so that what was never tried looks worst, 0.3167; a mellowness of 0.003 or 0.001 with 8
replays 0.3159, 16 0.3129, 32 0.3105. Differences below 0.005 say little. On the 21 sets kept for
checking, one shuffle: these 0.3124, the best learner of other packages (coba's LinUCB) 0.3448. On
logs of 100,000 payments such a rate is far too large, see ``learning_rate``."""
