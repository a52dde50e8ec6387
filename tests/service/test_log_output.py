"""Log lines hold neither card numbers nor keys, as text and as JSON."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from service.log_output import FORMATS, clean, formatter
from service.security.key_text import new_key

PAN = "4111111111111111"


def line(style: str, message: str, *parts: object, fault: BaseException | None = None) -> str:
    info = None if fault is None else (type(fault), fault, fault.__traceback__)
    record = logging.LogRecord("service.x", logging.ERROR, "x.py", 1, message, parts, info)
    return formatter(style).format(record)


@pytest.mark.parametrize("style", FORMATS)
def test_card_numbers_and_secrets_are_taken_out_of_messages_and_tracebacks(style: str) -> None:
    key = new_key()
    try:
        raise ValueError(f"bad {PAN} from {key}")
    except ValueError as error:
        told = line(style, "card %s, key %s, 5500-0000-0000-0004", PAN, key, fault=error)
    assert PAN not in told
    assert "0000-0004" not in told
    assert key.secret not in told
    assert key.key_id in told
    assert "ValueError" in told
    assert sys.exc_info()[0] is None


def test_digits_of_any_script_are_taken_out() -> None:
    assert "４１１１" not in clean("card ４１１１１１１１１１１１１１１１")
    assert clean("amount ٣ for d-7001") == "amount 3 for d-7001"


def test_a_line_of_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    told = line("json", "two\nlines of %s", "it")
    assert "\n" not in told
    read = json.loads(told)
    assert (read["level"], read["logger"], read["message"]) == (
        "error",
        "service.x",
        "two\nlines of it",
    )
    assert read["time"].endswith("+00:00")
