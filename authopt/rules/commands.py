"""``authopt rules``: what may be done with a payment and why, what codes mean, a file checked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authopt.errors import UserError
from authopt.payments import Initiator, Network
from authopt.terminal import console, existing_file, json_option, notes, print_json

if TYPE_CHECKING:
    from authopt.batch import DecisionBatch
    from authopt.rules.one_payment import Value

ANY_ROUTE = "any"
NO_ADVICE = (
    "The tables of the networks' rules are a starting point from public pages, not legal advice."
)


@click.group()
def rules() -> None:
    """Say what the networks and the merchant allow, and why not.

    The networks' rules come from tables with a source in every row; the merchant's own from a TOML
    file. They are a starting point, not legal advice.
    """


@rules.command("explain")
@click.option(
    "--network", type=click.Choice([each.value for each in Network]), help="Card network."
)
@click.option("--response-code", metavar="CODE", help="Of the previous attempt, such as 51.")
@click.option("--advice-code", metavar="CODE", help="Of the previous attempt, such as 03.")
@click.option(
    "--attempt",
    type=click.IntRange(1),
    help="Number of the attempt to be decided. By default 2 where something is said of an earlier "
    "one, else 1.",
)
@click.option(
    "--initiator",
    type=click.Choice([each.value for each in Initiator]),
    help="Who starts the payment.",
)
@click.option("--token/--no-token", default=None, help="Whether a network token is used.")
@click.option("--amount", metavar="N", help="In whole units of the currency, such as 49.90.")
@click.option("--currency", metavar="CODE", help="Such as EUR.")
@click.option("--since-first", metavar="TIME", help="Since the first attempt, such as 2d.")
@click.option("--since-last", metavar="TIME", help="Since the last attempt, such as 1h.")
@click.option("--deadline", metavar="TIME", help="Until the payment is of no more use.")
@click.option(
    "--set",
    "others",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Any other column of the context, such as issuer_country=DE or x_data_updated=true; "
    "repeatable.",
)
@click.option(
    "--routes",
    metavar="A,B,C",
    help="Routes that are offered. By default those that --rules names.",
)
@click.option(
    "--delays",
    metavar="T,T",
    help="Delays after which each may be used.  [default: 0,1h,1d]",
)
@click.option("--rules", "file", type=existing_file, metavar="FILE.toml", help="Your own rules.")
@click.option("--at", "moment", metavar="TIME", help="When it is decided (UTC unless it says so).")
@click.option(
    "--json-file",
    type=existing_file,
    metavar="FILE",
    help="Take the payment from a request as POST /v1/decisions has it.",
)
@click.option("--log", type=existing_file, help="Take the payment from this attempt log.")
@click.option("--decision", metavar="ID", help="Which decision of the log.")
@json_option
def explain_command(
    file: Path | None,
    routes: str | None,
    delays: str | None,
    json_file: Path | None,
    log: Path | None,
    decision: str | None,
    as_json: bool,
    **payment: Any,
) -> None:
    """Show which actions are allowed for one payment, and why not.

    For an action that is removed: the reason, when its route becomes allowed if it ever does, and
    what the network would charge if the attempt were sent nonetheless.

    \b
    Examples:
      authopt rules explain --network visa --response-code 51 --since-first 2d
      authopt rules explain --network mastercard --advice-code 26 --since-last 1h --delays 0,1d,2d
      authopt rules explain --json-file request.json --rules merchant.toml --routes adyen,checkout
      authopt rules explain --log log.parquet --decision d17 --json
    """
    from authopt.rules.explain import explain
    from authopt.rules.explain_table import print_explanation
    from authopt.rules.merchant import MerchantRules
    from authopt.rules.merchant_file import check_routes, load_merchant_rules
    from authopt.rules.rule_set import load_rules

    _check_source(payment, json_file, log, decision)
    merchant = MerchantRules() if file is None else load_merchant_rules(file)
    named = _names(routes)
    batch = _batch(payment, json_file, log, decision, named or merchant.routes, named, delays)
    if file is not None and named:
        check_routes(merchant, named, str(file))
    loaded = load_rules(merchant=merchant)
    explained = explain(batch, loaded)
    if as_json:
        print_json(explained)
        return
    print_explanation(explained, batch, console())
    notes().print(NO_ADVICE, style="dim")


@rules.command("codes")
@click.argument("code", required=False)
@click.option(
    "--network", type=click.Choice([each.value for each in Network]), help="Of this network only."
)
@click.option(
    "--on",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The tables as they hold on this day. By default the newest.",
)
@json_option
def codes_command(
    code: str | None, network: str | None, day: datetime | None, as_json: bool
) -> None:
    """Say what response and advice codes mean: all of them, or CODE.

    Each with its category, what it permits, the least wait, and the page that says so.

    \b
    Examples:
      authopt rules codes 51
      authopt rules codes 03 --network mastercard
      authopt rules codes --network visa
    """
    from authopt.rules.codes_table import facts_of, print_facts
    from authopt.rules.rule_set import DEFAULT_RULES

    networks = DEFAULT_RULES.networks
    tables = networks.newest if day is None else networks.on(date(day.year, day.month, day.day))
    facts = facts_of(tables, code, network)
    if as_json:
        print_json(facts)
        return
    print_facts(facts, console())
    notes().print(NO_ADVICE, style="dim")


@rules.command("check")
@click.argument("file", type=existing_file)
@click.option("--routes", metavar="A,B,C", help="Your routes, to find names that are none of them.")
@json_option
def check_command(file: Path, routes: str | None, as_json: bool) -> None:
    """Check a FILE of merchant rules, and say what they do.

    \b
    Examples:
      authopt rules check merchant.toml
      authopt rules check merchant.toml --routes adyen,braintree,checkout
    """
    from authopt.rules.explain_table import print_sentences
    from authopt.rules.merchant_file import check_routes, load_merchant_rules

    merchant = load_merchant_rules(file)
    named = _names(routes)
    if named:
        check_routes(merchant, named, str(file))
    if as_json:
        print_json({"file": file, "routes": merchant.routes, "rules": merchant.sentences})
        return
    print_sentences(str(file), merchant, console())


def _check_source(
    payment: dict[str, Any], json_file: Path | None, log: Path | None, decision: str | None
) -> None:
    """Refuse two sources of one payment."""
    if (log is None) != (decision is None):
        raise UserError("--log and --decision go together: which decision of which log")
    sources = [name for name, given in (("--json-file", json_file), ("--log", log)) if given]
    options = {"moment": "--at", "others": "--set"}
    told = [
        options.get(name, f"--{name.replace('_', '-')}")
        for name, value in payment.items()
        if value is not None and value != ()
    ]
    if len(sources) > 1 or (sources and told):
        raise UserError(f"{' and '.join([*sources, *told])} both say the payment; keep one of them")


def _batch(
    payment: dict[str, Any],
    json_file: Path | None,
    log: Path | None,
    decision: str | None,
    routes: Sequence[str],
    named: Sequence[str],
    delays: str | None,
) -> DecisionBatch:
    from authopt.rules.one_payment import (
        from_log,
        from_request,
        offered,
        one_decision,
        with_actions,
    )

    actions = offered(routes or [ANY_ROUTE], _seconds("--delays", delays or "0,1h,1d"))
    if log is not None and decision is not None:
        batch = from_log(log, decision)
        return with_actions(batch, actions) if named or delays else batch
    if json_file is not None:
        return from_request(json_file, actions)
    context = _context(payment)
    earlier = {"previous_response_code", "previous_advice_code"} | {
        "seconds_since_first_attempt",
        "seconds_since_last_attempt",
    }
    attempt = payment["attempt"] or (2 if earlier & set(context) else 1)
    return one_decision(context, actions, attempt, _moment(payment["moment"]))


def _context(payment: dict[str, Any]) -> dict[str, Value]:
    """The columns that the options tell."""
    from authopt.rules.one_payment import minor_units, read_value

    told = {
        "network": payment["network"],
        "initiator": payment["initiator"],
        "previous_response_code": payment["response_code"],
        "previous_advice_code": payment["advice_code"],
        "token": payment["token"],
        "currency": payment["currency"],
        "seconds_since_first_attempt": _length("--since-first", payment["since_first"]),
        "seconds_since_last_attempt": _length("--since-last", payment["since_last"]),
        "seconds_to_deadline": _length("--deadline", payment["deadline"]),
    }
    context: dict[str, Value] = {name: value for name, value in told.items() if value is not None}
    if payment["amount"] is not None:
        if payment["currency"] is None:
            raise UserError("--amount needs --currency")
        try:
            amount = Decimal(payment["amount"])
        except InvalidOperation:
            raise UserError(
                f"--amount: {payment['amount']!r}; expected a number such as 49.90"
            ) from None
        context["amount_minor"] = minor_units(amount, payment["currency"])
    for text in payment["others"]:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--set {text}: expected COLUMN=VALUE, such as issuer_country=DE")
        if name in context:
            raise UserError(f"--set {text}: {name} is given twice")
        context[name] = read_value(name, value)
    return context


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _length(option: str, text: str | None) -> int | None:
    return None if text is None else _seconds(option, text)[0]


def _seconds(option: str, text: str) -> list[int]:
    from authopt.rules.durations import EXPECTED, seconds_of

    found = []
    for piece in text.split(","):
        seconds = seconds_of(piece)
        if seconds is None:
            raise UserError(f"{option}: {piece.strip()!r} is no length of time; {EXPECTED}")
        found.append(seconds)
    return found


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"--at: {text!r} is no time; expected such as 2026-03-01T12:00:00Z"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
