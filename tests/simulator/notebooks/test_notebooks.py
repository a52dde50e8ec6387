"""The notebooks run, and what is stored of them is fit to be read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tests.simulator.notebooks.run_notebooks import FOLDER, NOTEBOOKS, executed

LARGEST_BYTES = 420_000

FOREIGN = (
    "Traceback",
    os.sep + "site-packages",
    *(str(folder) + os.sep for folder in (FOLDER.parents[1], Path.home(), tempfile.gettempdir())),
)
"""What no output may hold: errors, and paths of the machine that it was run on."""

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)

LONG = ("02", "03", "05")
"""Notebooks that run for half a minute."""


def test_there_are_the_five_notebooks() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]
    assert not [path for path in FOLDER.iterdir() if path.suffix not in (".ipynb", "")]


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(
    "notebook",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem[:2] in LONG))
        for path in NOTEBOOKS
    ],
)
def test_every_cell_runs_from_any_folder_without_a_warning(notebook: Path, tmp_path: Path) -> None:
    check(executed(notebook, tmp_path), notebook)


@pytest.mark.timeout(1_800)
def test_every_cell_from_log_to_decision_runs_on_fewer_payments_too(tmp_path: Path) -> None:
    check(executed(NOTEBOOKS[1], tmp_path, payments="4_000"), NOTEBOOKS[1])


def check(content: NotebookNode, notebook: Path) -> None:
    said = [output for output in outputs(content) if output.output_type in ("stream", "error")]
    assert said == []
    foreign = [text for text in texts(content) if any(part in text for part in FOREIGN)]
    assert foreign == []
    assert pictures(content) == pictures(nbformat.read(notebook, as_version=4))


@each_notebook
def test_the_outputs_are_stored_and_small(notebook: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    assert [cell.execution_count for cell in code(content)] == list(
        range(1, len(code(content)) + 1)
    )
    assert 3 <= pictures(content) <= 8
    assert notebook.stat().st_size < LARGEST_BYTES


@each_notebook
def test_nothing_that_is_stored_tells_of_the_machine_it_ran_on(notebook: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    everything = [cell.source for cell in content.cells] + list(texts(content))
    assert [text for text in everything if any(part in text for part in FOREIGN)] == []
    assert set(content.metadata) == {"kernelspec", "language_info"}
    assert [cell.metadata for cell in content.cells if cell.metadata] == []


@each_notebook
def test_a_notebook_asks_a_question_and_closes_with_what_it_does_not_show(notebook: Path) -> None:
    cells = nbformat.read(notebook, as_version=4).cells
    assert cells[0].cell_type == cells[-1].cell_type == "markdown"
    assert "**Question.**" in cells[0].source
    assert "does **not** show" in cells[-1].source
    assert "Read on" in cells[-1].source


def code(content: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in content.cells if cell.cell_type == "code"]


def outputs(content: NotebookNode) -> list[NotebookNode]:
    return [output for cell in code(content) for output in cell.outputs]


def texts(content: NotebookNode) -> Iterator[str]:
    """Every output that is text; pictures are bytes and could hold anything."""
    for output in outputs(content):
        yield from output.get("traceback", [])
        yield output.get("text", "")
        for kind, data in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield data


def pictures(content: NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(content))
