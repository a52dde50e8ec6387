"""Partial pooling of success rates: a segment with few attempts leans on the wider one around it.

The rates form a tree: of all routes, of each route, of each route in each value of the first
dimension, then in each pair of values of the first two, and so on. A node's rate is drawn from a
Beta distribution around its parent's, of a strength (attempts' worth) that all nodes of a level
share and that is estimated from the data (empirical Bayes). The model is that of hierarchical
Bayesian bandits (Hong et al., 'Hierarchical Bayesian bandits', AISTATS 2022, arXiv 2111.06929; the
tree: Hong et al., 'Deep hierarchy in bandits', ICML 2022, arXiv 2202.01454; with Beta levels: Wan,
Ge and Song, 'Metadata-based multi-task bandits with Bayesian hierarchical models', NeurIPS 2021).
Those draw the parents' rates too; here the posterior is carried through the tree by mean and
variance, so that nothing has to be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.policies.bandits.segments import Key

STRENGTH = 50.0
"""Strength of a level that tells nothing about it yet."""

_WEAKEST, _STRONGEST = 2.0, 5_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """The prefixes of some keys, level by level; level 0 is the one empty prefix.

    Attributes
    ----------
    nodes
        index of each prefix, per level.
    parents
        int64[nodes of the level], index of each node's parent one level up; level 0 has none.
    """

    nodes: tuple[dict[Key, int], ...]
    parents: tuple[IntArray, ...]

    @classmethod
    def of(cls, keys: Sequence[Key], depth: int) -> Tree:
        """The tree whose leaves are ``keys`` (of length ``depth``), in their order."""
        nodes: list[dict[Key, int]] = [{key: place for place, key in enumerate(keys)}]
        parents: list[IntArray] = []
        for length in range(depth - 1, -1, -1):
            level: dict[Key, int] = {} if length else {(): 0}
            at = [level.setdefault(key[:length], len(level)) for key in nodes[0]]
            parents.insert(0, np.array(at, np.int64))
            nodes.insert(0, level)
        return cls(tuple(nodes), tuple(parents))


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is believed of the rates of a level: mean and variance, each float64[nodes, routes]."""

    mean: FloatArray
    variance: FloatArray

    def below(self, attempts: FloatArray, successes: FloatArray, strength: float) -> Posterior:
        """Of children, whose parents these are (row by row), with evidence of their own.

        Given the parent's rate ``u`` a child's is ``Beta(strength u + S, strength (1 - u) + N -
        S)``; mean and variance over what is believed of ``u`` follow by the laws of total
        expectation and total variance.
        """
        total = strength + attempts
        mean = (strength * self.mean + successes) / total
        handed_down = (strength / total) ** 2 * self.variance
        own = (mean * (1.0 - mean) - handed_down) / (total + 1.0)
        return Posterior(mean, own + handed_down)

    def at(self, rows: IntArray) -> Posterior:
        """Of some nodes, in the order given."""
        return Posterior(self.mean[rows], self.variance[rows])

    def betas(self) -> tuple[FloatArray, FloatArray]:
        """Parameters of the Beta distributions with these means and variances."""
        concentration = self.mean * (1.0 - self.mean) / self.variance - 1.0
        return self.mean * concentration, (1.0 - self.mean) * concentration


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """The posterior of every level, and the strengths they were pooled with.

    Attributes
    ----------
    tree
        the levels.
    levels
        one posterior per level of the tree.
    strengths
        one per level: how strongly its nodes lean on their parents. That of level 0 is how
        strongly the routes lean on the mean of all routes.
    """

    tree: Tree
    levels: tuple[Posterior, ...]
    strengths: tuple[float, ...]

    def of(self, keys: Sequence[Key]) -> Posterior:
        """Of segments, known or not: a new one is believed to be like others of its parent."""
        leaves = self.tree.nodes[-1]
        place = np.array([leaves.get(key, -1) for key in keys], np.int64)
        known = self.levels[-1].at(place)
        for row in np.flatnonzero(place < 0).tolist():
            new = self._new(keys[row])
            known.mean[row], known.variance[row] = new.mean, new.variance
        return known

    def _new(self, key: Key) -> Posterior:
        deepest = max(n for n, level in enumerate(self.tree.nodes) if key[:n] in level)
        found = self.levels[deepest].at(np.array([self.tree.nodes[deepest][key[:deepest]]]))
        nothing = np.zeros_like(found.mean)
        for strength in self.strengths[deepest + 1 :]:
            found = found.below(nothing, nothing, strength)
        return Posterior(found.mean[0], found.variance[0])


