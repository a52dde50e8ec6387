"""The raw codes of providers stand for the network's codes written out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.payments import Network
from authopt.rules import DEFAULT_RULES
from authopt.rules.codes import code_facts
from authopt.rules.psp_codes import GENERIC, PspCode, psp_file, psp_names, read_psp_codes
from authopt.rules.tables import Category
from tests.authopt.rules.expected_codes import ADYEN, CHECKOUT, CHECKOUT_OTHERS, STRIPE
from tests.authopt.rules.without_a_line import not_missed

HEADER = "code,alias,meaning,response_code,advice_code,source,note\n"

ADVICE = {"do_not_try_again": "03", "new_account_information_available": "01"}


def expected(psp: str) -> dict[str, PspCode]:
    if psp == "stripe":
        return {
            code: PspCode(response, ADVICE.get(code))
            for response, codes in STRIPE.items()
            for code in codes.split()
        }
    if psp == "checkout":
        return {
            code.lower(): PspCode(CHECKOUT_OTHERS.get(code, code[-2:]), None)
            for code in CHECKOUT.split()
        }
    return {
        name.lower(): PspCode(response, None)
        for response, entries in ADYEN.items()
        for entry in entries.split("; ")
        for name in entry.split(" ", 1)
    }


PSPS = ("adyen", "checkout", "stripe")


@pytest.mark.parametrize("psp", PSPS)
def test_every_raw_code_stands_for_the_code_written_out_by_hand(psp: str) -> None:
    assert read_psp_codes(psp_file(psp)).codes == expected(psp)


@pytest.mark.parametrize("psp", PSPS)
def test_no_line_of_a_providers_table_can_go_missing_unseen(psp: str, tmp_path: Path) -> None:
    def as_expected(path: Path) -> bool:
        return read_psp_codes(path).codes == expected(psp)

    assert not not_missed(psp_file(psp), tmp_path, as_expected)


@pytest.mark.parametrize("psp", PSPS)
def test_every_raw_code_becomes_one_that_the_rules_know_on_every_network(psp: str) -> None:
    newest = DEFAULT_RULES.networks.newest
    for code in read_psp_codes(psp_file(psp)).codes.values():
        for network in Network:
            assert all(
                facts.known for facts in code_facts(network, code.response_code, None, newest)
            )


def test_what_an_unknown_code_becomes_is_generic_on_every_network() -> None:
    for network in (*Network, "*"):
        (facts,) = code_facts(network, GENERIC, None, DEFAULT_RULES.networks.newest)
        assert (facts.known, facts.category) == (True, Category.GENERIC)


@pytest.mark.parametrize("raw", ["Insufficient_Funds", " insufficient_funds "])
def test_a_raw_code_may_be_written_large_or_with_blanks(raw: str) -> None:
    assert read_psp_codes(psp_file("stripe")).find(raw) == PspCode("51", None)


def test_a_text_of_adyen_is_as_good_as_its_number() -> None:
    table = read_psp_codes(psp_file("adyen"))
    assert table.find("Blocked Card") == table.find("5") == PspCode("62", None)
    assert table.find("no such reason") is None
    assert not table.has_advice
    assert read_psp_codes(psp_file("stripe")).has_advice


def test_the_shipped_tables_are_named_and_another_name_is_refused() -> None:
    assert psp_names() == PSPS
    with pytest.raises(UserError, match="no table of codes for 'strip'; did you mean 'stripe'"):
        psp_file("strip")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + ",,x,05,,us,\n", "line 2, column code: ''; expected a value"),
        (HEADER + "a,,x,,,us,\n", "line 2, column response_code: ''; expected a value"),
        (HEADER + "a,,x,05,,us,\nb,A,x,51,,us,\n", "line 3: 'a' stands in line 2 already"),
        ("code,meaning\n", "column.s. alias, response_code, advice_code, source, note missing"),
    ],
)
def test_a_bad_table_of_a_provider_is_refused_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_psp_codes(path)
