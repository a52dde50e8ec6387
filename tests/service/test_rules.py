"""The merchant's rules in the live service: whatever decides, it decides among what they leave."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from authopt.errors import UserError
from authopt.rules import MerchantRules
from authopt.rules.merchant_limits import MaxAttempts
from authopt.rules.merchant_routes import RouteDown, RouteValues
from authopt.rules.merchant_volume import Period, VolumeCap
from service.active_policy import NOT_LOADED, ActivePolicy
from service.deciding.timely import NOT_RECORDED
from service.settings import Settings
from tests.service.in_process import ROUTES, ask, request_body, running, settings_in
from tests.service.test_store import locked

DOWN = MerchantRules(rules=(RouteDown("adyen", why="maintenance"),))
ALL_DOWN = MerchantRules(rules=tuple(RouteDown(route) for route in ROUTES))


def answered(settings: Settings, active: ActivePolicy | None = None, **changes: Any) -> Any:
    with running(settings, active) as app:
        return ask(app.test_client(), request_body(**changes)).get_json()


def test_a_route_that_is_down_is_removed_and_the_reason_given(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, policy="priority:routes=adyen,braintree", merchant=DOWN)
    answer = answered(settings)
    assert answer["action"]["route"] == "braintree"
    assert answer["removed"] == [
        {"route": "adyen", "delay_s": 0, "reason": "route adyen is down (maintenance)"}
    ]


def test_the_static_priority_of_a_service_without_a_policy_keeps_to_them(tmp_path: Path) -> None:
    answer = answered(settings_in(tmp_path, merchant=DOWN), ActivePolicy("vw", fault="no file"))
    assert (answer["action"]["route"], answer["fallback"]) == ("braintree", NOT_LOADED)


def test_an_answer_that_nothing_can_record_keeps_to_them(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, merchant=DOWN, spool=tmp_path / "no-folder" / "spool")
    with running(settings) as app, locked(settings):
        answer = ask(app.test_client(), request_body()).get_json()
    assert (answer["action"]["route"], answer["fallback"]) == ("braintree", NOT_RECORDED)


def test_a_caller_cannot_ask_for_what_they_forbid(tmp_path: Path) -> None:
    answer = answered(settings_in(tmp_path, merchant=DOWN), actions=[{"route": "adyen"}])
    assert answer["action"]["route"] == "stop"
    assert [each["reason"] for each in answer["removed"]] == ["route adyen is down (maintenance)"]


@pytest.mark.parametrize("active", [None, ActivePolicy("vw", fault="no file")])
def test_a_first_attempt_for_which_nothing_is_left_is_stopped_with_every_reason_in_sight(
    tmp_path: Path, active: ActivePolicy | None
) -> None:
    answer = answered(settings_in(tmp_path, merchant=ALL_DOWN), active)
    assert answer["attempt"] == 1
    assert answer["action"] == {"route": "stop", "delay_s": 0}
    assert answer["actions"] == [{"route": "stop", "delay_s": 0, "probability": 1.0}]
    assert [(each["route"], each["reason"]) for each in answer["removed"]] == [
        (route, f"route {route} is down") for route in ROUTES
    ]


def test_counts_of_volume_come_with_the_actions_of_a_request(tmp_path: Path) -> None:
    capped = MerchantRules(rules=(VolumeCap("adyen", 100, Period.MONTH),))
    settings = settings_in(tmp_path, merchant=capped, policy="priority:routes=adyen")
    with running(settings) as app:
        client = app.test_client()
        routes = []
        for number, count in enumerate((99, 100)):
            adyen = {"route": "adyen", "features": {"attempts_this_month": count}}
            body = request_body(f"d{number}", actions=[adyen, {"route": "braintree"}])
            routes.append(ask(client, body).get_json()["action"]["route"])
    assert routes == ["adyen", "braintree"]


def test_what_they_ask_of_the_context_is_read_from_the_request(tmp_path: Path) -> None:
    euro = MerchantRules(rules=(RouteValues("adyen", "currency", ("EUR",)),))
    settings = settings_in(tmp_path, merchant=euro, policy="priority:routes=adyen")
    with running(settings) as app:
        client = app.test_client()
        answers = [
            ask(client, request_body(currency, context={"currency": currency})).get_json()
            for currency in ("EUR", "USD")
        ]
    assert [each["action"]["route"] for each in answers] == ["adyen", "braintree"]


def test_a_route_that_the_service_does_not_have_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"route 'adjen' is none of .* did you mean 'adyen'"):
        settings_in(tmp_path, merchant=MerchantRules(rules=(RouteDown("adjen"),)))
    none_named = MerchantRules(rules=(MaxAttempts(3),))
    assert replace(settings_in(tmp_path), merchant=none_named).merchant is none_named


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_attempts = 0", "key max_attempts: is 0"),
        ('[[down]]\nroute = "adjen"', "rules: route 'adjen' is none of the merchant's routes"),
    ],
)
def test_an_unsound_file_is_told_at_the_prompt(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "rules.toml").write_text(text)
    options = ("--policy", "uniform", "--routes", "adyen", "--rules", str(tmp_path / "rules.toml"))
    ended = subprocess.run(
        [sys.executable, "-m", "authopt", "serve", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert ended.returncode == 2
    assert message in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr
