"""Every code of the tables means what it is to mean; what the tables lack is treated with care."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.rules import DEFAULT_RULES, Category, Permission, Rules, load_rules
from authopt.rules.codes import (
    PERMISSION_OF,
    CodeFacts,
    advice_permission,
    code_facts,
    known_codes,
    response_category,
)
from authopt.rules.dated import dated
from authopt.rules.rule_set import NetworkRules
from authopt.rules.table_rows import NETWORKS
from authopt.rules.tables import (
    ADVICE_CODES,
    CATEGORIES,
    PERMISSIONS,
    RESPONSE_CODES,
    read_response_codes,
    response_table,
)
from tests.authopt.rules.expected_codes import ADVICE, RESPONSES, WAITS
from tests.authopt.rules.one_decision import decision, decisions
from tests.authopt.rules.without_a_line import not_missed

NEWEST = DEFAULT_RULES.networks.newest


def response(network: str, code: str, rules: NetworkRules = NEWEST) -> CodeFacts:
    (facts,) = code_facts(network, code, None, rules)
    return facts


def advice(network: str, code: str, rules: NetworkRules = NEWEST) -> CodeFacts:
    (facts,) = code_facts(network, None, code, rules)
    return facts


def expected_responses() -> set[tuple[str, str, str, str]]:
    return {
        (network, since, code, category)
        for (networks, since), by_category in RESPONSES.items()
        for network in networks.split()
        for category, codes in by_category.items()
        for code in codes.split()
    }


def found_responses(path: Path) -> set[tuple[str, str, str, str]]:
    """Every line that holds on some day, by each network that it is for."""
    file = read_response_codes(path)
    found = set()
    for table in dated(file.days, partial(response_table, file)).values:
        for place, network in enumerate((*NETWORKS, "*")):
            for code, row in zip((*table.codes, ""), table.row[place].tolist(), strict=True):
                line = table.rows[row]
                if row >= 0 and network in line.networks():
                    since, category = line.value("effective_from"), line.value("category")
                    found.add((network, since, code, category))
    return found


def expected_advice() -> set[tuple[str, str, str, int]]:
    return {
        (network, code, permission, WAITS.get(code, 0))
        for network in ("mastercard", "maestro")
        for permission, codes in ADVICE.items()
        for code in codes.split()
    }


def found_advice(rules: Rules) -> set[tuple[str, str, str, int]]:
    return {
        (network, facts.code, str(facts.permission), facts.wait_s)
        for network in ("mastercard", "maestro")
        for facts in known_codes(network, rules.networks.newest)
        if facts.kind == "advice_code"
    }


def test_every_response_code_has_the_category_written_out_by_hand() -> None:
    assert found_responses(RESPONSE_CODES) == expected_responses()


def test_every_advice_code_has_the_permission_and_the_wait_written_out_by_hand() -> None:
    assert found_advice(DEFAULT_RULES) == expected_advice()


def test_no_line_of_the_response_codes_can_go_missing_unseen(tmp_path: Path) -> None:
    expected = expected_responses()

    def as_expected(path: Path) -> bool:
        return found_responses(path) == expected

    assert not not_missed(RESPONSE_CODES, tmp_path, as_expected)


def test_no_line_of_the_advice_codes_can_go_missing_unseen(tmp_path: Path) -> None:
    def as_expected(path: Path) -> bool:
        return found_advice(load_rules(advice_codes=path)) == expected_advice()

    assert not not_missed(ADVICE_CODES, tmp_path, as_expected)


def test_every_line_of_the_tables_names_its_source() -> None:
    for network in ("visa", "mastercard", "amex", "jcb", "*"):
        assert all(facts.source and facts.meaning for facts in known_codes(network, NEWEST))


@pytest.mark.parametrize(
    ("category", "permission"),
    [
        (Category.NEVER, Permission.NEVER),
        (Category.NOT_NOW, Permission.LATER),
        (Category.DATA_QUALITY, Permission.WITH_NEW_DATA),
        (Category.GENERIC, Permission.LATER),
    ],
)
def test_a_category_says_what_it_permits(category: Category, permission: Permission) -> None:
    assert PERMISSION_OF[category] is permission


def test_the_facts_of_a_code_are_those_of_its_line() -> None:
    facts = response("visa", "41")
    assert facts.known
    assert (facts.meaning, facts.line_for) == ("lost card", "visa")
    assert (facts.category, facts.permission) == (Category.NEVER, Permission.NEVER)
    assert facts.source.startswith("support.cardpointe.com")
    wait = advice("mastercard", "25")
    assert (wait.permission, wait.wait_s, wait.category) == (Permission.LATER, 86_400, None)


def test_the_response_codes_facts_come_before_the_advice_codes() -> None:
    kinds = [facts.kind for facts in code_facts("mastercard", "51", "24", NEWEST)]
    assert kinds == ["response_code", "advice_code"]
    assert not code_facts("visa", None, None, NEWEST)


def test_a_code_may_lack_its_zero_or_carry_blanks() -> None:
    assert response("visa", " 4").code == "04"
    assert advice("mastercard", "3").permission is Permission.NEVER


@pytest.mark.parametrize(
    ("day", "category"),
    [
        (date(2021, 4, 16), Category.NEVER),
        (date(2021, 4, 17), Category.NOT_NOW),
    ],
)
def test_a_code_that_changed_its_category_has_the_one_of_the_day(
    day: date, category: Category
) -> None:
    for code in ("03", "62", "78", "93"):
        assert response("visa", code, DEFAULT_RULES.networks.on(day)).category is category


def test_a_response_code_that_the_tables_lack_counts_as_a_generic_decline() -> None:
    facts = response("visa", "zz")
    assert (facts.known, facts.code, facts.category) == (False, "ZZ", Category.GENERIC)
    assert facts.permission is Permission.LATER
    assert "not in the tables" in facts.meaning


def test_an_advice_code_that_the_tables_lack_forbids_where_a_network_gives_advice() -> None:
    facts = advice("mastercard", "77")
    assert (facts.known, facts.permission) == (False, Permission.NEVER)
    assert "until the table of advice codes has a row for it" in facts.meaning
    assert advice("visa", "77").permission is Permission.LATER
    assert advice("*", "77").meaning == "means nothing on this network"


def test_a_network_without_codes_of_its_own_has_those_for_all() -> None:
    assert response("jcb", "41").line_for == "*"
    assert response("*", "41").category is Category.NEVER


def test_a_network_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UserError, match="network 'viza'; expected one of: visa"):
        response("viza", "05")
    with pytest.raises(UserError, match="network 'viza'"):
        list(known_codes("viza", NEWEST))


def test_categories_and_permissions_of_a_batch_are_those_of_its_networks() -> None:
    contexts = [
        {"network": "visa", "previous_response_code": "57"},
        {"network": "amex", "previous_response_code": "57"},
        {"network": "mastercard", "previous_response_code": "odd", "previous_advice_code": "24"},
        {"network": "visa", "previous_advice_code": "24"},
    ]
    batch = decisions(contexts, [2] * 4, [[("adyen", 0)]] * 4)
    never, generic = CATEGORIES.index(Category.NEVER), CATEGORIES.index(Category.GENERIC)
    assert response_category(batch).tolist() == [never, generic, -1, -1]
    later = PERMISSIONS.index(Permission.LATER)
    assert advice_permission(batch).tolist() == [-1, -1, later, -1]
    assert response_category(decision()).tolist() == [-1]
