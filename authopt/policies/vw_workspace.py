"""A Vowpal Wabbit model in memory, asked for probabilities, and nothing else of its binding.

The binding's own ``predict`` takes four times as long as VW does: it wraps every line of an example
in an object of its own. So the calls beneath it are used, which are not public; where a version
lacks them, ``predict`` is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from authopt.errors import UserError

_BENEATH = ("_parse", "predict_multi", "_finish_example_multi_ex")


class VwWorkspace:
    """A model that gives the probabilities of one example's actions; it never learns.

    One lock goes around every call: VW's memory of an example is shared, and the binding holds
    Python's own lock throughout, so that threads would gain nothing. Use processes to go faster.

    Parameters
    ----------
    model
        file of the model. It must be whole: VW loads a truncated one without an error.

    Raises
    ------
    UserError
        If VW refuses the model.
    """

    __slots__ = ("_beneath", "_lock", "_workspace")

    def __init__(self, model: Path) -> None:
        from vowpalwabbit import Workspace

        # Not --testonly: with it, VW 9.11.9 gives other probabilities for a model of --rnd than
        # the one that learned. Asking does not teach without it either.
        arguments = ["--quiet", "--initial_regressor", str(model.resolve())]
        try:
            self._workspace: Any = Workspace(arg_list=arguments)
        except Exception as error:
            raise UserError(f"{model}: Vowpal Wabbit cannot load it: {error}") from None
        self._lock = threading.Lock()
        beneath = [getattr(super(Workspace, self._workspace), name, None) for name in _BENEATH]
        self._beneath: tuple[Any, ...] | None = tuple(beneath) if all(beneath) else None

    def probabilities(self, text: str) -> list[float]:
        """VW's probability of each action of one example, in the order of its lines.

        float32 in origin: they sum to 1 only to about 1e-7.

        Parameters
        ----------
        text
            the lines of the example, the empty line at its end included.
        """
        with self._lock:
            if self._beneath is None:
                return list(self._workspace.predict(text))
            parse, predict, finish = self._beneath
            examples = parse(text)
            try:
                predict(examples)
                return list(examples[0].get_action_scores())
            finally:
                finish(examples)

    @property
    def tells_costs(self) -> bool:
        """Whether :meth:`costs` can be asked; not all versions of the binding let it."""
        return self._beneath is not None

    def costs(self, texts: Iterable[str]) -> list[float]:
        """What the regression predicts for each action of some examples, one after the other.

        Of use with explorers of one regression; where several vote, it is that of the last one.

        Parameters
        ----------
        texts
            examples, as in :meth:`probabilities`.
        """
        if self._beneath is None:
            raise RuntimeError("this version of Vowpal Wabbit's binding does not tell costs")
        with self._lock:
            return costs_told(texts, *self._beneath)


def costs_told(
    texts: Iterable[str],
    parse: Callable[[str], Any],
    predict: Callable[[Any], Any],
    finish: Callable[[Any], Any],
) -> list[float]:
    """What the regression predicts for each action of some examples, by the calls of a binding.

    Whoever calls it sees to it that no other thread uses the model meanwhile.
    """
    found: list[float] = []
    for text in texts:
        examples = parse(text)
        try:
            predict(examples)
            found += [each.get_partial_prediction() for each in examples[1:]]
        finally:
            finish(examples)
    return found
