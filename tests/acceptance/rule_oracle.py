"""The rules once more, in plain Python and row by row, from what the processors publish.

Nothing here reads the product's tables or masks. Every check exists twice: ``broken`` says that an
attempt breaks a rule given the payment's whole history, which no context tells; ``may_be_broken``
says that it breaks one in some history that fits what the context does tell. A sound mask allows
nothing that is ``broken``; one that is not needlessly strict removes only what ``may_be_broken``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from authopt.hashing import hash_text

HOUR, DAY = 3_600, 86_400
MASTERCARD = ("mastercard", "maestro")

# support.forte.net, support.cardpointe.com, developers.getevolved.com, retries.com,
# developer.cybersource.com; the day from which on a code of Visa is in another category.
NEVER_ANYWHERE = {"04", "07", "14", "41", "43", "46", "62", "R0", "R1", "R3"}
NEVER_VISA = {"04", "07", "12", "15", "41", "43", "46", "57", "R0", "R1", "R3"}
NEVER_MASTERCARD = {
    "03",
    "04",
    "07",
    "12",
    "13",
    "14",
    "15",
    "41",
    "43",
    "46",
    "57",
    "62",
    "63",
    "R0",
    "R1",
    "R3",
}
OTHER_DATA_ANYWHERE = {"54", "55", "70", "1A", "6P", "N7"}
OTHER_DATA_VISA = {"54", "55", "70", "82", "1A", "6P", "N7"}
OTHER_DATA_MASTERCARD = {"54", "55", "1A", "6P", "N7"}
VISA_CHANGED = date(2021, 4, 17)
NEVER_VISA_BEFORE = {"03", "62", "78", "93"}
HARMLESS = {"05", "51", "91", "61", "65", "79", "83", "59", "96", "ZZ", "94"}
RESPONSE_CODES = sorted(
    NEVER_ANYWHERE | NEVER_VISA | NEVER_MASTERCARD | OTHER_DATA_VISA | NEVER_VISA_BEFORE | HARMLESS
)

NEVER_ADVISED = {"03", "05", "21", "22", "42", "99"}
WAIT = {"24": HOUR, "25": DAY} | {
    code: days * DAY for code, days in (("26", 2), ("27", 4), ("28", 6), ("29", 8), ("30", 10))
}
KNOWN_ADVICE = NEVER_ADVISED | set(WAIT) | {"01", "02", "04", "40", "41", "43"}
ADVICE_CODES = sorted(KNOWN_ADVICE | {"77"})

PRICES = {"adyen": (10, 60), "braintree": (30, 190), "checkout": (8, 0)}
"""Of each route: minor units of every attempt, and basis points of an approved one; EUR."""


@dataclass(frozen=True)
class Payment:
    """One decision and the whole truth about it.

    Attributes
    ----------
    context
        what the decision is told, by column; nothing else is known to the product.
    decided_at
        UTC.
    own_ages, other_ages
        seconds since each earlier attempt of the payment, and of other payments with the card.
    actions
        route and delay.
    counts
        attempts by each route this month, or None where nobody counted.
    payment_id
        of the payment.
    """

    context: dict[str, Any]
    decided_at: datetime
    own_ages: tuple[int, ...]
    other_ages: tuple[int, ...]
    actions: tuple[tuple[str, int], ...]
    counts: dict[str, float] | None = None
    payment_id: str = "p"

    @property
    def attempt(self) -> int:
        """Its number."""
        return len(self.own_ages) + 1


@dataclass(frozen=True)
class Verdict:
    """What is wrong with an action; empty where nothing is."""

    broken: list[str] = field(default_factory=list)
    may_be_broken: list[str] = field(default_factory=list)

    def add(self, what: str, broken: bool, may_be: bool | None = None) -> None:
        if broken:
            self.broken.append(what)
        if broken or may_be:
            self.may_be_broken.append(what)


def judge(payment: Payment, merchant: dict[str, Any]) -> list[Verdict]:
    """The verdict of every action; of ``stop`` nothing is ever wrong."""
    verdicts = []
    for route, delay in payment.actions:
        verdict = Verdict()
        if route != "stop":
            _network(payment, delay, verdict)
            _merchant(payment, route, delay, merchant, verdict)
        verdicts.append(verdict)
    _promise(payment, merchant, verdicts)
    return verdicts


def _network(payment: Payment, delay: int, verdict: Verdict) -> None:
    day = (payment.decided_at + timedelta(seconds=delay)).date()
    for most, window, counter in _limits(payment.context, day):
        _limit(payment, delay, most, window, counter, verdict)
    if payment.attempt > 1:
        _codes(payment, delay, day, verdict)


def _limits(context: dict[str, Any], day: date) -> list[tuple[int, int, str]]:
    """Attempts in a window, and the column that counts those of the card."""
    month, short = "card_attempts_30d", "card_declines_24h"
    network, country = context.get("network"), context.get("merchant_country")
    if network == "visa":
        return [(21 if day >= date(2025, 5, 19) else 16, 30 * DAY, month)]
    if network in MASTERCARD:
        a_day = 10
        if country in ("US", "CA") and date(2019, 10, 14) <= day < date(2022, 10, 1):
            a_day = 20
        if country == "BR" and day >= date(2023, 2, 1):
            a_day = 7
        return [(a_day, DAY, short), (35, 30 * DAY, month)]
    return [(15, 30 * DAY, month)]


def _limit(
    payment: Payment, delay: int, most: int, window: int, counter: str, verdict: Verdict
) -> None:
    told = payment.context.get(counter)
    ages = payment.own_ages if told is None else payment.own_ages + payment.other_ages
    truly = sum(age + delay < window for age in ages) + 1
    worst = _most_in_window(payment, delay, window) + 1
    if told is not None and delay <= window:
        worst = max(worst, told + 1)
    verdict.add(f"more than {most} in {window} s", truly > most, worst > most)


def _most_in_window(payment: Payment, delay: int, window: int) -> int:
    """Earlier attempts that may lie in the window, for all that the context tells."""
    earlier = payment.attempt - 1
    first = payment.context.get("seconds_since_first_attempt") or 0
    last = payment.context.get("seconds_since_last_attempt") or 0
    if first + delay <= window:
        return earlier
    return max(earlier - 1, 0) if last + delay <= window else 0


def _codes(payment: Payment, delay: int, day: date, verdict: Verdict) -> None:
    context = payment.context
    network = context.get("network")
    code = (context.get("previous_response_code") or "").strip().upper()
    code = f"0{code}" if len(code) == 1 else code
    updated = context.get("x_data_updated") is True
    never, other_data = NEVER_ANYWHERE, OTHER_DATA_ANYWHERE
    if network == "visa" and day >= VISA_CHANGED:
        never, other_data = NEVER_VISA | {"14"}, OTHER_DATA_VISA
    elif network == "visa":
        never, other_data = NEVER_VISA | NEVER_VISA_BEFORE, OTHER_DATA_VISA | {"14"}
    elif network in MASTERCARD:
        never, other_data = NEVER_MASTERCARD, OTHER_DATA_MASTERCARD
    verdict.add(f"never after {code}", code in never)
    verdict.add(f"other data after {code}", code in other_data and not updated)
    advice = (context.get("previous_advice_code") or "").strip().upper()
    advice = f"0{advice}" if len(advice) == 1 else advice
    if network not in MASTERCARD or not advice:
        return
    verdict.add(f"never after advice {advice}", advice in NEVER_ADVISED)
    verdict.add(f"unknown advice {advice}", advice not in KNOWN_ADVICE)
    verdict.add("other data after advice 01", advice == "01" and not updated)
    token = context.get("token")
    verdict.add(
        "a token after advice 04",
        advice == "04" and token is True,
        advice == "04" and token is None,
    )
    mit = context.get("initiator") == "mit"
    verdict.add(f"a recurring payment after advice {advice}", advice in ("40", "41") and mit)
    waited = payment.own_ages[-1] + delay
    told = (context.get("seconds_since_last_attempt") or 0) + delay
    wait = WAIT.get(advice, 0)
    verdict.add(f"too early after advice {advice}", waited < wait, told < wait)


def _merchant(
    payment: Payment, route: str, delay: int, merchant: dict[str, Any], verdict: Verdict
) -> None:
    context = payment.context
    at = payment.decided_at + timedelta(seconds=delay)
    verdict.add("max_attempts", payment.attempt > merchant.get("max_attempts", 15))
    for each in merchant.get("attempts", []):
        truly = sum(age + delay < each["within"] for age in payment.own_ages) + 1
        worst = _most_in_window(payment, delay, each["within"]) + 1
        verdict.add("attempts", truly > each["most"], worst > each["most"])
    left = context.get("seconds_to_deadline")
    verdict.add("deadline", left is not None and delay > left)
    for each in merchant.get("down", []):
        start, end = each.get("from", datetime.min), each.get("until", datetime.max)
        start, end = (moment.replace(tzinfo=UTC) for moment in (start, end))
        verdict.add("down", each["route"] == route and start <= at < end)
    _conditions(context, merchant.get("routes", {}).get(route, {}), verdict)
    for each in merchant.get("quiet_hours", []):
        _quiet(payment, delay, each, verdict)
    if "cost" in merchant:
        _cost(context, route, merchant["cost"], verdict)
    for each in merchant.get("volume", []):
        if each["route"] == route and "most" in each and _this_month(payment, delay):
            count = None if payment.counts is None else payment.counts[route]
            lacking = count is None and each.get("unknown") != "keep"
            verdict.add("cap", lacking or (count is not None and count >= each["most"]))


def _conditions(context: dict[str, Any], route: dict[str, Any], verdict: Verdict) -> None:
    remove = route.get("unknown") != "keep"
    columns = {"currencies": "currency", "networks": "network", "mccs": "mcc"}
    for word in ("only", "never"):
        for key, values in route.get(word, {}).items():
            value = context.get(columns[key])
            wrong = value not in values if word == "only" else value in values
            verdict.add(f"{word} {key}", remove if value is None else wrong)
    for currency, bounds in route.get("amount_minor", {}).items():
        amount, paid_in = context.get("amount_minor"), context.get("currency")
        if paid_in is None or (paid_in == currency and amount is None):
            verdict.add("amount", remove)
        elif paid_in == currency:
            inside = bounds.get("least", 0) <= amount <= bounds.get("most", amount)
            verdict.add("amount", not inside)


def _quiet(payment: Payment, delay: int, rule: dict[str, Any], verdict: Verdict) -> None:
    context = payment.context
    initiator, hour = context.get("initiator"), context.get("local_hour")
    day = context.get("local_day")
    clock = None
    if hour is not None:
        now = payment.decided_at.replace(hour=hour)
        moved = now + timedelta(seconds=delay)
        days_on = (moved.date() - now.date()).days
        clock = moved.hour
        day = None if day is None else (day - 1 + days_on) % 7 + 1
    elif day is not None:
        day = None
    facts: list[bool | None] = [
        None if initiator is None else initiator in rule.get("initiators", ["mit"]),
        None if clock is None else _in_hours(clock, rule["from"], rule["until"]),
    ]
    if rule.get("days"):
        facts.append(None if day is None else day in rule["days"])
    surely = all(fact is True for fact in facts)
    perhaps = all(fact is not False for fact in facts) and rule.get("unknown") != "keep"
    verdict.add("quiet hours", surely or perhaps)


def _in_hours(hour: int, start: int, end: int) -> bool:
    return start <= hour < end if start < end else hour >= start or hour < end


def _cost(context: dict[str, Any], route: str, rule: dict[str, Any], verdict: Verdict) -> None:
    remove = rule.get("unknown") != "keep"
    amount, currency = context.get("amount_minor"), context.get("currency")
    fee = None
    fixed, bps = PRICES[route]
    # There are no rates of exchange: what is charged in EUR has no price in another currency.
    if currency == "EUR" and (amount is not None or bps == 0 or rule["of"] == "declined"):
        fee = fixed + (round(amount * bps / 10_000) if bps and rule["of"] != "declined" else 0)
    caps: list[float | None] = []
    if "most_minor" in rule:
        if currency is None:
            caps.append(None)
        elif currency in rule["most_minor"]:
            caps.append(rule["most_minor"][currency])
    if "most_share" in rule:
        caps.append(None if amount is None else amount * rule["most_share"])
    known = [cap for cap in caps if cap is not None]
    dear = fee is not None and any(fee > cap for cap in known)
    lacking = len(known) < len(caps) or (fee is None and bool(known))
    verdict.add("cost", dear or (lacking and remove))


def _promise(payment: Payment, merchant: dict[str, Any], verdicts: list[Verdict]) -> None:
    """A payment that is reserved for a route takes no other, as far as the route may be taken."""
    if payment.attempt > 1 or payment.counts is None:
        return
    passed = _part_of_month(payment.decided_at)
    for each in merchant.get("volume", []):
        route = each["route"]
        if "least" not in each or payment.counts[route] >= each["least"] * passed:
            continue
        if _drawn(payment.payment_id, route) >= each["reserve"]:
            continue
        fits = [name == route and _this_month(payment, delay) for name, delay in payment.actions]
        pairs = list(zip(fits, verdicts, strict=True))
        surely = any(fit and not verdict.may_be_broken for fit, verdict in pairs)
        perhaps = any(fit and not verdict.broken for fit, verdict in pairs)
        for (name, _), (fit, verdict) in zip(payment.actions, pairs, strict=True):
            if name != "stop" and not fit:
                verdict.add("reserved", surely, perhaps)


def _drawn(payment_id: str, route: str) -> float:
    """The hash that reserves: of the payment's id, mixed with that of a text about the route."""
    value = _mixed(hash_text(payment_id) ^ _mixed(hash_text(f"volume promise of {route}")))
    return (value >> 11) * 2.0**-53


def _mixed(value: int) -> int:
    """The finalizer of MurmurHash3 (Appleby, fmix64)."""
    mask = 2**64 - 1
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & mask
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & mask
    return value ^ value >> 33


def _this_month(payment: Payment, delay: int) -> bool:
    at = payment.decided_at + timedelta(seconds=delay)
    return (at.year, at.month) == (payment.decided_at.year, payment.decided_at.month)


def _part_of_month(moment: datetime) -> float:
    start = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=32)).replace(day=1)
    return (moment - start) / (end - start)
