"""The policies that are judged: their names, and how one that learns follows the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from authopt.batch import FloatArray, LoggedBatch, concat
from authopt.errors import UserError
from authopt.evaluation.result import LOGGING_POLICY
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import LearningPolicy, Policy


def candidates_of(
    policies: Sequence[Policy], specs: Sequence[str] | None, learn_every: int | None
) -> list[Candidate]:
    """The policies that did not make the log, each with a name of its own.

    Parameters
    ----------
    policies
        the policies; ``LoggedPolicy`` among them stands for the logging policy, and is left out.
    specs
        the text that each was loaded from; by default its name.
    learn_every
        decisions in a slice for policies that learn; None to judge them frozen.

    Raises
    ------
    UserError
        If a slice would hold no decision.
    """
    if learn_every is not None and learn_every < 1:
        raise UserError(f"a slice to learn from has {learn_every} decisions; expected 1 or more")
    texts = [policy.name for policy in policies] if specs is None else specs
    judged = [
        (policy, text)
        for policy, text in zip(policies, texts, strict=True)
        if not isinstance(policy, LoggedPolicy)
    ]
    names = _distinct([policy for policy, _ in judged])
    return [
        Candidate(policy, name, text, learn_every if isinstance(policy, LearningPolicy) else None)
        for (policy, text), name in zip(judged, names, strict=True)
    ]


@dataclass(slots=True, eq=False)
class Candidate:
    """A policy under judgement; one that follows the log learns from slices of a fixed size.

    The slices run on over the ends of chunks, so that the answer does not depend on the chunks.
    """

    policy: Policy
    name: str
    spec: str
    learn_every: int | None
    waiting: list[LoggedBatch] = field(default_factory=list)

    @property
    def follows(self) -> bool:
        return self.learn_every is not None

    def probabilities(self, batch: LoggedBatch) -> FloatArray:
        if self.learn_every is None:
            return np.asarray(self.policy.probabilities(batch.decisions()), np.float64)
        parts, start = [], 0
        while start < batch.n:
            room = self.learn_every - sum(part.n for part in self.waiting)
            part = batch.take(slice(start, start + room))
            parts.append(np.asarray(self.policy.probabilities(part.decisions()), np.float64))
            self.waiting.append(part)
            start += part.n
            if part.n == room:
                self.learn()
        return np.concatenate(parts)

    def learn(self) -> None:
        if self.waiting:
            assert isinstance(self.policy, LearningPolicy)
            self.policy.update(concat(self.waiting))
            self.waiting = []


def _distinct(policies: Sequence[Policy]) -> Iterator[str]:
    taken = {LOGGING_POLICY}
    for policy in policies:
        name, number = policy.name, 2
        while name in taken:
            name, number = f"{policy.name} #{number}", number + 1
        taken.add(name)
        yield name
