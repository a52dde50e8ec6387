"""Pictures in the product's palette."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.errors import MissingExtra, UserError
from authopt.look.palette import SERIES
from authopt.look.static_charts import (
    DARK,
    LIGHT,
    EndLabel,
    chart_defaults,
    label_ends,
    mark,
    need_matplotlib,
    new_figure,
    save,
    say,
    shade,
    spread,
    stroke,
    wrapped,
)


def draw(path: Path, dark: bool = False) -> None:
    with chart_defaults(dark) as look:
        figure = new_figure()
        axes = figure.subplots()
        axes.plot(np.arange(10), np.arange(10) / 10, **stroke(0).line)
        shade(axes, look, 2, 4, "down")
        mark(axes, look, 6, "changed")
        say(figure, look, "A long finding " * 12, "What is drawn " * 20)
        label_ends(axes, look, [EndLabel("first", 0.9, stroke(0))])
        save(figure, path)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_picture_is_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    draw(one)
    draw(other)
    assert one.stat().st_size > 3_000
    assert one.read_bytes() == other.read_bytes()


def test_a_picture_has_twice_the_dots_of_a_screen_and_a_white_page(tmp_path: Path) -> None:
    draw(tmp_path / "light.png")
    pixels = matplotlib.image.imread(tmp_path / "light.png")
    assert pixels.shape[:2] == (920, 1520)
    assert (pixels[0, 0, :3] == 1.0).all()


def test_the_dark_page_is_dark(tmp_path: Path) -> None:
    draw(tmp_path / "dark.png", dark=True)
    assert matplotlib.image.imread(tmp_path / "dark.png")[0, 0, :3].max() < 0.15


def test_settings_end_with_the_picture() -> None:
    before = dict(matplotlib.rcParams)
    with chart_defaults():
        assert matplotlib.rcParams["axes.grid"]
    assert dict(matplotlib.rcParams) == before


def test_every_series_differs_in_colour_dashes_and_marker() -> None:
    strokes = [stroke(number) for number in range(len(SERIES))]
    assert len({each.colour for each in strokes}) == len(strokes)
    assert len({str(each.dashes) for each in strokes}) == len(strokes)
    assert len({each.marker for each in strokes}) == len(strokes)


@pytest.mark.parametrize("look", [LIGHT, DARK])
def test_names_in_the_colour_of_their_line_are_legible(look: Any) -> None:
    paper = luminance(look.paper)
    for colour in SERIES:
        text = luminance(look.text(colour))
        assert (max(paper, text) + 0.05) / (min(paper, text) + 0.05) >= 4.5, colour


@given(st.lists(st.tuples(st.floats(0, 300), st.floats(5, 20)), min_size=1, max_size=8))
def test_labels_never_overlap_and_stay_in_the_picture(labels: list[tuple[float, float]]) -> None:
    labels.sort()
    wanted, sizes = [place for place, _ in labels], [size for _, size in labels]
    places = spread(wanted, sizes, 300.0)
    for at in range(len(places) - 1):
        gap = (sizes[at] + sizes[at + 1]) / 2
        assert places[at + 1] - places[at] >= gap - 1e-9
    assert places[0] >= sizes[0] / 2 - 1e-9
    assert places[-1] <= 300.0 - sizes[-1] / 2 + 1e-9


def test_labels_that_do_not_collide_stay_where_their_lines_end() -> None:
    assert spread([20.0, 100.0, 200.0], [10.0, 10.0, 10.0], 300.0) == [20.0, 100.0, 200.0]


@given(st.lists(st.text("abcdefg", min_size=1, max_size=12), min_size=1, max_size=30))
def test_lines_hold_every_word_in_order(words: list[str]) -> None:
    lines = wrapped(" ".join(words), 12.0, "bold", 200.0)
    assert " ".join(lines).split() == words


def test_a_name_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.png, \.svg, \.pdf"):
        draw(tmp_path / "picture.gif")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not be written"):
        draw(tmp_path / "nowhere" / "picture.png")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **others: Any) -> Any:
        if name.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError(name="matplotlib")
        return real(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"authopt\[simulator\]"):
        need_matplotlib()
