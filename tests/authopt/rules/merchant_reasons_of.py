"""What a merchant's rules say of every action, as text, for tests that read like the rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from authopt.batch import DecisionBatch
from authopt.rules.merchant import MerchantRule, MerchantRules, merchant_reasons
from tests.authopt.rules.one_decision import decision


def reasons_of(batch: DecisionBatch, rules: MerchantRules) -> list[str | None]:
    """The reason of each action; None where it is allowed."""
    found = merchant_reasons(batch, rules)
    return [None if code < 0 else rules.texts[code] for code in found.tolist()]


def kept(batch: DecisionBatch, *rules: MerchantRule) -> list[bool]:
    """Whether each action is allowed by these rules alone."""
    found = merchant_reasons(batch, MerchantRules(10_000, False, rules))
    return [code < 0 for code in found.tolist()]


def at(batch: DecisionBatch, moment: str) -> DecisionBatch:
    """The same decisions, taken at another moment (UTC)."""
    return replace(batch, decided_at=np.full(batch.n, np.datetime64(moment, "us")))


def on_route(route: str, **context: object) -> DecisionBatch:
    """A first attempt that may take one route, named as one likes, at once."""
    batch = decision(1, (("adyen", 0), ("stop", 0)), **context)
    return replace(batch, routes=(route, "zoop", "stop"))
