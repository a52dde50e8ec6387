"""Confidence sequences by others, written anew from their sources, to compare ours with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize_scalar
from scipy.special import betainc, betaln, gammaincc, gammaln, logsumexp, ndtr, zeta

from authopt.evaluation.betting.boundaries import best_rho

Array = npt.NDArray[np.float64]
Limits = tuple[float, float]


def vowpal_wabbit(w: Array, r: Array, alpha: float) -> Limits:
    """VW's ``confidence_sequence``: a stitched empirical Bernstein bound, rewards in [0, 1].

    Karampatziakis, Mineiro & Ramdas, 'Off-policy confidence sequences' (ICML 2021).
    """
    return _stitched(w * r, alpha / 2.0), 1.0 - _stitched(w * (1.0 - r), alpha / 2.0)


def _stitched(x: Array, alpha: float, eta: float = 1.1, s: float = 1.1) -> float:
    t = np.arange(1.0, len(x) + 1.0)
    guess = (np.concatenate([[0.0], x.cumsum()[:-1]]) + 0.5) / t
    v = max(1.0, float(((x - guess) ** 2).sum()))
    level = s * np.log(np.log(eta * v) / np.log(eta) + 1.0) + np.log(zeta(s) / alpha)
    k1, k2 = (eta**0.25 + eta**-0.25) / np.sqrt(2.0), (np.sqrt(eta) + 1.0) / 2.0
    radius = np.sqrt(k1**2 * level * v + (k2 * level) ** 2) + k2 * level
    return max(0.0, float(x.sum() - radius) / len(x))


def vowpal_wabbit_robust(w: Array, r: Array, alpha: float) -> Limits:
    """VW's ``confidence_sequence_robust``, rewards in [0, 1].

    Mineiro, 'A lower confidence sequence for the changing mean of non-negative right heavy-tailed
    observations with bounded mean' (arXiv 2210.11133): a discrete mixture over stakes.
    """
    return _robust(w * r, alpha / 2.0), 1.0 - _robust(w * (1.0 - r), alpha / 2.0)


def _robust(x: Array, alpha: float, eta: float = 0.95, k: float = 1.5, xi: float = 1.6) -> float:
    n, j = len(x), np.arange(200.0)
    stake = 0.5 * xi ** -(j + 0.5)
    # A mixture of two parts; this one has the polylogarithm's share, spread by powers of xi.
    power = np.arange(1.0, 2000.0)
    share = 0.5 * (1.0 + (eta**power / power**2).sum() / (eta * zeta(2.0)))
    log_share = np.log(share * (xi - 1.0)) - (1.0 + j) * np.log(xi)
    guess = (np.concatenate([[0.0], x.cumsum()[:-1]]) + 0.5) / np.arange(1.0, n + 1.0)
    error = x - np.minimum(1.0, guess)
    low = float((error[error <= 0.0] ** 2).sum())
    middle = float((error[(error > 0.0) & (error <= 1.0)] ** 2).sum())
    cost = 0.5 * stake**2 * (low / (1.0 - stake) + middle)
    for far in error[error > 1.0]:
        node = k ** np.floor(np.log(far) / np.log(k))
        part = (k * node - far) / ((k - 1.0) * node)
        here, there = (stake * y - np.log1p(stake * y) for y in (node, k * node))
        curve = (stake * (k - 1.0) * node / (1.0 + stake * k * node)) ** 2
        cost += part * here + (1.0 - part) * there - 0.5 * part * (1.0 - part) * curve

    def surplus(mean: float) -> float:
        return float(logsumexp(stake * (x.sum() - n * mean) - cost + log_share) + np.log(alpha))

    if surplus(0.0) <= 0.0:
        return 0.0
    return 1.0 if surplus(1.0) >= 0.0 else float(brentq(surplus, 0.0, 1.0))


def poly_stitching(
    v: float, alpha: float, v_min: float, c: float, s: float = 1.4, eta: float = 2.0
) -> float:
    """Howard, Ramdas, McAuliffe & Sekhon (2021), theorem 1."""
    v = max(v, v_min)
    level = s * np.log(np.log(eta * v / v_min)) + np.log(zeta(s) / (alpha * np.log(eta) ** s))
    k1, k2 = (eta**0.25 + eta**-0.25) / np.sqrt(2.0), (np.sqrt(eta) + 1.0) / 2.0
    return float(np.sqrt(k1**2 * v * level + (k2 * c * level) ** 2) + k2 * c * level)


def _two_sided_rho(v: float, alpha: float) -> float:
    return best_rho(v, alpha / 2.0)


def normal_log_mixture(s: float, v: float, v_opt: float, alpha: float, one_sided: bool) -> float:
    """Propositions 4 (two-sided) and 5 (one-sided) of the same paper."""
    rho = best_rho(v_opt, alpha) if one_sided else _two_sided_rho(v_opt, alpha)
    both = 0.5 * np.log(rho / (v + rho)) + s * s / (2.0 * (v + rho))
    return float(both + np.log(2.0 * ndtr(s / np.sqrt(v + rho)))) if one_sided else float(both)


def gamma_poisson_log_mixture(s: float, v: float, v_opt: float, c: float, alpha: float) -> float:
    """Proposition 9 of the same paper."""
    start = best_rho(v_opt, alpha) / c**2
    now = v / c**2 + start
    at = s / c + now
    constant = start * np.log(start) - gammaln(start) - np.log(gammaincc(start, start))
    return float(constant + gammaln(at) + np.log(gammaincc(at, now)) - at * np.log(now) + v / c**2)


def beta_binomial_log_mixture(
    s: float, v: float, v_opt: float, g: float, h: float, alpha: float, one_sided: bool
) -> float:
    """Propositions 6 (two-sided) and 7 (one-sided) of the same paper."""
    rho = best_rho(v_opt, alpha) if one_sided else _two_sided_rho(v_opt, alpha)
    r = max(rho - g * h, 1e-3 * g * h)
    x = h / (g + h) if one_sided else 1.0

    def log_beta(a: float, b: float) -> float:
        return float(betaln(a, b) + np.log(betainc(a, b, x)))

    return float(
        v / (g * h) * np.log(g + h)
        - (v + h * s) / (h * (g + h)) * np.log(g)
        - (v - g * s) / (g * (g + h)) * np.log(h)
        + log_beta((r + v - g * s) / (g * (g + h)), (r + v + h * s) / (h * (g + h)))
        - log_beta(r / (g * (g + h)), r / (h * (g + h)))
    )


def bound(log_mixture: Callable[[float], float], alpha: float, high: float) -> float:
    """Where a mixture, as a function of s, reaches 1 / ``alpha``."""
    return float(brentq(lambda s: log_mixture(s) + np.log(alpha), 0.0, high))


def bernoulli(successes: float, trials: int, alpha: float, t_opt: float) -> Limits:
    """confseq's ``bernoulli_confidence_interval``: a beta-binomial mixture for every chance."""
    mean = successes / trials

    def surplus(p: float) -> float:
        v = p * (1.0 - p)
        s = (mean - p) * trials
        found = beta_binomial_log_mixture(s, v * trials, v * t_opt, p, 1.0 - p, 0.05, False)
        return found + float(np.log(alpha))

    tiny = 1e-12

    def root(low: float, high: float, otherwise: float) -> float:
        if surplus(low) * surplus(high) > 0.0:
            return otherwise
        return float(brentq(surplus, low, high))

    lower = root(tiny, mean, 0.0) if mean > 0.0 else 0.0
    upper = root(mean, 1.0 - tiny, 1.0) if mean < 1.0 else 1.0
    return lower, upper


