"""Boundaries that a sum of martingale differences crosses with small probability at any time.

Howard, Ramdas, McAuliffe & Sekhon, 'Time-uniform, nonparametric, nonasymptotic confidence
sequences', Annals of Statistics 49, 2021 (arXiv 1810.08240).
"""

from __future__ import annotations

from math import log

from scipy.special import gammainc, gammaln


def best_rho(v: float, alpha: float) -> float:
    """Parameter of the one-sided mixtures that is about the best at intrinsic time ``v``.

    As section 3.5 of the paper tunes the two-sided normal mixture, with 2 ``alpha`` for one side,
    in the approximation of its authors' software (confseq).
    """
    twice = -2.0 * log(2.0 * alpha)
    return v / (twice + log(1.0 + twice))


def gamma_exponential_log_mixture(s: float, v: float, rho: float, c: float) -> float:
    """Logarithm of the gamma-exponential mixture supermartingale (proposition 8 of the paper).

    Parameters
    ----------
    s
        value of a process that is sub-exponential with scale ``c``, at least 0.
    v
        its intrinsic time, such as a sum of squares; at least 0.
    rho
        above 0; see :func:`best_rho`.
    c
        above 0.
    """
    start, now, at = rho / c**2, (v + rho) / c**2, (c * s + v + rho) / c**2
    constant = start * log(start) - gammaln(start) - log(gammainc(start, start))
    return float(
        constant + gammaln(now) + log(gammainc(now, at)) - now * log(at) + (c * s + v) / c**2
    )


def gamma_exponential_bound(v: float, alpha: float, rho: float, c: float) -> float:
    """What such a process exceeds at some intrinsic time ``v`` with a probability of ``alpha``.

    Parameters and source as for :func:`gamma_exponential_log_mixture`.
    """
    # Imported here, as it takes a quarter of a second, and training judges without it.
    from scipy.optimize import brentq

    threshold = -log(alpha)

    def surplus(s: float) -> float:
        return gamma_exponential_log_mixture(s, v, rho, c) - threshold

    high = c + v**0.5
    while surplus(high) < 0.0:
        high *= 2.0
    return float(brentq(surplus, 0.0, high, xtol=1e-9))
