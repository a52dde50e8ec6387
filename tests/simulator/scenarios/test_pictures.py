"""One picture for every scenario."""

from __future__ import annotations

from pathlib import Path

import pytest

from authopt.look.static_charts import chart_defaults, save
from simulator.scenarios import SCENARIOS, write_picture
from tests.simulator.scenarios.small_runs import ran

LONG = ("outage", "degradation", "new-route")
"""Their policies learn through many slots, and their figures have tests of their own."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in SCENARIOS]
)
def test_every_scenario_has_a_picture_that_says_what_was_found(name: str, tmp_path: Path) -> None:
    run = ran(name)
    with chart_defaults() as look:
        figure = run.scenario.picture(run, look)
        save(figure, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 20_000
    said = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    assert run.findings.finding in said
    assert run.findings.explanation in said


def test_the_same_run_gives_the_same_picture_and_the_dark_one_differs(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.svg" for name in ("one", "again", "dark")]
    for path in paths:
        write_picture(ran("no-exploration"), path, dark=path.stem == "dark")
    one, again, dark = (path.read_bytes() for path in paths)
    assert one == again
    assert one != dark
