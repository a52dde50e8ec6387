"""How far a learner has read, and what it waits for."""

from __future__ import annotations

import msgspec

from authopt.learning.gate.verdict import Look


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a learner was made to learn; it cannot be changed on what has learned.

    Attributes
    ----------
    policy
        spec that it started from.
    reward
        spec of the reward.
    wait_s
        how long an outcome is waited for, from when its attempt was due.
    missing
        what it means if none came by then: ``declined``, or ``left-out``.
    """

    policy: str
    reward: str
    wait_s: int
    missing: str


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """A decision without an outcome so far: its number, and when its attempt was due."""

    number: int
    due_us: int


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of what was read, since the learner was made.

    Attributes
    ----------
    learned
        decisions that the policy was taught, those counted as declined among them.
    assumed_declined
        of them, those whose outcome did not come in time.
    left_out
        decisions whose outcome did not come in time, or did not tell a reward.
    not_activated
        deferred decisions that nobody activated in time.
    chosen_otherwise
        deferred ones where the caller took another action and gave no propensity for it.
    corrections
        outcomes that came after their decision was done with; they are not learned.
    """

    learned: int = 0
    assumed_declined: int = 0
    left_out: int = 0
    not_activated: int = 0
    chosen_otherwise: int = 0
    corrections: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            *(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__)
        )


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last model that was made of what was learned."""

    sha256: str
    at_us: int
    learned: int


class Since(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far was read when a judgement began, and what waited then; as in :class:`Cursor`."""

    decisions: int
    outcomes: int
    activations: int
    waiting: list[Waiting]


class Against(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The live policy that a candidate is held against, as in ``service.models.live_policy``."""

    spec: str
    sha256: str | None


class Candidate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model that the gate judges, on decisions whose outcomes it did not learn from.

    Attributes
    ----------
    sha256, spec
        of the model.
    learned
        decisions that it has learned from.
    against
        what was live when the judgement began; None: what the service was started with, of which
        the log tells.
    since
        where the learner stood then: what is done with after that is fresh.
    look_at
        number of fresh decisions at which it is looked at next.
    fresh
        decisions so far.
    columns
        of their contexts.
    is_whole
        whether the probabilities of all actions of all of them are those they were taken with.
    looks
        that were taken.
    """

    sha256: str
    spec: str
    learned: int
    against: Against | None
    since: Since
    look_at: int
    fresh: int = 0
    columns: list[str] = []
    is_whole: bool = True
    looks: list[Look] = []


class Judged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of the last candidate.

    Attributes
    ----------
    sha256
        of the model.
    became
        ``promoted``; ``passed``, where something else kept it from being live; ``refused``; or
        ``dropped``, where people decided about it first.
    why
        one sentence.
    reasons
        of the gate against it.
    decisions
        that it was judged on.
    at_us
        when, microseconds since 1970, UTC.
    """

    sha256: str
    became: str
    why: str
    reasons: list[str]
    decisions: int
    at_us: int


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Saved in one transaction with what was learned.

    Attributes
    ----------
    task
        what is learned.
    state_spec
        spec of the saved policy, with ``{}`` where the folder of its files stands.
    decisions, outcomes, activations
        numbers of the last rows that were read.
    waiting
        decisions that were read and not done with.
    counts
        what became of the others.
    published
        None as long as nothing was.
    candidate
        that is judged; None where there is none.
    judged
        the last one that was.
    """

    task: Task
    state_spec: str
    decisions: int = 0
    outcomes: int = 0
    activations: int = 0
    waiting: list[Waiting] = []
    counts: Counts = Counts()
    published: Published | None = None
    candidate: Candidate | None = None
    judged: Judged | None = None
