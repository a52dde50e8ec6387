"""What the operator chose when the service was started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from authopt.actions import MAX_DELAY_S, STOP_ROUTE
from authopt.card_numbers import contains_card_number
from authopt.errors import UserError
from authopt.rules import MerchantRules
from authopt.rules.merchant_file import check_routes

MAX_BODY_BYTES = 64 * 1024
MAX_ACTIONS = 256
MAX_NAME = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a worker needs to know.

    Attributes
    ----------
    policy
        the policy's spec (``authopt.policies.spec.load_policy``).
    routes
        the merchant's routes, best first: the actions of a request that names none, and the static
        priority on which a decision falls back.
    delays
        seconds; every route may be used after each of them.
    database
        SQLAlchemy URL of the store.
    spool
        file that takes the records while the store cannot.
    merchant
        the merchant's own rules; they hold beside the networks'.
    max_body_bytes
        a larger request is refused.
    busy_timeout_s
        how long a commit waits for a locked SQLite database before the spool takes its place.
    answer_within_s
        how long an answer waits to be recorded before it is given as not recorded.
    retry_store_s
        how long the recorder is idle, after the store has failed, before it tries to move the
        spool's records into it.

    Raises
    ------
    UserError
        If a value is unsound.
    """

    policy: str
    routes: tuple[str, ...]
    database: str
    spool: Path
    delays: tuple[int, ...] = (0,)
    merchant: MerchantRules = MerchantRules()  # noqa: RUF009
    max_body_bytes: int = MAX_BODY_BYTES
    busy_timeout_s: float = 2.0
    answer_within_s: float = 10.0
    retry_store_s: float = 5.0

    def __post_init__(self) -> None:
        if not self.routes:
            raise UserError("no routes: name them, best first, such as --routes adyen,checkout")
        _check_names(self.routes)
        if not self.delays:
            raise UserError("no delays: give them in seconds, such as --delays 0,3600")
        if len(set(self.delays)) < len(self.delays):
            raise UserError("a delay is given twice in --delays")
        for delay in self.delays:
            if not 0 <= delay <= MAX_DELAY_S:
                raise UserError(f"--delays: {delay} s is out of range; expected 0 to {MAX_DELAY_S}")
        check_routes(self.merchant, self.routes, "--rules")
        if len(self.routes) * len(self.delays) >= MAX_ACTIONS:
            raise UserError(
                f"{len(self.routes)} routes x {len(self.delays)} delays are too many actions; "
                f"expected fewer than {MAX_ACTIONS}"
            )


def _check_names(routes: tuple[str, ...]) -> None:
    for route in routes:
        if not route or len(route) > MAX_NAME or not route.isprintable():
            raise UserError(
                f"--routes: {route[:MAX_NAME]!r} is no route name; expected 1 to {MAX_NAME} "
                "printable characters"
            )
        if contains_card_number(route):
            raise UserError("--routes: a route name looks like a card number")
        if route == STOP_ROUTE:
            raise UserError(
                f"--routes: {STOP_ROUTE!r} is the reserved name of giving up; every retry may be "
                "given up without it"
            )
    twice = sorted({route for route in routes if routes.count(route) > 1})
    if twice:
        raise UserError(f"--routes names {', '.join(twice)} more than once")
