"""Every estimator is a sum of ratios of two sums of columns.

To add an estimator, see that its columns are in :mod:`authopt.evaluation.columns`, and add an
:class:`Estimator` that names them, or a :class:`Family` of them, one per value of a parameter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from authopt.evaluation.columns import product
from authopt.evaluation.estimator import Estimator, Family, family_of

ON_POLICY = Estimator(
    "on-policy",
    "mean logged reward",
    "the sample mean: the policy made the log itself",
    (("r", "one"),),
    weighted=False,
    score="r",
)
IPS = Estimator(
    "ips",
    "inverse propensity score",
    "Horvitz & Thompson, JASA 47, 1952",
    (("wr", "one"),),
    score="wr",
)
CLIPPED_IPS = family_of(
    "clipped-ips",
    "clipped inverse propensity score",
    "Ionides, JCGS 17, 2008; Bottou et al., JMLR 14, 2013, section 4.4",
    "clip",
    "weights above {0} count as {0}",
    "its intervals do not cover the bias of clipping: where rewards are not negative, it is low",
    (np.inf, 100.0, 30.0, 10.0, 3.0, 1.0),
    uncut="wr",
)
SNIPS = Estimator(
    "snips",
    "self-normalised inverse propensity score",
    "Hájek, 1971; Swaminathan & Joachims, NeurIPS 2015, section 4",
    (("wr", "w"),),
    score="wr",
)
CLIPPED_SNIPS = family_of(
    "clipped-snips",
    "self-normalised clipped inverse propensity score",
    "Gilotte et al., WSDM 2018 (NCIS)",
    "clip",
    "weights above {0} count as {0}",
    "its asymptotic intervals do not cover the bias of clipping",
    (np.inf, 100.0, 30.0, 10.0, 3.0, 1.0),
    uncut="wr",
    normalised=True,
    score="wr",
)
SUBGAUSSIAN_IPS = family_of(
    "sg-ips",
    "sub-Gaussian inverse propensity score",
    "Metelli, Russo & Restelli, NeurIPS 2021 (power mean of exponent -1)",
    "sg",
    "weights w become w / (1 - λ + λ w), λ = {}",
    "its intervals do not cover the bias of shrinking the weights",
    (0.0, 0.003, 0.01, 0.03, 0.1, 0.3),
    uncut="wr",
)
MARGINALISED = tuple(
    Estimator(
        f"mips-{feature}",
        f"marginalised inverse propensity score by {feature}",
        "Saito & Joachims, ICML 2022 (MIPS)",
        ((f"mips@{feature}", "one"),),
        embedding=feature,
        note=f"its intervals do not cover the bias that it has unless all actions of one {feature} "
        "do equally well",
        biased=True,
    )
    for feature in ("route", "delay")
)
DM = Estimator(
    "dm",
    "direct method",
    "Dudík, Langford & Li, ICML 2011, section 2",
    (("v", "one"),),
    needs_model=True,
    weighted=False,
    note="its interval does not cover the bias of the reward model",
    biased=True,
)
DR = Estimator(
    "dr",
    "doubly robust",
    "Dudík, Langford & Li, ICML 2011, equation 1",
    (("dr", "one"),),
    needs_model=True,
    score="dr_supported",
)
SNDR = Estimator(
    "sndr",
    "self-normalised doubly robust",
    "Robins, Sued, Lei-Gomez & Rotnitzky, Statistical Science 22, 2007; "
    "Thomas & Brunskill, ICML 2016 (weighted doubly robust)",
    (("wd", "w"), ("v", "one")),
    needs_model=True,
    score="dr_supported",
)
SUBGAUSSIAN_DR = family_of(
    "sg-dr",
    "sub-Gaussian doubly robust",
    "Metelli, Russo & Restelli, NeurIPS 2021 (power mean of exponent -1)",
    "sgdr",
    "weights w become w / (1 - λ + λ w), λ = {}",
    "its asymptotic intervals do not cover the bias of shrinking the weights",
    (0.0, 0.003, 0.01, 0.03, 0.1, 0.3),
    uncut="dr",
    score="dr_supported",
    needs_model=True,
)
SWITCH_DR = family_of(
    "switch-dr",
    "switch doubly robust",
    "Wang, Agarwal & Dudík, ICML 2017, section 4",
    "switch",
    "by the model where the weight is above {}",
    "its intervals do not cover the bias of the reward model where weights are large",
    (np.inf, 100.0, 30.0, 10.0, 3.0, 1.0, 0.0),
    uncut="dr",
    needs_model=True,
)
OPTIMISTIC_DR = family_of(
    "dr-os",
    "doubly robust with optimistic shrinkage",
    "Su, Dimakopoulou, Krishnamurthy & Dudík, ICML 2020 (DRos)",
    "dros",
    "weights w become λ w / (w² + λ), λ = {}",
    "its intervals do not cover the bias of shrinking the weights",
    (np.inf, 10_000.0, 1_000.0, 100.0, 10.0, 1.0, 0.0),
    uncut="dr",
    needs_model=True,
)

ESTIMATORS: tuple[Estimator | Family, ...] = (
    IPS,
    CLIPPED_IPS,
    SNIPS,
    CLIPPED_SNIPS,
    SUBGAUSSIAN_IPS,
    *MARGINALISED,
    DM,
    DR,
    SNDR,
    SUBGAUSSIAN_DR,
    SWITCH_DR,
    OPTIMISTIC_DR,
)
"""Of a policy that did not make the log, in the order of tables; of a family, the chosen member is
shown."""

LOGGING_ESTIMATORS: tuple[Estimator, ...] = (ON_POLICY, DM, DR)
"""Of the policy that made the log; IPS and SNIPS are its sample mean."""


def available(
    estimators: Iterable[Estimator | Family], with_model: bool, embeddings: Collection[str] = ()
) -> tuple[Estimator | Family, ...]:
    """Those that can be computed, with a reward model or without, with some action features."""
    return tuple(
        each
        for each in estimators
        if (with_model or not each.needs_model)
        and (each.embedding is None or each.embedding in embeddings)
    )


def headline(estimators: Iterable[Estimator | Family]) -> str:
    """The estimator to quote: the one of least error in ``benchmarks.estimators``.

    The sample mean, else sub-Gaussian doubly robust, else (without a model) self-normalised and
    clipped, each with its parameter by ``Method.ERROR``.
    """
    quoted = (ON_POLICY, SUBGAUSSIAN_DR, DR, CLIPPED_SNIPS, SNIPS, IPS, DM)
    return _first_of(quoted, estimators)


def unbiased(estimators: Iterable[Estimator | Family]) -> str:
    """The estimator that cuts nothing: the sample mean, else doubly robust, else self-normalised.

    Parts of a log are judged by it: their estimates add up, and need no choice of their own.
    """
    return _first_of((ON_POLICY, DR, SNIPS, IPS, DM), estimators)


def _first_of(
    wanted: Iterable[Estimator | Family], estimators: Iterable[Estimator | Family]
) -> str:
    names = {estimator.name for estimator in estimators}
    return next(each.name for each in wanted if each.name in names)


def table_columns(
    with_model: bool,
    embeddings: Collection[str] = (),
    estimators: Iterable[Estimator | Family] = ESTIMATORS,
) -> tuple[str, ...]:
    """All columns that the estimators of a policy, their intervals and its diagnostics need.

    Parameters
    ----------
    with_model
        whether there is a reward model.
    embeddings
        action features that the log has.
    estimators
        those that are wanted; of the policy that made the log, ``LOGGING_ESTIMATORS`` will do.
    """
    scores = ("r", "wr", "dr_supported") if with_model else ("r", "wr")
    names = ["one", "r", "w", "wr", "coverage", "unsupported", "thin", "w*w"]
    names += ["r*r", "coverage*coverage", "unsupported*unsupported", "coverage*r"]
    names += ["r*unsupported", "coverage*unsupported"]
    if with_model:
        names += ["v", "dr", "dr_supported"]
    for score in scores:
        for other in (score, "r", "wr", "coverage", "unsupported"):
            names.append(product(score, other))
    for each in available(estimators, with_model, embeddings):
        names += each.columns
    return tuple(dict.fromkeys(names))
