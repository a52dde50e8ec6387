"""Run the notebooks: for the tests, and as a program in place, so that their outputs are stored."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

import simulator

FOLDER = Path(simulator.__file__).parent / "notebooks"
NOTEBOOKS = tuple(sorted(FOLDER.glob("*.ipynb")))

CELL_TIMEOUT_S = 600
"""A cell takes seconds; a loaded machine may be many times slower."""


def executed(notebook: Path, folder: Path, payments: str | None = None) -> NotebookNode:
    """A notebook with the outputs of a fresh run.

    Parameters
    ----------
    notebook
        the file; it is not changed.
    folder
        where the kernel works; its settings and history go there too.
    payments
        how many a log has where the notebook says ``20_000``; None for as many.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    # No times in the metadata: a run again should change nothing but what it computes.
    content = nbformat.read(notebook, as_version=4)
    if payments is not None:
        for cell in content.cells:
            cell.source = cell.source.replace("20_000", payments)
    client = NotebookClient(
        content,
        timeout=CELL_TIMEOUT_S,
        startup_timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=os.environ | {"IPYTHONDIR": str(folder / "ipython")})
    content.metadata = {
        "kernelspec": content.metadata["kernelspec"],
        "language_info": {"name": "python"},
    }
    return content


def main() -> None:
    """Run all notebooks, or those named, in place."""
    for notebook in [Path(name) for name in sys.argv[1:]] or NOTEBOOKS:
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(executed(notebook, Path(folder)), notebook)


if __name__ == "__main__":
    main()
