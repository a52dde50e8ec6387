"""Rows of the attempt log as dsjson events; ``dsjson_files`` says what goes where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from authopt.logs.dsjson_event import Event, Own, OwnHeading
from authopt.logs.heading import Heading, heading_line
from authopt.logs.schema import ELIGIBLE_PREFIX, PropensitySource, is_custom, own_kinds
from authopt.payments import CONTEXT_BY_NAME, OUTCOME_BY_NAME, Kind

_ENCODER = msgspec.json.Encoder()


class EventWriter:
    """Makes the lines of a file out of record batches of one schema."""

    def __init__(self, schema: pa.Schema, source: PropensitySource) -> None:
        names = schema.names
        self._features = [
            name.removeprefix(ELIGIBLE_PREFIX)
            for name in names
            if name.startswith(ELIGIBLE_PREFIX) and is_custom(name)
        ]
        self._context = [
            name
            for name in names
            if (name in CONTEXT_BY_NAME and CONTEXT_BY_NAME[name].kind is not Kind.REFERENCE)
            or (is_custom(name) and not name.startswith(ELIGIBLE_PREFIX))
        ]
        references = [name for name in names if name in CONTEXT_BY_NAME]
        references = [name for name in references if name not in self._context]
        self._values = references + [name for name in names if name in OUTCOME_BY_NAME]
        self._file: OwnHeading | None = OwnHeading(
            heading_line(Heading(source, own_kinds(schema))), names
        )

    def lines(self, records: pa.RecordBatch) -> Iterator[bytes]:
        """One line per row; the very first one says what the file holds."""
        columns = {
            name: _plain(column)
            for name, column in zip(records.schema.names, records.columns, strict=True)
        }
        for index in range(len(records)):
            row = {name: values[index] for name, values in columns.items()}
            yield _ENCODER.encode(self._event(row)) + b"\n"
            self._file = None

    def _event(self, row: dict[str, Any]) -> Event:
        chosen, propensity = row["chosen"], row.get("propensity")
        count = len(row["eligible_route"])
        ranking = [chosen + 1, *(action for action in range(1, count + 1) if action != chosen + 1)]
        pmf = row.get("eligible_probability")
        reward = row.get("reward")
        reward = row.get("approved") if reward is None else reward
        cost = None if reward is None or propensity is None else 0.0 - reward
        labelled = cost is not None
        return Event(
            label_cost=cost,
            label_probability=propensity if labelled else None,
            label_action=chosen + 1 if labelled else None,
            label_index=chosen if labelled else None,
            timestamp=row["decided_at"],
            version="1",
            event_id=row["decision_id"],
            ranking=ranking,
            context={
                "payment": {name: row[name] for name in self._context if row[name] is not None},
                "_multi": [self._action(row, position) for position in range(count)],
            },
            pmf=None if pmf is None else [pmf[action - 1] for action in ranking],
            own=Own(
                row["payment_id"],
                row["attempt"],
                {name: row[name] for name in self._values if row[name] is not None},
                None if labelled else propensity,
                self._file,
            ),
        )

    def _action(self, row: dict[str, Any], position: int) -> dict[str, Any]:
        features = {"route": row["eligible_route"][position]}
        features["delay_s"] = row["eligible_delay_s"][position]
        for name in self._features:
            values = row[ELIGIBLE_PREFIX + name]
            if values is not None and values[position] is not None:
                features[name] = values[position]
        return {"_tag": row["eligible_route"][position], "action": features}


def _plain(column: Any) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        text = column.cast(pa.string())
        column = pc.replace_substring(text, " ", "T", max_replacements=1)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    values: list[Any] = column.to_pylist()
    return values
