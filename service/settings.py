"""What the operator chose when the service was started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from authopt.actions import MAX_DELAY_S, STOP_ROUTE
from authopt.card_numbers import contains_card_number
from authopt.errors import UserError
from authopt.rules import MerchantRules
from authopt.rules.merchant_file import check_routes
from service.tenants import DEFAULT_TENANT, check_tenant

if TYPE_CHECKING:
    from service.webhooks.source import WebhookSource

MAX_BODY_BYTES = 64 * 1024
MAX_BATCH_BYTES = 8 * 1024 * 1024
MAX_BATCH_ITEMS = 1_000
MAX_ACTIONS = 256
MAX_NAME = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSettings:
    """What one merchant's decisions are made with.

    Attributes
    ----------
    policy
        the policy's spec (``authopt.policies.spec.load_policy``).
    routes
        the merchant's routes, best first: the actions of a request that names none, and the static
        priority on which a decision falls back.
    delays
        seconds; every route may be used after each of them.
    merchant
        the merchant's own rules; they hold beside the networks'.

    Raises
    ------
    UserError
        If a value is unsound.
    """

    policy: str
    routes: tuple[str, ...]
    delays: tuple[int, ...] = (0,)
    merchant: MerchantRules = MerchantRules()  # noqa: RUF009

    def __post_init__(self) -> None:
        if not self.routes:
            raise UserError("routes: there are none; name them, best first, such as adyen,checkout")
        _check_names(self.routes)
        if not self.delays:
            raise UserError("delays: there are none; give them in seconds, such as 0,3600")
        if len(set(self.delays)) < len(self.delays):
            raise UserError("delays: one is given twice")
        for delay in self.delays:
            if not 0 <= delay <= MAX_DELAY_S:
                raise UserError(f"delays: {delay} s is out of range; expected 0 to {MAX_DELAY_S}")
        check_routes(self.merchant, self.routes, "rules")
        if len(self.routes) * len(self.delays) >= MAX_ACTIONS:
            raise UserError(
                f"{len(self.routes)} routes x {len(self.delays)} delays are too many actions; "
                f"expected fewer than {MAX_ACTIONS}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a worker needs to know.

    Attributes
    ----------
    policy, routes, delays, merchant
        of the merchant ``default``; see :class:`TenantSettings`.
    tenants
        the further merchants, by name.
    database
        SQLAlchemy URL of the store.
    spool
        file that takes the records while the store cannot.
    deadline_ms
        longest time to the answer of a decision; what is not done by then is done without the
        policy, and what is not on disk by then is answered as not recorded.
    batch_deadline_ms
        the same for a batch of decisions.
    max_body_bytes
        a larger request is refused.
    busy_timeout_s
        how long a commit waits for a locked SQLite database before the spool takes its place.
    answer_within_s
        how long an answer waits to be recorded before it is given as not recorded.
    retry_store_s
        how often a store that has failed is tried again, and the spool's records moved into it.
    store_within_s
        how long the store may take for a group of records before the spool takes its place.
    recorder
        socket of the process that writes a SQLite database for all workers; None where each worker
        writes by itself.
    webhooks
        providers that send outcomes themselves, by the last part of their address.
    workers
        processes that share the limits of keys.
    keys_required
        whether a key is asked for although none was made yet, or while the store does not say.
    log_format
        one of ``service.log_output.FORMATS``.
    own_cores
        whether each worker keeps to a core of its own (``service.own_core``).

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
    tenants: Mapping[str, TenantSettings] = field(default_factory=dict)
    deadline_ms: int = 50
    batch_deadline_ms: int = 2_000
    max_body_bytes: int = MAX_BODY_BYTES
    busy_timeout_s: float = 2.0
    answer_within_s: float = 10.0
    retry_store_s: float = 5.0
    store_within_s: float = 0.05
    recorder: Path | None = None
    webhooks: Mapping[str, WebhookSource] = field(default_factory=dict)
    workers: int = 1
    keys_required: bool = False
    log_format: str = "text"
    own_cores: bool = False

    def __post_init__(self) -> None:
        for name in self.tenants:
            check_tenant(name)
        if DEFAULT_TENANT in self.tenants:
            raise UserError(
                f"tenant {DEFAULT_TENANT!r}: is the merchant that the settings outside of all "
                "tenants describe"
            )
        self.served()

    def served(self) -> dict[str, TenantSettings]:
        """Every merchant that is served, by name.

        Raises
        ------
        UserError
            If a value of the merchant ``default`` is unsound.
        """
        default = TenantSettings(
            policy=self.policy, routes=self.routes, delays=self.delays, merchant=self.merchant
        )
        return {DEFAULT_TENANT: default, **self.tenants}


def _check_names(routes: tuple[str, ...]) -> None:
    for route in routes:
        if not route or len(route) > MAX_NAME or not route.isprintable():
            raise UserError(
                f"routes: {route[:MAX_NAME]!r} is no route name; expected 1 to {MAX_NAME} "
                "printable characters"
            )
        if contains_card_number(route):
            raise UserError("routes: a route name looks like a card number")
        if route == STOP_ROUTE:
            raise UserError(
                f"routes: {STOP_ROUTE!r} is the reserved name of giving up; every retry may be "
                "given up without it"
            )
    twice = sorted({route for route in routes if routes.count(route) > 1})
    if twice:
        raise UserError(f"routes: names {', '.join(twice)} more than once")
