"""What was decided, as it is answered."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from authopt.decision import Decided
from service.api.forms import (
    ChosenAction,
    DecisionAnswer,
    EligibleAction,
    PolicyName,
    RankAnswer,
    RankedAction,
    RemovedAction,
)
from service.deciding.question import Question
from service.deciding.scored import scores_of

Answer = DecisionAnswer | RankAnswer


def answers_of(questions: Sequence[Question], decided: Decided) -> list[Answer]:
    """One answer to each question, in their order."""
    batch = decided.batch
    names, reasons = batch.routes, decided.reasons
    codes, delays = batch.action_route.tolist(), batch.action_delay_s.tolist()
    probability, reason = decided.probability.tolist(), decided.reason.tolist()
    ends, chosen = batch.offsets.tolist(), decided.chosen_action.tolist()
    propensity, fell_back = decided.propensity.tolist(), decided.fell_back.tolist()
    answers: list[Answer] = []
    for row, question in enumerate(questions):
        eligible: list[EligibleAction] = []
        removed: list[RemovedAction] = []
        for at in range(ends[row], ends[row + 1]):
            route, delay_s = names[codes[at]], delays[at]
            if reason[at] < 0:
                eligible.append(EligibleAction(route, delay_s, probability[at]))
            else:
                removed.append(RemovedAction(route, delay_s, reasons[reason[at]]))
        removed += question.offered.down
        serving, drawn = question.serving, chosen[row]
        active = serving.active
        answer = DecisionAnswer(
            decision_id=question.decision_id,
            payment_id=question.request.payment_id,
            attempt=question.request.attempt,
            action=ChosenAction(names[codes[drawn]], delays[drawn]),
            propensity=propensity[row],
            policy=PolicyName(active.name, active.sha256),
            fallback=decided.fallback if fell_back[row] else None,
            actions=eligible,
            removed=removed,
            decided_at=question.decided_at,
            experiment=UNSET if serving.experiment is None else serving.experiment,
            arm=UNSET if serving.arm is None else serving.arm,
        )
        answers.append(_ranked(question, answer, decided, row) if question.ranked else answer)
    return answers


def _ranked(question: Question, answer: DecisionAnswer, decided: Decided, row: int) -> RankAnswer:
    meaning, scores = scores_of(question.serving.active.policy, decided, row)
    ranked = [
        RankedAction(
            each.route, each.delay_s, each.probability, score if math.isfinite(score) else None
        )
        for each, score in zip(answer.actions, scores, strict=True)
    ]
    given = msgspec.structs.asdict(answer)
    return RankAnswer(**given | {"actions": ranked, "scores": meaning})