def pool(
    tree: Tree,
    attempts: FloatArray,
    successes: FloatArray,
    squares: FloatArray,
    strength: float | None = None,
) -> Pooled:
    """Pool what is known of the leaves.

    Up the tree, a parent's evidence is the mean of its children's rates, each with the weight that
    its own attempts and the scatter of the level's rates allow: ``N / (1 + (N - 1) rho)`` attempts'
    worth, where ``rho = 1 / (strength + 1)`` is the correlation of two outcomes of one child. Down
    the tree the posteriors follow (:meth:`Posterior.below`).

    Parameters
    ----------
    tree
        its leaves are the rows.
    attempts, successes, squares
        float64[leaves, routes]: sums of weights, of weights times rewards, of squared weights.
    strength
        of every level; estimated level by level where it is None.
    """
    routes = attempts.shape[1]
    evidence = [(attempts, successes)]
    strengths: list[float] = []
    noise = squares
    for parent in (*tree.parents[::-1], None):
        weight, wins = evidence[0]
        if parent is None:
            # The routes themselves lean on the mean of all of them.
            weight, wins, noise = weight.T, wins.T, noise.T
            parent = np.zeros(routes, np.int64)
        count = int(parent.max()) + 1 if len(parent) else 1
        rho = 1.0 / (1.0 + (strength or _strength(weight, wins, noise, parent, count)))
        strengths.insert(0, 1.0 / rho - 1.0)
        factor = 1.0 / (1.0 + (weight - 1.0) * rho)
        up = [_sums(parent, each * factor, count) for each in (weight, wins)]
        evidence.insert(0, (up[0], up[1]))
        noise = up[0]
    top = evidence.pop(0)
    mean = (1.0 + top[1]) / (2.0 + top[0])
    believed = Posterior(mean, mean * (1.0 - mean) / (3.0 + top[0]))
    believed = Posterior(
        *(np.broadcast_to(each, (1, routes)) for each in (mean, believed.variance))
    )
    levels = []
    for level, (seen, won) in enumerate(evidence):
        if level:
            believed = believed.at(tree.parents[level - 1])
        believed = believed.below(seen, won, strengths[level])
        levels.append(believed)
    return Pooled(tree, tuple(levels), tuple(strengths))


def _strength(
    weight: FloatArray, wins: FloatArray, noise: FloatArray, parent: IntArray, count: int
) -> float:
    """The strength of a level, by the method of moments.

    The rate of a child with ``N`` attempts' worth of evidence, of which ``q`` is the sum of squared
    weights, has the variance ``v (e + (1 - e) rho)`` around its parent's rate ``u``, with ``v = u
    (1 - u)`` and ``e = q / N^2``. The squared distances of the children's rates from their weighted
    mean have a weighted sum whose expectation is linear in ``rho``; that is solved for ``rho``
    (Kleinman, 'Proportions with extraneous variance', JASA 1973, section 3). The weights are those
    that would be best at the usual strength, so that no single child outweighs all others.
    """
    there = weight > 0.0
    size = np.where(there, weight, 1.0)
    rate, alone = wins / size, noise / size**2
    trust = weight / (1.0 + (weight - 1.0) / (STRENGTH + 1.0))
    trusts = _sums(parent, trust, count)
    trusts = np.where(trusts > 0.0, trusts, 1.0)
    mean = _sums(parent, trust * rate, count) / trusts
    variance = (mean * (1.0 - mean))[parent]
    factor = trust * (1.0 - trust / trusts[parent]) * variance
    distance = (trust * (rate - mean[parent]) ** 2).sum()
    per_rho = (factor * (1.0 - alone)).sum()
    if per_rho <= 1e-9:
        return STRENGTH
    rho = (distance - (factor * alone).sum()) / per_rho
    return float(np.clip(1.0 / max(rho, 1e-9) - 1.0, _WEAKEST, _STRONGEST))


def _sums(parent: IntArray, values: FloatArray, count: int) -> FloatArray:
    """float64[count, routes], the sums over the children of each parent."""
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, parent, values)
    return sums
