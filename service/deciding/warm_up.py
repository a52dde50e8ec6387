"""Do once, before the first request, what the first decision of a process would wait for."""

from __future__ import annotations

from dataclasses import replace

from authopt.policies.uniform import Uniform
from service.active_policy import ActivePolicy
from service.api.forms import DecisionRequest
from service.deciding.decide import FEW, decide_together
from service.deciding.question import question_of
from service.live.serving import Serving


def warm_up(serving: Serving) -> None:
    """Decide for nobody, with a policy that cannot hang.

    The first column that Arrow makes takes a third of a second, as it looks for pandas: longer than
    the deadline of a payment.
    """
    plain = replace(serving, active=ActivePolicy("uniform", policy=Uniform()), killed=None)
    question = question_of(plain, DecisionRequest("warm-up", 1), "warm-up")
    decide_together([question])
    decide_together([question] * FEW)
