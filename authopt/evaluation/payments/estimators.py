"""Estimators of a total per payment: each a sum of ratios of columns of the payments' table.

With r_t the reward of a payment's t-th decision and rho_t the product of its weights up to t:

- ``ips``, the whole path's weight on the whole reward: mean of rho_T (r_1 + ... + r_T). Precup,
  Sutton & Singh, 'Eligibility Traces for Off-Policy Policy Evaluation', ICML 2000, section 2.
- ``wis``, the same, divided by the sum of the weights (ibid.).
- ``pdis``, each reward weighted by the path up to it: mean of the sum of rho_t r_t (ibid.,
  section 3). Where the payment ends with the only reward, as an approval does, it is ``ips``.
- ``wpdis``, each step's sum divided by the step's sum of weights; a payment that ended before
  counts there with its last weight (Thomas, 'Safe Reinforcement Learning', PhD thesis, 2015,
  consistent weighted per-decision importance sampling). Biased, consistent, and steadier.
- ``dr``, sequential doubly robust: mean of the sum of rho_{t-1} V_t + rho_t (r_t - Q_t) (Jiang &
  Li, 'Doubly Robust Off-policy Value Evaluation for Reinforcement Learning', ICML 2016; in this
  form Thomas & Brunskill, 'Data-Efficient Off-Policy Policy Evaluation for Reinforcement Learning',
  ICML 2016). Q and V are those of :class:`authopt.evaluation.payments.models.ToGo`.
- ``wdr``, weighted doubly robust: the weights of each step divided by their sum (Thomas &
  Brunskill, ibid.).
- ``mis``, marginalised by state: each step's weights are averaged within the state that the
  payment is in (Xie, Ma & Wang, 'Towards Optimal Off-Policy Evaluation for Reinforcement Learning
  with Marginalized Importance Sampling', NeurIPS 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authopt.evaluation.estimator import Estimator

Ratios = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PaymentEstimator:
    """An estimator of a total per payment.

    Attributes
    ----------
    name, title, source
        short name, name in words, and where it was published.
    ratios
        from the name of what is counted and the number of steps to numerators and denominators.
    needs_model
        whether it uses a reward model; it then estimates the reward alone.
    weighted
        whether it weights payments, so that few may carry it.
    biased
        whether it has a bias that does not go away with more payments.
    note
        what its intervals do not cover.
    """

    name: str
    title: str
    source: str
    ratios: Callable[[str, int], Ratios]
    needs_model: bool = False
    weighted: bool = True
    biased: bool = False
    note: str | None = None

    def of(self, counted: str, steps: int) -> Estimator:
        """The estimator of what is counted, with as many steps as the table has."""
        return Estimator(
            self.name,
            self.title,
            self.source,
            self.ratios(counted, steps),
            needs_model=self.needs_model,
            weighted=self.weighted,
            biased=self.biased,
            note=self.note,
        )


def _mean(column: str) -> Callable[[str, int], Ratios]:
    return lambda counted, steps: ((column.format(counted), "one"),)


def _weighted(counted: str, steps: int) -> Ratios:
    return tuple((f"{counted}@{step}", f"w@{step}") for step in range(steps))


def _weighted_doubly_robust(counted: str, steps: int) -> Ratios:
    before = ("one", *(f"w@{step}" for step in range(steps - 1)))
    values = tuple((f"v@{step}", weight) for step, weight in enumerate(before))
    return (*_weighted("dr", steps), *values)


ON_POLICY = PaymentEstimator(
    "on-policy",
    "mean of the logged totals",
    "the sample mean: the policy made the log itself",
    _mean("{}"),
    weighted=False,
)
IPS = PaymentEstimator(
    "ips",
    "inverse propensity score of whole payments",
    "Precup, Sutton & Singh, ICML 2000",
    _mean("ips:{}"),
)
WIS = PaymentEstimator(
    "wis",
    "self-normalised inverse propensity score of whole payments",
    "Precup, Sutton & Singh, ICML 2000",
    lambda counted, steps: ((f"ips:{counted}", "w"),),
)
PDIS = PaymentEstimator(
    "pdis",
    "per-decision importance sampling",
    "Precup, Sutton & Singh, ICML 2000",
    _mean("pdis:{}"),
)
WPDIS = PaymentEstimator(
    "wpdis",
    "weighted per-decision importance sampling",
    "Thomas, 'Safe Reinforcement Learning', 2015 (consistent weighted per-decision)",
    _weighted,
)
MIS = PaymentEstimator(
    "mis",
    "marginalised by state",
    "Xie, Ma & Wang, NeurIPS 2019",
    _mean("mis"),
    biased=True,
    note="biased where the past bears on a decision or its outcome otherwise than through the "
    "number of the attempt and the state; no interval covers that",
)
DR = PaymentEstimator(
    "dr",
    "sequential doubly robust",
    "Jiang & Li, ICML 2016; Thomas & Brunskill, ICML 2016",
    _mean("dr"),
    needs_model=True,
)
WDR = PaymentEstimator(
    "wdr",
    "weighted sequential doubly robust",
    "Thomas & Brunskill, ICML 2016",
    _weighted_doubly_robust,
    needs_model=True,
)

REWARD_ESTIMATORS = (IPS, WIS, PDIS, WPDIS, MIS, DR, WDR)
"""Of the reward per payment, for a policy that did not make the log."""

COUNT_ESTIMATORS = (IPS, PDIS, WPDIS)
"""Of attempts, approvals and open ends per payment, of which there is no model."""
