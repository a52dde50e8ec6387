"""An alarm as it is told: the same words by webhook and by mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from service.store.changes import Change


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent.

    Attributes
    ----------
    id
        the same at every try, so that whoever gets it twice can tell.
    title
        a line.
    text
        sentences.
    content
        the same for machines.
    """

    id: str
    title: str
    text: str
    content: dict[str, Any]

    def json(self) -> bytes:
        """The content as JSON."""
        return msgspec.json.encode(self.content, order="sorted")


def message_of(tenant: str, change: Change) -> Message:
    """The message for a change of an alarm."""
    value = change.value
    name = f"{tenant}-{change.number}"
    return Message(
        name,
        f"[{tenant}] {value['state']}: {change.subject}",
        value["what"],
        {
            "id": name,
            "merchant": tenant,
            "alarm": change.subject,
            "state": value["state"],
            "since_us": value["since_us"],
            "at_us": change.changed_at_us,
            "what": value["what"],
            "figures": value["figures"],
            "links": value["links"],
        },
    )


def trial_message(tenant: str, now_us: int) -> Message:
    """A message that says that it is a test."""
    name = f"{tenant}-test-{now_us}"
    what = "This is a test of an alarm's way out. Nothing is wrong."
    return Message(
        name,
        f"[{tenant}] test",
        what,
        {
            "id": name,
            "merchant": tenant,
            "alarm": "test",
            "state": "test",
            "since_us": now_us,
            "at_us": now_us,
            "what": what,
            "figures": {},
            "links": {},
        },
    )
