"""``python -m benchmarks.estimators [--quick] [--csv FILE]``: which estimator errs least?

Every estimator that authopt has is held against the truth in many logs of each case: worlds by
success rates by sizes by reward models, and three policies in our own world
(``benchmarks/_estimator_cases.py``). Families of estimators are taken with the member that each way
of choosing picks in each log. Marginalised estimators are left out: only our own world has what
they need. Where an estimator has no answer (no row has a weight), it is taken to answer the mean
logged reward.

An error is given relative to that of the best estimator of the case, in hindsight. Figures are
geometric means over cases of the root mean squared error, so the best single choice is the same
whatever it is relative to. Cases with the true model are shown and not counted: nobody has it, and
with it no estimator that looks at rewards can keep up with one that does not.

A choice is fit to be quoted only if in no case its error is above twice that of the estimator that
cuts nothing (doubly robust; without a model, self-normalised), for the value and for the gain: what
it saves on average must not be paid for in the one log that somebody has. That is its regret. The
estimator that authopt quotes must be fit, and within 5% of the best other choice that is, with a
reward model and without.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from authopt.evaluation.estimators import DR, ESTIMATORS, SNIPS, available, headline
from authopt.evaluation.selection import Method
from benchmarks._estimator_cases import MODELS, OWN_WORLD, ROWS, Case
from benchmarks._estimator_errors import CHOICES, WITHOUT_MODEL, Errors, measure, name_of

CLOSE = 1.05
MOST_REGRET = 2.0
NEAR = 1.5
LOGS = dict(zip(ROWS, (1_000, 500, 200), strict=True))
OWN_LOGS = dict(zip(ROWS, (200, 100, 40), strict=True))
QUICK_LOGS = dict(zip(ROWS, (60, 25, 10), strict=True))
QUICK_OWN_LOGS = dict(zip(ROWS, (30, 8, 3), strict=True))
UNCOUNTED = "true"
"""The model whose cases are shown and not counted."""

SHOWN = Method.ERROR
"""How authopt chooses the member of a family that it shows."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """How some choices did: float64[2 (value, gain), cases, choices] each.

    ``relative`` is the root mean squared error in units of the case's least one, ``regret`` in
    units of that of the estimator without bias.
    """

    names: tuple[str, ...]
    cases: tuple[Case, ...]
    relative: np.ndarray
    regret: np.ndarray

    def mean(self, counted: np.ndarray) -> np.ndarray:
        """float64[2, choices], geometric means of ``relative`` over the counted cases."""
        return np.asarray(np.exp(np.log(self.relative[:, counted]).mean(1)))

    @property
    def counted(self) -> np.ndarray:
        """bool[cases], those that figures rest on."""
        return np.array([case.model != UNCOUNTED for case in self.cases])

    @property
    def figure(self) -> np.ndarray:
        """float64[choices], geometric mean over counted cases, and over value and gain."""
        return np.asarray(np.sqrt(self.mean(self.counted).prod(0)))

    @property
    def worst_regret(self) -> np.ndarray:
        """float64[choices], over counted cases, value and gain."""
        return np.asarray(self.regret[:, self.counted].max((0, 1)))

    @property
    def fit(self) -> np.ndarray:
        """bool[choices], whether a choice is fit to be quoted."""
        return self.worst_regret <= MOST_REGRET

    def bar(self, quoted: str) -> float:
        """What the figure of the quoted estimator must not exceed, if any other is fit."""
        others = self.fit & (np.array(self.names) != quoted)
        return CLOSE * float(self.figure[others].min(initial=np.inf))


def standing_of(found: Mapping[Case, Errors], names: Sequence[str], unbiased: str) -> Standing:
    """How these choices did in all cases."""
    places = [CHOICES.index(name) for name in names]
    rmse = np.stack([each.rmse for each in found.values()], axis=1)[..., places]
    # With rare successes and few rows, an estimator can be right by saying nothing happened.
    rmse = np.maximum(rmse, np.finfo(np.float64).tiny)
    return Standing(
        tuple(names),
        tuple(found),
        rmse / rmse.min(-1, keepdims=True),
        rmse / rmse[..., [list(names).index(unbiased)]],
    )


def quoted(with_model: bool) -> str:
    """The choice that authopt quotes."""
    found = available(ESTIMATORS, with_model)
    name = headline(found)
    return next(name_of(each, SHOWN) for each in found if each.name == name)


def print_standing(console: Console, standing: Standing, title: str, quoted: str) -> None:
    """Choices in order of their figures."""
    counted = standing.counted
    groups = {
        model: np.array([case.model == model for case in standing.cases])
        for model in dict.fromkeys(case.model for case in standing.cases)
    }
    for rows in ROWS:
        groups[f"n = {rows:,}"] = counted & np.array([case.rows == rows for case in standing.cases])
    table = Table(title=title)
    table.add_column("", no_wrap=True)
    heads = ("both", "value", "worst", f"< {NEAR}", "gain", "worst", f"< {NEAR}", "regret")
    for head in (*heads, *groups):
        table.add_column(head, justify="right")
    value, gain = standing.mean(counted)
    by_group = [np.sqrt(standing.mean(group).prod(0)) for group in groups.values()]
    for place in np.argsort(standing.figure):
        name = standing.names[place]
        row = [f"{standing.figure[place]:.2f}"]
        for mean, relative in zip((value, gain), standing.relative[:, counted, place], strict=True):
            row += [
                f"{mean[place]:.2f}",
                f"{relative.max():.1f}",
                f"{(relative < NEAR).mean():.0%}",
            ]
        regret = standing.worst_regret[place]
        row.append(f"{regret:.2f}" if standing.fit[place] else f"[red]{regret:.2f}[/]")
        row += [f"{each[place]:.2f}" for each in by_group]
        table.add_row(f"[bold]{name}[/]" if name == quoted else name, *row)
    console.print(table)


def print_errors(console: Console, found: Mapping[Case, Errors], cases: Sequence[Case]) -> None:
    """Bias and standard deviation of all choices in a few cases, of the value."""
    table = Table(title="value: bias ± standard deviation, in thousandths")
    table.add_column("", no_wrap=True)
    for case in cases:
        table.add_column(
            f"{case.world}, {case.what}\nn = {case.rows:,}\n{case.model}", justify="right"
        )
    for place, name in enumerate(CHOICES):
        cells = []
        for case in cases:
            bias, deviation = found[case].bias[0, place], found[case].deviation[0, place]
            cells.append(f"{1e3 * bias:+.1f} ± {1e3 * deviation:.1f}")
        table.add_row(name, *cells)
    console.print(table)


def write_csv(path: Path, found: Mapping[Case, Errors]) -> None:
    """One row per case and choice."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        kinds = [f"{what}_{kind}" for what in ("value", "gain") for kind in ("rmse", "bias", "sd")]
        writer.writerow(["world", "what", "rows", "model", "logs", "choice", *kinds, "unanswered"])
        for case, errors in found.items():
            figures = np.stack([errors.rmse, errors.bias, errors.deviation], axis=1)
            for place, name in enumerate(CHOICES):
                writer.writerow(
                    [case.world, case.what, case.rows, case.model, len(errors.unanswered), name]
                    + [f"{figure:.6g}" for figure in figures[..., place].ravel()]
                    + [f"{errors.unanswered[:, place].mean():.4g}"]
                )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a fifteenth of the logs")
    parser.add_argument("--csv", type=Path, help="write the errors of all cases to this file")
    options = parser.parse_args()
    console = Console(highlight=False, width=180)
    start = time.perf_counter()
    found = measure(QUICK_LOGS, QUICK_OWN_LOGS) if options.quick else measure(LOGS, OWN_LOGS)
    if options.csv:
        write_csv(options.csv, found)
    own = [case for case in found if case.world == OWN_WORLD and case.rows == ROWS[-1]]
    few = [Case("ε = .05", "near 0.9", 2_000, model) for model in MODELS[1:]]
    print_errors(console, found, [*few, *own])
    verdicts, held = [], True
    for with_model, words, unbiased in (
        (True, "with a reward model", DR.name),
        (False, "without", SNIPS.name),
    ):
        names = [name for name in CHOICES if with_model or name in WITHOUT_MODEL]
        cases = {
            case: errors
            for case, errors in found.items()
            if with_model or case.model not in MODELS[1:]
        }
        if not with_model:
            # What does without a model is the same whatever the model: counted once.
            cases = {
                Case(case.world, case.what, case.rows, "none"): each for case, each in cases.items()
            }
        standing, now = standing_of(cases, names, unbiased), quoted(with_model)
        title = f"root mean squared errors {words}, relative to the best of each case"
        print_standing(console, standing, title, now)
        place = names.index(now)
        figure, bar = standing.figure[place], standing.bar(now)
        regret = standing.worst_regret[place]
        verdicts.append(
            f"{figure:.3f} {words} (bar {bar:.3f}; regret {regret:.2f}, bar {MOST_REGRET:g})"
        )
        held &= bool(figure <= bar and standing.fit[place])
    console.print(f"{time.perf_counter() - start:.0f} seconds")
    console.print(f"estimators: {'; '.join(verdicts)}", soft_wrap=True)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
