"""What the merchant itself forbids: its own rules, over every action of a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Protocol

import numpy as np
import numpy.typing as npt

from authopt.batch import BoolArray, DecisionBatch
from authopt.errors import UserError
from authopt.rules.merchant_context import ALLOWED, Found
from authopt.rules.merchant_limits import Deadline, MaxAttempts
from authopt.rules.merchant_volume import VolumePromise


class MerchantRule(Protocol):
    """One rule of a merchant: a function of the batch alone, like a policy."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Every reason that it gives."""

    @property
    def sentence(self) -> str:
        """What it does, for people."""

    def broken(self, batch: DecisionBatch) -> Found | None:
        """int8[m], the text that says why an action is forbidden; -1 where it is allowed.

        None where it is plain at once that nothing is forbidden.
        """


@dataclass(frozen=True, slots=True)
class MerchantRules:
    """The merchant's rules; by default a limit of attempts, and the payment's own deadline.

    They are applied in the order of ``ordered``, then the promises, and the first that forbids an
    action gives the reason.

    Attributes
    ----------
    max_attempts
        most attempts of one payment, the first included.
    deadline
        whether an action is forbidden whose delay is longer than the context's
        ``seconds_to_deadline``, where that is known.
    rules
        further ones, in the order in which they are applied.
    promises
        volume promised to routes; an earlier one comes first.
    texts
        the text of every reason, by reason code.
    ordered
        all rules but the promises, in the order in which they are applied.
    places
        the reason code of the first text of each rule: of ``ordered``, then of the promises.

    Raises
    ------
    UserError
        If ``max_attempts`` is out of range.
    """

    max_attempts: int = 15
    deadline: bool = True
    rules: Sequence[MerchantRule] = ()
    promises: Sequence[VolumePromise] = ()
    texts: tuple[str, ...] = field(init=False, repr=False)
    ordered: tuple[MerchantRule, ...] = field(init=False, repr=False)
    places: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise UserError(f"max_attempts is {self.max_attempts}; expected at least 1")
        own = (Deadline(),) if self.deadline else ()
        object.__setattr__(self, "ordered", (MaxAttempts(self.max_attempts), *own, *self.rules))
        texts = [rule.texts for rule in self._all()]
        # Worked out once: a live decision would spend more on its texts than on its rules.
        object.__setattr__(self, "texts", tuple(chain.from_iterable(texts)))
        object.__setattr__(self, "places", tuple(accumulate(map(len, texts[:-1]), initial=0)))

    @property
    def routes(self) -> tuple[str, ...]:
        """The routes that the rules name."""
        named = (getattr(rule, "route", None) for rule in self._all())
        return tuple(dict.fromkeys(route for route in named if route is not None))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What each rule does, in the order in which they are applied."""
        return tuple(rule.sentence for rule in self._all())

    def _all(self) -> list[MerchantRule | VolumePromise]:
        return [*self.ordered, *self.promises]


def merchant_reasons(
    batch: DecisionBatch, rules: MerchantRules, left: BoolArray | None = None
) -> npt.NDArray[np.int16]:
    """Say of every action which of the merchant's rules forbids it.

    Parameters
    ----------
    batch
        n decisions, m actions.
    rules
        the merchant's.
    left
        bool[m], what the networks' rules leave; all of it by default. A volume promise reserves a
        payment for a route only where the route is among what is left.

    Returns
    -------
    int16[m]
        index into ``rules.texts``; -1 where the action is allowed. ``stop`` always is.
    """
    reason = np.full(batch.m, ALLOWED, np.int16)
    places = iter(rules.places)
    for rule in rules.ordered:
        _add(reason, rule.broken(batch), next(places))
    for promise in rules.promises:
        allowed = (reason == ALLOWED) & ~batch.is_stop
        if left is not None:
            allowed &= left
        _add(reason, promise.broken(batch, allowed), next(places))
    if (reason != ALLOWED).any():
        reason[batch.is_stop] = ALLOWED
    return reason


def _add(reason: npt.NDArray[np.int16], found: Found | None, first: int) -> None:
    """Put a rule's reasons where there is none yet."""
    if found is None:
        return
    new = (reason == ALLOWED) & (found != ALLOWED)
    if new.any():
        reason[new] = found[new] + np.int16(first)
