"""``GET /v1/rules``: what the networks and the merchant forbid, and who says so."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec
import numpy as np
from flask import Blueprint, Response

from authopt.rules import Rules
from authopt.rules.codes_table import facts_of
from service.live.live import Live
from service.security.caller import caller

JSON = "application/json"


class CodeRule(msgspec.Struct, frozen=True):
    """What a code of the previous attempt allows; the network ``*`` stands for all others."""

    networks: list[str]
    kind: str
    code: str
    meaning: str
    permission: str
    wait_s: int
    source: str
    effective_from: str


class LimitRule(msgspec.Struct, frozen=True):
    """How many attempts a network takes within a window, from merchants of a country or of all."""

    networks: list[str]
    merchant_in: str | None
    meaning: str
    attempts: int
    window_s: int
    source: str
    effective_from: str


class RulesAnswer(msgspec.Struct, frozen=True):
    """The rules that hold on a day: the networks' with their sources, and the merchant's own."""

    on: date
    codes: list[CodeRule]
    limits: list[LimitRule]
    merchant: list[str]
    remark: str


REMARK = (
    "The tables of the networks' rules are a starting point from public pages, not legal advice."
)


def rules_blueprint(live: Live) -> Blueprint:
    """The endpoint, for an app."""
    blueprint = Blueprint("rules", __name__)

    @blueprint.get("/v1/rules")
    def show() -> Response:
        told = rules_on(live.serving(caller().tenant).rules, datetime.now(UTC).date())
        return Response(msgspec.json.encode(told), content_type=JSON)

    return blueprint


def rules_on(rules: Rules, day: date) -> RulesAnswer:
    """The rules as they hold on a day (UTC)."""
    tables = rules.networks.on(day)
    codes = [
        CodeRule(
            list(each.networks),
            each.facts.kind,
            each.facts.code,
            each.facts.meaning,
            each.facts.permission,
            each.facts.wait_s,
            each.facts.source,
            each.facts.effective_from,
        )
        for each in facts_of(tables, None, None)
    ]
    used = np.unique(tables.limits.row)
    limits = [
        LimitRule(
            list(row.networks()),
            row.value("merchant_in") or None,
            row.value("meaning"),
            row.whole("attempts"),
            row.whole("window_s"),
            row.value("source"),
            row.value("effective_from"),
        )
        for row in (tables.limits.rows[at] for at in used[used >= 0].tolist())
    ]
    return RulesAnswer(day, codes, limits, list(rules.merchant.sentences), REMARK)
