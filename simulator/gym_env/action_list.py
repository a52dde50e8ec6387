"""The fixed list of actions: every route at every delay, then ``stop``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from authopt.actions import STOP, STOP_ROUTE, Action
from authopt.batch import Categorical, DecisionBatch, IntArray
from authopt.errors import UserError

NOT_LISTED = -1

MaskArray = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class ActionList:
    """Actions by number: route ``i`` at delay ``j`` is ``i * len(delays_s) + j``; ``stop`` is last.

    Attributes
    ----------
    routes
        the world's routes, without ``stop``.
    delays_s
        seconds, increasing.
    """

    routes: tuple[str, ...]
    delays_s: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.routes or STOP_ROUTE in self.routes:
            raise UserError(f"routes are {self.routes}; expected names other than {STOP_ROUTE!r}")
        if not self.delays_s or list(self.delays_s) != sorted({*self.delays_s}):
            raise UserError(f"delays are {self.delays_s}; expected seconds, increasing")

    @property
    def stop(self) -> int:
        """Number of the action that gives the payment up."""
        return len(self.routes) * len(self.delays_s)

    @property
    def size(self) -> int:
        """How many actions there are."""
        return self.stop + 1

    def action(self, number: int) -> Action:
        """The action of a number, as an object."""
        if number == self.stop:
            return STOP
        route, delay = divmod(number, len(self.delays_s))
        return Action(self.routes[route], self.delays_s[delay])

    def numbers(self, batch: DecisionBatch) -> IntArray:
        """int64[m], the number of each action; ``NOT_LISTED`` where the list does not hold it."""
        routes = Categorical(batch.action_route, batch.routes)
        route = routes.recode((*self.routes, STOP_ROUTE)).astype(np.int64)
        delays = np.array(self.delays_s, np.int64)
        delay = np.searchsorted(delays, batch.action_delay_s)
        listed = delays[np.minimum(delay, len(delays) - 1)] == batch.action_delay_s
        number = np.where(listed & (route >= 0), route * len(delays) + delay, NOT_LISTED)
        return np.where(route == len(self.routes), self.stop, number)

    def positions(self, batch: DecisionBatch) -> IntArray:
        """int64[n, size], where an action stands in the arrays of length m; -1 where it does not.

        Raises
        ------
        UserError
            If the batch holds an action that the list does not.
        """
        number = self.numbers(batch)
        if (number == NOT_LISTED).any():
            place = int(np.flatnonzero(number == NOT_LISTED)[0])
            action = Action(
                batch.routes[batch.action_route[place]], int(batch.action_delay_s[place])
            )
            raise UserError(
                f"the world offers {action}, which is not among the environment's actions: routes "
                f"{', '.join(self.routes)}; delays {', '.join(map(str, self.delays_s))} s. "
                "Give all of the world's delays as delays_s"
            )
        position = np.full((batch.n, self.size), -1, np.int64)
        position[batch.decision_of_action, number] = np.arange(batch.m)
        return position
