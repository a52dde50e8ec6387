"""Random payments with their whole history, and random rules of merchants, for the oracle."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from authopt.batch import Categorical, Column, DecisionBatch
from authopt.payments import CONTEXT_BY_NAME, Kind
from authopt.rules import Rules, load_rules
from authopt.rules.merchant_file import load_merchant_rules
from tests.acceptance.rule_oracle import ADVICE_CODES, DAY, HOUR, PRICES, RESPONSE_CODES, Payment

ROUTES = ("adyen", "braintree", "checkout")
DELAYS = (0, 1_800, HOUR, 8 * HOUR, DAY, 2 * DAY, 7 * DAY, 31 * DAY)
DROPPED = (
    "seconds_since_first_attempt",
    "seconds_since_last_attempt",
    "previous_response_code",
    "previous_advice_code",
    "token",
    "initiator",
    "network",
    "currency",
    "amount_minor",
    "local_hour",
    "local_day",
    "mcc",
    "merchant_country",
    "seconds_to_deadline",
)
NETWORKS = ("visa", "visa", "mastercard", "mastercard", "maestro", "amex", "jcb", "other")
GAPS = (1, 60, 20 * 60, HOUR, 5 * HOUR, 20 * HOUR, DAY, 3 * DAY, 20 * DAY, 30 * DAY)


def payments() -> st.SearchStrategy[Payment]:
    """Decisions of every kind.

    A payment follows from one number: with a draw for each of its thirty values, Hypothesis would
    spend the test's time on drawing. What fails is printed whole.
    """
    return st.integers(0, 2**32 - 1).map(lambda seed: _payment(random.Random(seed)))


def _payment(rng: random.Random) -> Payment:
    """Attempts in bursts or days apart, and a context that may be silent."""
    # As many as a network takes in its window, and one or two more or less, now and then.
    limit = rng.choice((7, 10, 15, 16, 20, 21, 35)) + rng.randint(-2, 2)
    made = rng.choice((0, 0, 1, 2, 3, rng.randint(4, 40), limit, limit))
    gaps = [rng.choice(GAPS)] * made
    for place in {0, made - 1} & set(range(made)):
        gaps[place] = rng.choice(GAPS)
    # The oldest first; the last gap is the time since the last attempt.
    own = tuple(sum(gaps[number:]) for number in range(made))
    others = (rng.choice((HOUR, 10 * HOUR, 5 * DAY)),) * rng.choice((0, 0, 1, 8, 15, 40))
    context: dict[str, Any] = {
        "network": rng.choice(NETWORKS),
        "merchant_country": rng.choice(("DE", "US", "CA", "BR")),
        "initiator": rng.choice(("cit", "mit")),
        "token": rng.random() < 0.5,
        "currency": rng.choice(("EUR", "EUR", "USD")),
        "amount_minor": rng.choice((40, 150, 5_000, 80_000)),
        "mcc": rng.choice(("5732", "5732", "7995")),
        "local_hour": rng.randrange(24),
        "local_day": rng.randint(1, 7),
        "seconds_to_deadline": rng.choice((None, None, None, None, None, -1, HOUR, 3 * DAY)),
        "x_data_updated": rng.choice((None, None, True, False)),
    }
    if rng.random() < 0.5:
        context["card_declines_24h"] = sum(age < DAY for age in own + others)
    if rng.random() < 0.5:
        context["card_attempts_30d"] = sum(age < 30 * DAY for age in own + others)
    if made:
        context["seconds_since_first_attempt"] = own[0]
        context["seconds_since_last_attempt"] = own[-1]
        context["previous_response_code"] = rng.choice(
            ("05", "51", "5", "r0", None, rng.choice(RESPONSE_CODES))
        )
        context["previous_advice_code"] = rng.choice(
            (None, None, None, "3", rng.choice(ADVICE_CODES), rng.choice(ADVICE_CODES))
        )
    for name in rng.sample(DROPPED, rng.choice((0, 0, 1, 2, 5))):
        context.pop(name, None)
    offered = {(rng.choice(ROUTES), rng.choice(DELAYS)): None for _ in range(rng.randint(1, 5))}
    if rng.random() < 0.5:
        offered["stop", 0] = None
    counts = rng.choice((None, 0, 5, 10**6))
    return Payment(
        context={name: value for name, value in context.items() if value is not None},
        decided_at=_moment(rng),
        own_ages=own,
        other_ages=others,
        actions=tuple(offered),
        counts=None if counts is None else dict.fromkeys(ROUTES, counts),
        payment_id=f"p{rng.randrange(100)}",
    )


def _moment(rng: random.Random) -> datetime:
    """Any time in seven years, or the evening before a rule changes."""
    start = datetime(2020, 1, 1, tzinfo=UTC)
    changes = (datetime(2021, 4, 16, 20), datetime(2022, 9, 30, 20), datetime(2025, 5, 18, 20))
    if rng.random() < 0.2:
        return rng.choice(changes).replace(tzinfo=UTC)
    return start + timedelta(seconds=rng.randrange(7 * 365 * DAY))


def batch_of(rows: Sequence[Payment]) -> DecisionBatch:
    """What the product is told of some decisions."""
    names = dict.fromkeys(name for row in rows for name in row.context)
    columns: dict[str, Column] = {}
    for name in names:
        values = [row.context.get(name) for row in rows]
        known = CONTEXT_BY_NAME.get(name)
        if known is not None and known.kind is Kind.CATEGORY:
            columns[name] = Categorical.from_values(values)
        else:
            columns[name] = np.array([np.nan if v is None else v for v in values], np.float64)
    flat = [(row, route, delay) for row in rows for route, delay in row.actions]
    routes = Categorical.from_values(route for _, route, _ in flat)
    counts = [
        np.nan if row.counts is None or route == "stop" else row.counts[route]
        for row, route, _ in flat
    ]
    return DecisionBatch(
        decision_id=pa.array([f"d{number}" for number in range(len(rows))]),
        payment_id=pa.array([row.payment_id for row in rows]),
        attempt=np.array([row.attempt for row in rows], np.int32),
        decided_at=np.array([row.decided_at.replace(tzinfo=None) for row in rows], "M8[us]"),
        context=columns,
        routes=routes.categories,
        action_route=routes.codes,
        action_delay_s=np.array([delay for _, _, delay in flat], np.int64),
        offsets=np.cumsum([0, *(len(row.actions) for row in rows)]).astype(np.int64),
        action_features={"attempts_this_month": np.array(counts, np.float64)},
    )


def merchants(number: int, seed: int = 7) -> list[dict[str, Any]]:
    """Random rules, as the file has them: the first has none."""
    return [{}, *(_merchant(random.Random(f"{seed}-{each}")) for each in range(1, number))]


def _merchant(rng: random.Random) -> dict[str, Any]:
    """Each kind of rule with one chance in three."""

    def unknown() -> dict[str, str]:
        return {"unknown": "keep"} if rng.random() < 0.5 else {}

    rules: dict[str, Any] = {"max_attempts": rng.choice((3, 15, 60, 60, 60))}
    if rng.random() < 0.33:
        rules["attempts"] = [{"most": rng.choice((1, 2, 5)), "within": rng.choice((HOUR, 7 * DAY))}]
    if rng.random() < 0.33:
        year = rng.choice((2020, 2023, 2025))
        down: dict[str, Any] = {"route": rng.choice(ROUTES)}
        if rng.random() < 0.7:
            down |= {"from": datetime(year, 3, 1), "until": datetime(year + 1, 9, 1, 12)}
        rules["down"] = [down]
    if rng.random() < 0.5:
        rules["routes"] = {
            "adyen": {"only": {"currencies": ["EUR"], "networks": ["visa", "amex"]}} | unknown(),
            "checkout": {"never": {"mccs": ["7995"]}} | unknown(),
            "braintree": {"amount_minor": {"EUR": {"least": 100, "most": 9_999}}} | unknown(),
        }
    if rng.random() < 0.33:
        hours = rng.choice(((22, 7), (0, 24), (9, 17)))
        quiet: dict[str, Any] = {"from": hours[0], "until": hours[1]}
        if rng.random() < 0.5:
            quiet |= {"days": [6, 7], "initiators": ["cit", "mit"]}
        rules["quiet_hours"] = [quiet | unknown()]
    if rng.random() < 0.33:
        caps: list[dict[str, Any]] = [{"most_minor": {"EUR": 25}}, {"most_share": 0.1}]
        cost = rng.choice([caps[0], caps[1], caps[0] | caps[1]])
        of = rng.choice(("approved", "declined", "dearer"))
        rules["cost"] = {"prices": "prices.toml", "of": of} | cost | unknown()
    if rng.random() < 0.33:
        rules["volume"] = [{"route": "adyen", "per": "month", "most": 5} | unknown()]
    if rng.random() < 0.33:
        promise = {"route": "checkout", "per": "month", "least": 100, "reserve": 0.5}
        rules["volume"] = [*rules.get("volume", []), promise]
    return rules


def loaded(merchant: dict[str, Any], folder: Path) -> Rules:
    """Rules as a merchant brings them: a file beside its price list."""
    prices = ['currency = "EUR"']
    for route, (fixed, bps) in PRICES.items():
        prices += ["[[fees]]", f'route = "{route}"', f"each = {{ fixed = {fixed} }}"]
        prices += [f"approved = {{ bps = {bps} }}"]
    (folder / "prices.toml").write_text("\n".join(prices))
    path = folder / "rules.toml"
    path.write_text("\n".join(f"{key} = {_toml(value)}" for key, value in merchant.items()))
    return load_rules(merchant=load_merchant_rules(path))


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    return f'"{value}"' if isinstance(value, str) else str(value)
