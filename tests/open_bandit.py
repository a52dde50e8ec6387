"""The Open Bandit sample and the policy BTS, as obp makes it, in files that authopt reads.

Saito, Aihara, Matsutani & Narita, 'Open Bandit Dataset and Pipeline' (arXiv 2008.07146).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from authopt.batch import FloatArray

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data" / "open-bandit"
RANDOM_LOG = DATA / "random-all.csv.gz"
BTS_LOG = DATA / "bts-all.csv.gz"
MAPPING = ROOT / "data" / "mappings" / "open-bandit.toml"
ITEMS, POSITIONS, DRAWS, AT_ONCE = 80, 3, 100_000, 2_000
MISSING = "the Open Bandit sample is not in ../shared/data/open-bandit"


def beta_parameters() -> tuple[list[float], list[float]]:
    """alpha and beta of the campaign 'all' (two plain lists in the YAML file)."""
    section = (DATA / "prior_bts.yaml").read_text().split("all:")[1]
    alpha, beta = section.split("alpha:")[1].split("beta:")

    def numbers(text: str) -> list[float]:
        return [float(line.strip()[2:]) for line in text.splitlines() if line.strip()[:2] == "- "]

    return numbers(alpha)[:ITEMS], numbers(beta)[:ITEMS]


@cache
def bts_probabilities() -> FloatArray:
    """float64[items, positions]: shares of 100,000 draws with one seed, as obp makes them."""
    alpha, beta = beta_parameters()
    rng = np.random.RandomState(12345)
    counts = np.zeros((ITEMS, POSITIONS))
    for _ in range(DRAWS // AT_ONCE):
        # Many draws at once take the generator's numbers in the same order as one by one.
        drawn = rng.beta(alpha, beta, (AT_ONCE, ITEMS))
        top = drawn.argsort(axis=1)[:, ::-1][:, :POSITIONS]
        for position in range(POSITIONS):
            counts[:, position] += np.bincount(top[:, position], minlength=ITEMS)
    return counts / DRAWS


def write_bts(path: Path) -> None:
    """BTS as a table for ``--policy table:FILE``; positions are counted from 1, as in the log."""
    share = bts_probabilities()
    rows = [
        f"{position + 1},{item},{float(share[item, position])!r}"
        for position in range(POSITIONS)
        for item in range(ITEMS)
    ]
    path.write_text("\n".join(["x_position,route,probability", *rows]) + "\n", encoding="utf-8")
