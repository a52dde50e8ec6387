"""Run a scenario, draw it, or write the log that a policy makes in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from authopt.batch import LoggedBatch
from authopt.look.static_charts import chart_defaults, save
from simulator.scenarios.contenders import contenders
from simulator.scenarios.follow import batches_of
from simulator.scenarios.scenario import Scenario, ScenarioRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run_scenario(
    scenario: Scenario,
    seed: int = 1,
    *,
    payments: int | None = None,
    policies: Sequence[str] = (),
) -> ScenarioRun:
    """Run a scenario; the same arguments give the same figures.

    Parameters
    ----------
    scenario
        one of ``SCENARIOS``.
    seed
        of all that is drawn.
    payments
        how many arrive; the scenario's own number by default. They arrive over the same time, so
        fewer payments are sparser ones.
    policies
        specs to compare in place of the scenario's own; the oracle is added to them.

    Raises
    ------
    UserError
        If a spec is not understood.
    """
    stage = scenario.stage(scenario.payments if payments is None else payments, seed)
    return ScenarioRun(
        scenario,
        stage,
        scenario.measure(stage, contenders(stage.world, stage.policies, policies)),
    )


def draw(run: ScenarioRun, *, dark: bool = False) -> Figure:
    """The picture of a run, as a matplotlib figure.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    """
    with chart_defaults(dark) as look:
        return run.scenario.picture(run, look)


def write_picture(run: ScenarioRun, path: Path, *, dark: bool = False) -> None:
    """Write the picture of a run (.png, .svg or .pdf).

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    UserError
        If the name ends otherwise, or the file cannot be written.
    """
    with chart_defaults(dark) as look:
        save(run.scenario.picture(run, look), path)


def log_of(
    scenario: Scenario,
    seed: int = 1,
    *,
    payments: int | None = None,
    policies: Sequence[str] = (),
) -> Iterator[LoggedBatch]:
    """The attempt log that the first policy of a scenario makes, in batches by time.

    Arguments are those of :func:`run_scenario`.
    """
    stage = scenario.stage(scenario.payments if payments is None else payments, seed)
    first = contenders(stage.world, stage.policies, policies)[0]
    yield from batches_of(stage, first)
