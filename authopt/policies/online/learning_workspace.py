"""A Vowpal Wabbit model in memory that is asked and learns, and is written out and read back whole.

As in ``authopt.policies.vw_workspace``, the calls beneath the binding's own ``predict`` and
``learn`` are used, which wrap every line of an example in an object of its own.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

from authopt.errors import UserError
from authopt.policies.vw_workspace import costs_told


class LearningWorkspace:
    """A model that gives the expected cost of one example's actions, and learns.

    One lock goes around every call, as one thread may not ask while another lets it learn.

    Parameters
    ----------
    arguments
        VW's command line.
    model
        bytes that :meth:`state` gave, under the same arguments; None for a model without outcomes.

    Raises
    ------
    UserError
        If VW refuses the model or the arguments.
    """

    __slots__ = ("_calls", "_lock", "_workspace")

    def __init__(self, arguments: list[str], model: bytes | None = None) -> None:
        from vowpalwabbit import Workspace

        with tempfile.TemporaryDirectory(prefix="authopt.") as folder:
            words = ["--quiet", *arguments]
            if model is not None:
                file = Path(folder) / "model.vw"
                file.write_bytes(model)
                words += ["--initial_regressor", str(file)]
            try:
                self._workspace: Any = Workspace(arg_list=words)
            except Exception as error:
                raise UserError(f"Vowpal Wabbit cannot load the model: {error}") from None
        beneath: Any = super(Workspace, self._workspace)
        self._calls = (
            beneath._parse,
            beneath.predict_multi,
            beneath.learn_multi,
            beneath._finish_example_multi_ex,
        )
        self._lock = threading.Lock()

    def costs(self, texts: list[str]) -> list[float]:
        """The expected cost of every action of some examples, one after the other.

        Parameters
        ----------
        texts
            examples with a shared line first, the empty line at their ends included.
        """
        parse, predict, _, finish = self._calls
        with self._lock:
            return costs_told(texts, parse, predict, finish)

    def learn(self, texts: list[str]) -> None:
        """Learn from labelled examples, one after the other."""
        parse, _, learn, finish = self._calls
        with self._lock:
            for text in texts:
                examples = parse(text)
                try:
                    learn(examples)
                finally:
                    finish(examples)

    def state(self) -> bytes:
        """The model with all that its next steps depend on."""
        with tempfile.TemporaryDirectory(prefix="authopt.") as folder, self._lock:
            file = Path(folder) / "model.vw"
            self._workspace.save(str(file))
            return file.read_bytes()