def empirical_process_lil(t: float, alpha: float, t_min: float, a: float) -> float:
    """Howard & Ramdas, 'Sequential estimation of quantiles' (Bernoulli 28, 2022), theorem 2."""

    def error(c: float) -> float:
        def at(eta: float) -> float:
            square = 2.0 / eta * (a - np.sqrt(2.0 * (eta - 1.0) / c)) ** 2
            if square <= 1.0:
                return np.inf
            return float(4.0 * np.exp(-square * c) * (1.0 + 1.0 / ((square - 1.0) * np.log(eta))))

        most = brentq(
            lambda eta: np.sqrt(eta / 2.0) + np.sqrt(2.0 * (eta - 1.0) / c) - a, 1.0, 2.0 * a * a
        )
        etas = np.linspace(1.0, most, 400)[1:-1]
        best = etas[np.argmin([at(eta) for eta in etas])]
        step = etas[1] - etas[0]
        found = minimize_scalar(at, bounds=(best - step, best + step), method="bounded")
        return float(found.fun)

    c = brentq(lambda c: error(c) - alpha, 5.0, 40.0)
    return float(a * np.sqrt((np.log(1.0 + np.log(t / t_min)) + c) / t))


def double_stitching(p: float, t: float, alpha: float, t_opt: float) -> float:
    """Theorem 3 of that paper, with delta 0.5, s 1.4 and eta 2."""
    delta, s, eta = 0.5, 1.4, 2.0
    t = max(t, t_opt)
    odds = np.log(p / (1.0 - p))
    r = p
    if p < 0.5:
        moved = odds + 2.0 * delta * np.sqrt(t_opt * eta / t)
        r = min(0.5, 1.0 / (1.0 + np.exp(-moved)))
    variance = r * (1.0 - r)
    j = np.sqrt(t / t_opt) * abs(odds) / (2.0 * delta) + 1.0
    zeta_s = zeta(s)
    level = s * np.log(np.log(eta * t / t_opt)) + s * np.log(j)
    level += np.log(2.0 * zeta_s * (2.0 * zeta_s + 1.0) / (alpha * np.log(eta) ** s))
    k1, k2 = (eta**0.25 + eta**-0.25) / np.sqrt(2.0), (np.sqrt(eta) + 1.0) / 2.0
    last = k2 * (1.0 - 2.0 * p) / 3.0 * level
    step = delta * np.sqrt(eta * t * variance / t_opt)
    return float(step + np.sqrt(k1**2 * variance * t * level + last**2) + last)
