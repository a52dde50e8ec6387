"""Text put together from few pieces."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from authopt.features.coded_text import Coded, constant, examples, merged

TEXTS = st.lists(st.text("ab\n|é", max_size=3), min_size=1, max_size=4)


@st.composite
def columns(draw: st.DrawFn, rows: int) -> list[Coded]:
    found = []
    for texts in draw(st.lists(TEXTS, min_size=1, max_size=4)):
        codes = draw(st.lists(st.integers(0, len(texts) - 1), min_size=rows, max_size=rows))
        found.append(Coded(np.array(codes, np.int64), texts))
    return found


def written(some: list[Coded], row: int) -> str:
    return "".join(column.texts[int(column.codes[row])] for column in some)


@given(st.data(), st.integers(1, 40))
def test_merged_columns_say_the_same_in_fewer_columns(data: st.DataObject, rows: int) -> None:
    before = data.draw(columns(rows))
    after = merged(before)
    assert [written(after, row) for row in range(rows)] == [
        written(before, row) for row in range(rows)
    ]
    assert len(after) <= len(before)


def test_columns_are_merged_while_their_table_is_small_beside_the_rows() -> None:
    column = Coded(np.zeros(160, np.int64), ["a", "b", "c", "d"])
    assert [len(each.texts) for each in merged([column] * 5)] == [16, 16, 4]
    assert [len(each.texts) for each in merged([constant("|", 160), column])] == [4]


@given(st.data(), st.lists(st.integers(1, 4), min_size=1, max_size=8), st.booleans())
def test_an_example_is_what_is_shared_then_each_action_with_a_label_before_the_chosen_one(
    data: st.DataObject, counts: list[int], labelled: bool
) -> None:
    n = len(counts)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    shared, actions = data.draw(columns(n)), data.draw(columns(int(offsets[-1])))
    labels = [f"0:{row}:1 " for row in range(n)]
    chosen = [data.draw(st.integers(0, count - 1)) for count in counts]
    expected = [
        written(shared, row)
        + "".join(
            (labels[row] if labelled and place == chosen[row] else "")
            + written(actions, int(offsets[row]) + place)
            for place in range(counts[row])
        )
        for row in range(n)
    ]
    told = (np.array(chosen), pa.array(labels)) if labelled else (None, None)
    found = examples(shared, actions, offsets, *told)
    assert found.to_pylist() == expected
    assert found.null_count == 0
