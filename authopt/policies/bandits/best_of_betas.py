"""How probable it is that each of several Beta variables is the largest, without drawing any."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import betainc, betaln, digamma, expit, polygamma

from authopt.batch import BoolArray, FloatArray

_NODES = 10
"""Gauss-Legendre nodes of a panel."""

_NEAR, _FAR = 1.25, 0.4
"""A panel is at most ``_NEAR + _FAR * z`` standard deviations of any variable wide, where it begins
``z`` of them from that variable's mean: no peak is passed over, and tails cost little."""

_BEND = 3.0
"""With parameters below 1 a variable is wide, but its log density bends within a few units of 0,
from one exponential tail to the other; panels are no wider than this there."""

_SIDE = 8.0
"""Standard deviations beyond which a variable with large parameters has no mass worth counting."""

_NOTHING = 30.0
"""Minus the log of what counts as no mass: with small parameters the tails of the log odds fall
exponentially, at the rate of the parameter."""


def best_of_betas(alpha: FloatArray, beta: FloatArray, eligible: BoolArray) -> FloatArray:
    """The probability that each eligible variable exceeds all other eligible ones.

    For independent ``X_a ~ Beta(alpha_a, beta_a)`` it is the integral of the density of ``X_a``
    times the product of the others' distribution functions: the probability that Thompson sampling
    takes arm ``a`` (Thompson 1933; Russo et al., 'A tutorial on Thompson sampling', 2018, section
    3). The integral is taken over the log odds, where the densities are smooth and bounded however
    small the parameters, by Gauss-Legendre panels as narrow as the narrowest peak near them; the
    distribution functions are the running integrals over the same panels.

    Parameters
    ----------
    alpha, beta
        float64[c, k], above 0 where eligible.
    eligible
        bool[c, k], at least one in each row.

    Returns
    -------
    float64[c, k]
        Rows sum to 1; 0 where not eligible. The error is below 1e-6, and mostly below 1e-8.
    """
    share = np.zeros(eligible.shape)
    number = eligible.sum(axis=1)
    for arms in np.unique(number):
        rows = np.flatnonzero(number == arms)
        columns = np.nonzero(eligible[rows])[1].reshape(len(rows), -1)
        a, b = (np.take_along_axis(each[rows], columns, axis=1) for each in (alpha, beta))
        share[rows[:, None], columns] = _shares(a, b) if arms > 1 else 1.0
    return share


def _shares(alpha: FloatArray, beta: FloatArray) -> FloatArray:
    """float64[c, k] for rows whose k arms are all eligible."""
    centre = digamma(alpha) - digamma(beta)
    width = np.sqrt(polygamma(1, alpha) + polygamma(1, beta))
    scale = betaln(alpha, beta)
    # Below the start the largest variable hardly ever lies, and above the end never.
    start = (centre - np.maximum(_SIDE * width, _NOTHING / alpha)).max(axis=1)
    end = (centre + np.maximum(_SIDE * width, _NOTHING / beta)).max(axis=1)
    below = _distribution(alpha, beta, centre, start)
    share = np.zeros_like(alpha)
    node, weight, running = _panel()
    rows = np.arange(len(alpha))
    while len(rows):
        a, b, at = alpha[rows], beta[rows], start[rows]
        z = np.abs(centre[rows] - at[:, None]) / width[rows]
        step = ((_NEAR + _FAR * z) * width[rows]).min(axis=1)
        step = np.minimum(step, _BEND + _FAR * np.abs(at))
        half = np.minimum(step, end[rows] - at)[:, None] / 2.0
        point = at[:, None] + half * (node + 1.0)
        # Logs of x and of 1 - x at the log odds, exact in both tails.
        tail = np.log1p(np.exp(-np.abs(point)))
        log_x, log_y = np.minimum(point, 0.0) - tail, -np.maximum(point, 0.0) - tail
        density = a[..., None] * log_x[:, None] + b[..., None] * log_y[:, None]
        density = np.exp(density - scale[rows][..., None]) * half[:, None]
        others = _product_of_others(below[rows][..., None] + density @ running)
        share[rows] += (density * others) @ weight
        below[rows] += density @ weight
        start[rows] += 2.0 * half[:, 0]
        rows = rows[start[rows] < end[rows] - 1e-9 * width[rows].min(axis=1)]
    # What is next to nothing may come out a hair below it.
    share = np.maximum(share, 0.0)
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def _distribution(
    alpha: FloatArray, beta: FloatArray, centre: FloatArray, at: FloatArray
) -> FloatArray:
    """float64[c, k], the probability that the log odds lie below ``at`` (float64[c])."""
    at = at[:, None]
    return np.where(
        at < centre,
        betainc(alpha, beta, expit(at)),
        # Close to 1 a float cannot tell x apart; 1 - x it can.
        1.0 - betainc(beta, alpha, expit(-at)),
    )


def _product_of_others(below: FloatArray) -> FloatArray:
    """For each arm (axis 1) the product over all other arms."""
    left, right = np.ones_like(below), np.ones_like(below)
    np.cumprod(below[:, :-1], axis=1, out=left[:, 1:])
    np.cumprod(below[:, :0:-1], axis=1, out=right[:, -2::-1])
    return left * right


@cache
def _panel() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nodes and weights on [-1, 1], and float64[node, point]: the integral up to each point."""
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    # Coefficients of each node's own polynomial in Legendre's basis, by its orthogonality.
    basis = np.polynomial.legendre.legvander(node, _NODES - 1)
    coefficient = basis * weight[:, None] * (np.arange(_NODES) + 0.5)
    integral = np.polynomial.legendre.legint(np.eye(_NODES), lbnd=-1, axis=0)
    values = np.polynomial.legendre.legvander(node, _NODES) @ integral
    return node, weight, np.asarray(coefficient @ values.T)
