"""An open decision as lines of text."""

from __future__ import annotations

from authopt.batch import Categorical
from simulator.gym_env.lanes import Acted, Lanes

_SHOWN = ("merchant_id", "issuer", "network", "funding", "currency", "initiator")


def text_of(lanes: Lanes, acted: Acted | None) -> str:
    """What came of the last action and what is to be decided in the first lane."""
    lines = []
    if acted is not None:
        ending = "approved" if acted.approved[0] else "not approved"
        ending = "not allowed, payment given up" if acted.illegal[0] else ending
        lines.append(f"last: {ending}, reward {acted.reward[0]:g}")
    if lanes.now is None:
        return "\n".join([*lines, "no open payment"])
    row = int((lanes.lane == 0).nonzero()[0][0])
    now = lanes.now.take(slice(row, row + 1))
    columns = [now.context.get(name) for name in _SHOWN]
    values = [column.values()[0] or "-" for column in columns if isinstance(column, Categorical)]
    lines.append(
        f"payment {now.payment_id[0]}, attempt {now.attempt[0]}, {now.decided_at[0]}: "
        + " ".join(values)
    )
    lines.append("actions: " + ", ".join(map(str, now.actions(0))))
    return "\n".join(lines)
