"""A merchant's rules in a TOML file: each key does what it says, each fault is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.rules import merchant_file
from authopt.rules.merchant import MerchantRules
from authopt.rules.merchant_file import check_routes, load_merchant_rules
from tests.authopt.rules.merchant_reasons_of import at, on_route, reasons_of
from tests.authopt.rules.one_decision import decision

EXAMPLE = Path(__file__).parents[3] / "data" / "rules" / "example.toml"
HOUR, DAY = 3_600, 86_400


def loaded(folder: Path, text: str) -> MerchantRules:
    path = folder / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return load_merchant_rules(path)


def first_reason(rules: MerchantRules, batch: object) -> str | None:
    return reasons_of(batch, rules)[0]


def adyen(attempt: int = 1, delay: int = 0, **context: object) -> object:
    return decision(attempt, (("adyen", delay), ("stop", 0)), **context)


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").texts == MerchantRules().texts


def test_each_kind_of_rule_can_be_written_and_holds(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(
        'currency = "EUR"\n[[fees]]\nroute = "adyen"\neach = { fixed = 10 }\n'
    )
    cases = [
        ("max_attempts = 2", adyen(3), "merchant's limit: 2 attempts"),
        ('[[attempts]]\nmost = 1\nwithin = "7d"', adyen(2), "merchant's limit: 1 attempt "),
        ("[[attempts]]\nmost = 1\nwithin = 60", adyen(2), "1 attempt of one payment in 1m"),
        ("", adyen(delay=60, seconds_to_deadline=5), "merchant's deadline"),
        ('[[down]]\nroute = "adyen"', adyen(), "route adyen is down"),
        (
            '[[down]]\nroute = "adyen"\nfrom = 2026-01-01T01:00:00+01:00',
            at(adyen(), "2026-01-01T00:00"),
            "route adyen is down from 2026-01-01 00:00 UTC",
        ),
        (
            '[routes.adyen]\nonly = { currencies = ["EUR"] }',
            adyen(currency="USD"),
            "route adyen: only for currency EUR",
        ),
        (
            '[routes.adyen]\nnever = { mccs = ["7995"] }',
            adyen(mcc="7995"),
            "route adyen: not for mcc 7995",
        ),
        (
            "[routes.adyen]\namount_minor.EUR = { most = 10 }",
            adyen(currency="EUR", amount_minor=11),
            "route adyen: only for amounts of at most 0.10 EUR",
        ),
        (
            "[[quiet_hours]]\nfrom = 22\nuntil = 7",
            adyen(local_hour=23, initiator="mit"),
            "merchant's quiet hours: from 22:00 to 07:00",
        ),
        (
            '[cost]\nprices = "prices.toml"\nmost_minor = { EUR = 9 }',
            adyen(currency="EUR"),
            "merchant's cost cap: at most 0.09 EUR",
        ),
        (
            '[[volume]]\nroute = "adyen"\nper = "month"\nmost = 10',
            adyen(),
            "route adyen: capped at 10 attempts a month",
        ),
    ]
    for text, batch, reason in cases:
        found = first_reason(loaded(tmp_path, text), batch)
        assert found is not None, text
        assert found.startswith(reason) or reason in found, (text, found)


def test_a_promise_can_be_written(tmp_path: Path) -> None:
    text = '[[volume]]\nroute = "adyen"\nper = "day"\nleast_share = 0.25\nreserve = 0.1'
    (promise,) = loaded(tmp_path, text).promises
    assert promise.sentence == (
        "While adyen is behind its promise of 25.0% of the first attempts of a day, 10% of the "
        "payments send their first attempt there only."
    )


@pytest.mark.parametrize(
    "table",
    [
        '[routes.adyen]\nonly = { currencies = ["EUR"] }',
        "[routes.adyen]\namount_minor.EUR = { most = 10 }",
        '[[quiet_hours]]\nfrom = 22\nuntil = 7\ninitiators = ["cit", "mit"]',
        '[cost]\nprices = "prices.toml"\nmost_minor = { EUR = 9 }',
        '[[volume]]\nroute = "adyen"\nper = "month"\nmost = 10',
    ],
)
def test_unknown_values_forbid_unless_the_table_keeps_them(tmp_path: Path, table: str) -> None:
    (tmp_path / "prices.toml").write_text('currency = "EUR"\n[[fees]]\nroute = "zoop"\n')
    assert first_reason(loaded(tmp_path, table), adyen()) is not None
    assert first_reason(loaded(tmp_path, f"{table}\nunknown = 'keep'"), adyen()) is None


def test_a_file_of_any_order_is_applied_in_the_order_that_is_documented(tmp_path: Path) -> None:
    text = """
    [[volume]]
    route = "adyen"
    per = "month"
    most = 10
    [[quiet_hours]]
    from = 22
    until = 7
    [routes.adyen]
    only = { currencies = ["EUR"] }
    [[down]]
    route = "adyen"
    [[attempts]]
    most = 2
    within = "1d"
    """
    rules = loaded(tmp_path, text)
    contexts = [{}, {"currency": "EUR"}, {"currency": "EUR", "initiator": "cit"}]
    assert first_reason(rules, adyen(3)) == "merchant's limit: 2 attempts of one payment in 1d"
    assert first_reason(rules, adyen()) == "route adyen is down"
    without_down = loaded(tmp_path, text.replace('[[down]]\n    route = "adyen"', ""))
    words = ["only for currency", "quiet hours", "capped at"]
    for context, word in zip(contexts, words, strict=True):
        assert word in str(first_reason(without_down, adyen(**context)))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("max_attempts = 0", "key max_attempts: is 0"),
        ("max_attempt = 3", "unknown field `max_attempt`"),
        ("max_attempts = '3'", "at `$.max_attempts`"),
        ("[[attempts]]\nmost = 0\nwithin = '1d'", "key attempts[0].most: is 0"),
        ("[[attempts]]\nmost = 1\nwithin = '1 week'", "key attempts[0].within: is '1 week'"),
        ("[[attempts]]\nmost = 1\nwithin = 0", "key attempts[0].within: is 0"),
        ("[[attempts]]\nmost = 1", "required field `within`"),
        ("[[down]]\nroute = 'stop'", "key down[0].route: 'stop' is reserved"),
        ("[[down]]\nroute = ''", "key down[0].route: is empty"),
        (
            "[[down]]\nroute = 'a'\nfrom = 2026-01-01T00:00:00",
            "key down[0].from: is 2026-01-01T00:00:00 without a zone",
        ),
        (
            "[[down]]\nroute = 'a'\nfrom = 2026-01-02T00:00:00Z\nuntil = 2026-01-01T00:00:00Z",
            "key down[0].until: is 2026-01-01T00:00:00+00:00, not after from",
        ),
        ("[routes.a]\nonly = { currencies = [] }", "key routes.a.only.currencies: is empty"),
        ("[routes.a]\nonly = { currencies = ['EURO'] }", "routes.a.only.currencies: holds 'EURO'"),
        ("[routes.a]\nnever = { networks = ['vista'] }", "routes.a.never.networks: holds 'vista'"),
        ("[routes.a]\nonly = { fundings = ['gold'] }", "routes.a.only.fundings: holds 'gold'"),
        ("[routes.a]\nonly = { mccs = ['12'] }", "key routes.a.only.mccs: holds '12'"),
        ("[routes.a]\nonly = { issuer_countries = [' '] }", "issuer_countries: holds ' '"),
        ("[routes.stop]\nunknown = 'keep'", "key routes.stop: 'stop' is reserved"),
        ("[routes.a]\nunknown = 'maybe'", "at `$.routes[...].unknown`"),
        ("[routes.a]\namount_minor.EUR = {}", "key routes.a.amount_minor.EUR: has neither"),
        ("[routes.a]\namount_minor.EUR = { least = -1 }", "amount_minor.EUR.least: is -1"),
        ("[routes.a]\namount_minor.eur = { least = 1 }", "amount_minor.eur: holds 'eur'"),
        (
            "[routes.a]\namount_minor.EUR = { least = 9, most = 8 }",
            "key routes.a.amount_minor.EUR.most: is 8, below least (9)",
        ),
        ("[[quiet_hours]]\nfrom = 24\nuntil = 7", "key quiet_hours[0].from: is 24"),
        ("[[quiet_hours]]\nfrom = 22\nuntil = 25", "key quiet_hours[0].until: is 25"),
        ("[[quiet_hours]]\nfrom = 7\nuntil = 7", "key quiet_hours[0].until: is the same as from"),
        ("[[quiet_hours]]\nfrom = 1\nuntil = 2\ndays = [8]", "key quiet_hours[0].days: holds 8"),
        (
            "[[quiet_hours]]\nfrom = 1\nuntil = 2\ninitiators = ['me']",
            "key quiet_hours[0].initiators: holds 'me'",
        ),
        ("[cost]\nprices = 'p.toml'", "key cost: has neither most_minor nor most_share"),
        ("[cost]\nprices = 'p.toml'\nmost_share = 0.0", "key cost.most_share: is 0"),
        ("[cost]\nprices = 'p.toml'\nmost_minor = { EUR = -1 }", "cost.most_minor.EUR: is -1"),
        ("[cost]\nprices = 'p.toml'\nmost_minor = { X = 1 }", "cost.most_minor.X: holds 'X'"),
        ("[cost]\nprices = 'p.toml'\nmost_share = 0.1", "p.toml: cannot be read"),
        ("[[volume]]\nroute = 'a'\nper = 'week'\nmost = 1", "at `$.volume[0].per`"),
        ("[[volume]]\nroute = 'a'\nper = 'day'", "key volume[0]: gives none"),
        (
            "[[volume]]\nroute = 'a'\nper = 'day'\nmost = 1\nleast = 1",
            "key volume[0]: gives most and least",
        ),
        ("[[volume]]\nroute = 'a'\nper = 'day'\nmost = -1", "key volume[0].most: is -1"),
        ("[[volume]]\nroute = 'a'\nper = 'day'\nleast = 0", "key volume[0].least: is 0"),
        (
            "[[volume]]\nroute = 'a'\nper = 'day'\nleast_share = 1.5",
            "volume[0].least_share: is 1.5",
        ),
        (
            "[[volume]]\nroute = 'a'\nper = 'day'\nleast = 1\nreserve = 0.0",
            "key volume[0].reserve: is 0",
        ),
        ("nonsense", "not a TOML file"),
    ],
)
def test_a_fault_is_refused_with_the_file_and_the_key(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(UserError) as caught:
        loaded(tmp_path, text)
    assert str(tmp_path / "rules.toml") in str(caught.value) or "p.toml" in key
    assert key in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.toml: cannot be read"):
        load_merchant_rules(tmp_path / "nowhere.toml")


def test_a_route_that_the_merchant_does_not_have_is_a_mistake(tmp_path: Path) -> None:
    rules = loaded(tmp_path, '[[down]]\nroute = "adjen"')
    with pytest.raises(UserError, match=r"route 'adjen' is none of .*; did you mean 'adyen'"):
        check_routes(rules, ("adyen", "zoop"), "rules.toml")
    check_routes(loaded(tmp_path, '[[down]]\nroute = "zoop"'), ("adyen", "zoop"), "rules.toml")


EURO = {"currency": "EUR", "amount_minor": 5_000, "network": "visa", "mcc": "5732"}


@pytest.mark.parametrize(
    ("route", "context", "moment", "reason"),
    [
        ("adyen", EURO, "2026-02-01T12:00", None),
        ("adyen", EURO | {"currency": "USD"}, "2026-02-01T12:00", "only for currency EUR, GBP"),
        ("adyen", EURO | {"network": "amex"}, "2026-02-01T12:00", "only for network visa"),
        ("adyen", EURO | {"amount_minor": 99}, "2026-02-01T12:00", "at least 1.00 EUR"),
        ("braintree", EURO, "2026-03-01T02:00", "is down from 2026-03-01 02:00 UTC"),
        ("braintree", EURO, "2026-03-01T04:00", None),
        ("braintree", EURO | {"amount_minor": 149}, "2026-02-01T12:00", "merchant's cost cap"),
        ("braintree", EURO | {"amount_minor": 150}, "2026-02-01T12:00", None),
        ("checkout", EURO | {"mcc": "7995"}, "2026-02-01T12:00", "not for mcc 7995"),
        ("checkout", EURO, "2026-02-01T12:00", None),
        (
            "checkout",
            EURO | {"initiator": "mit", "local_hour": 23},
            "2026-02-01T12:00",
            "quiet hours",
        ),
    ],
)
def test_the_example_loads_and_does_what_it_says(
    route: str, context: dict[str, object], moment: str, reason: str | None
) -> None:
    rules = load_merchant_rules(EXAMPLE)
    found = first_reason(rules, at(on_route(route, **context), moment))
    assert found is None if reason is None else reason in str(found)


def test_the_documentation_names_every_key() -> None:
    written = EXAMPLE.with_name("README.md").read_text(encoding="utf-8")
    structs = [each for each in vars(merchant_file).values() if hasattr(each, "__struct_fields__")]
    keys = {key for each in structs for key in getattr(each, "__struct_encode_fields__", ())}
    assert {key for key in keys if key not in written} == set()
    assert len(keys) > 20
