"""``authopt rules``: what people and machines are told, and what a mistake says."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from authopt.cli import main
from authopt.logs.files import write_log
from tests.factories import logged_batch

EXAMPLE = str(Path(__file__).parents[3] / "data" / "rules" / "example.toml")


class Answer:
    """What a command printed, and how it ended."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["rules", *arguments])
        printed = capsys.readouterr()
        self.code = ended.value.code
        self.out, self.error = printed.out, printed.err


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> Answer:
        return Answer(capsys, *arguments)

    return run


ADVISED = shlex.split(
    "explain --network mastercard --response-code 51 --advice-code 26 --since-last 1h "
    "--routes adyen --delays 0,2d --at 2026-03-01"
)


@pytest.mark.parametrize("width", [80, 100])
def test_an_explanation_fits_the_terminal(
    said: Any, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    answer = said(*ADVISED)
    assert answer.code == 0
    assert max(map(len, answer.out.splitlines())) <= width
    assert "2026-03-02 23:00" in answer.out
    assert "in 1d 23h" in answer.out
    assert "allowed" in answer.out
    assert "not legal advice" in " ".join(answer.error.split())


def test_an_explanation_for_machines_says_the_same(said: Any) -> None:
    answer = json.loads(said(*ADVISED, "--json").out)
    now, later, stop = answer["actions"]
    assert (answer["attempt"], answer["given_up"]) == (2, False)
    assert (now["allowed"], now["allowed_after_s"]) == (False, 47 * 3_600)
    assert later["allowed"]
    assert stop["allowed"]


def test_a_payment_that_would_be_given_up_is_said_to_be(said: Any) -> None:
    answer = said("explain", "--network", "visa", "--response-code", "41")
    assert "Nothing is left but stop" in answer.out
    assert "never" in answer.out
    assert "USD" in answer.out


def test_nothing_said_of_an_earlier_attempt_means_the_first(said: Any) -> None:
    first = json.loads(said("explain", "--network", "visa", "--json").out)
    later = json.loads(said("explain", "--since-last", "1h", "--json").out)
    chosen = json.loads(said("explain", "--since-last", "1h", "--attempt", "7", "--json").out)
    assert [each["attempt"] for each in (first, later, chosen)] == [1, 2, 7]


def test_a_merchants_rules_hold_and_name_the_routes(said: Any) -> None:
    told = shlex.split("--amount 49.90 --currency EUR --network visa --at 2026-03-01T03:00 --json")
    answer = json.loads(said("explain", "--rules", EXAMPLE, *told).out)
    reasons = {(each["route"], each["delay_s"]): each["reason"] for each in answer["actions"]}
    assert reasons["braintree", 0].startswith("route braintree is down")
    assert reasons["braintree", 3_600] is None
    assert reasons["adyen", 0] is None


def test_a_request_and_a_decision_of_a_log_can_be_explained(said: Any, tmp_path: Path) -> None:
    body = {"payment_id": "p7", "attempt": 1, "context": {"network": "visa"}}
    (tmp_path / "request.json").write_text(json.dumps(body))
    asked = said("explain", "--json-file", str(tmp_path / "request.json"), "--json")
    assert json.loads(asked.out)["payment_id"] == "p7"
    write_log(tmp_path / "log.parquet", [logged_batch(10)])
    of_log = ("--log", str(tmp_path / "log.parquet"), "--decision", "d0-3", "--json")
    logged = json.loads(said("explain", *of_log).out)
    assert logged["decision_id"] == "d0-3"
    assert [each["route"] for each in logged["actions"]] == ["adyen", "braintree", "checkout"]
    others = json.loads(said("explain", *of_log, "--routes", "zoop", "--delays", "0").out)
    assert [each["route"] for each in others["actions"]] == ["zoop", "stop"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explain", "--decision", "d1"), "--log and --decision go together"),
        (("explain", "--amount", "5"), "--amount needs --currency"),
        (("explain", "--amount", "x", "--currency", "EUR"), "--amount: 'x'"),
        (("explain", "--since-last", "soon"), "--since-last: 'soon' is no length of time"),
        (("explain", "--at", "noon"), "--at: 'noon' is no time"),
        (("explain", "--set", "issuer"), "expected COLUMN=VALUE"),
        (("explain", "--set", "isuer=X"), "did you mean 'issuer'"),
        (("explain", "--network", "visa", "--set", "network=jcb"), "network is given twice"),
        (("explain", "--rules", EXAMPLE, "--routes", "adjen"), "route 'braintree' is none of"),
        (
            ("explain", "--json-file", EXAMPLE, "--network", "visa"),
            "--json-file and --network both say the payment",
        ),
        (("check", EXAMPLE, "--routes", "adyen,checkout"), "route 'braintree' is none of"),
        (("codes", "51", "--network", "vista"), "vista"),
    ],
)
def test_a_mistake_is_told_in_one_message_with_exit_status_2(
    said: Any, arguments: tuple[str, ...], message: str
) -> None:
    answer = said(*arguments)
    assert answer.code == 2
    assert message in " ".join(answer.error.split())
    assert answer.out == ""


def test_a_code_is_explained_with_its_source(said: Any) -> None:
    answer = said("codes", "26")
    assert "retry after 2 days" in answer.out
    assert "mastercard" in answer.out
    assert "later, after 2d" in answer.out
    assert "developer.cybersource.com" in answer.out


def test_a_code_is_explained_for_one_network_for_machines(said: Any) -> None:
    (only,) = json.loads(said("codes", "41", "--network", "visa", "--json").out)[:1]
    assert only["networks"] == ["visa"]
    assert only["facts"]["permission"] == "never"
    assert only["facts"]["source"]


def test_a_code_has_the_meaning_of_the_day(said: Any) -> None:
    told = ("codes", "62", "--network", "visa", "--json")
    then, now = (json.loads(said(*told, *on).out)[0] for on in (("--on", "2021-04-16"), ()))
    assert (then["facts"]["permission"], now["facts"]["permission"]) == ("never", "later")


def test_all_codes_are_listed_within_the_terminal(said: Any) -> None:
    lines = said("codes").out.splitlines()
    assert len(lines) > 100
    assert max(map(len, lines)) <= 80


def test_an_unknown_code_is_said_to_be_unknown_with_what_follows(said: Any) -> None:
    facts = json.loads(said("codes", "QQ", "--json").out)
    assert not any(each["facts"]["known"] for each in facts)
    assert any(each["facts"]["permission"] == "never" for each in facts)


def test_a_sound_file_is_told_in_sentences(said: Any) -> None:
    answer = said("check", EXAMPLE, "--routes", "adyen,braintree,checkout")
    assert answer.code == 0
    assert "A payment is tried at most 8 times." in answer.out
    assert max(map(len, answer.out.splitlines()[1:])) <= 80
    machine = json.loads(said("check", EXAMPLE, "--json").out)
    assert machine["routes"] == ["braintree", "adyen", "checkout"]
    assert len(machine["rules"]) == 13


def test_an_unsound_file_is_told_with_its_key(said: Any, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text("max_attempts = 0")
    answer = said("check", str(tmp_path / "rules.toml"))
    assert answer.code == 2
    assert "key max_attempts: is 0" in " ".join(answer.error.split())
