from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import Categorical, DecisionBatch, LoggedBatch
from authopt.features import vw_text
from authopt.features.vw_text import VwFeatures, VwText, escaped, learn_vw_features
from tests.authopt.policies.batches import Decision, batch_of, decisions
from tests.factories import logged_batch

NASTY = ["", " ", "|", ":", "a|b c:3", "x\ny", "\t", "\r\n\n", "shared", "0:1:0.5", "naïve", "日本",
         "\x00", "\x85", "\u2028", "%", "=", "#", "?", "'tag|", "12345", "-1e309"]  # fmt: skip
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=12))


def nasty_batch(values: list[str], column: str = "issuer") -> DecisionBatch:
    """One decision per value; the value stands in a context column, a route and a feature."""
    n = len(values)
    batch = logged_batch(n).decisions()
    routes = tuple(dict.fromkeys(["adyen", *values]))
    others = np.array([routes.index(value) for value in values], np.int32)
    return replace(
        batch,
        context={**batch.context, column: Categorical.from_values(values)},
        routes=routes,
        action_route=np.stack([np.zeros(n, np.int32), others], 1).ravel(),
        action_delay_s=np.tile(np.array([0, 60]), n),
        offsets=np.arange(n + 1) * 2,
        action_features={"kind": Categorical.from_values(np.repeat(values, 2).tolist())},
    )


SeenByVw = Callable[[str], list[dict[str, int]]]


@pytest.fixture(scope="module")
def seen_by_vw() -> Iterator[SeenByVw]:
    """Per line of an example: features by first character of their namespace, as VW parsed it."""
    from vowpalwabbit import Workspace

    vw = Workspace("--cb_explore_adf --quiet --noconstant")

    def seen(text: str) -> list[dict[str, int]]:
        examples = vw.parse(text)
        found = []
        for example in examples:
            spaces = [chr(example.namespace(at)) for at in range(example.num_namespaces())]
            found.append({each: example.num_features_in(each) for each in spaces})
        vw.finish_example(examples)
        return found

    yield seen
    vw.finish()


def declared(features: VwFeatures, columns: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for column in getattr(features, columns):
        found[column.namespace[0]] = found.get(column.namespace[0], 0) + 1
    return found


@given(values=st.lists(texts, min_size=2, max_size=5), column=st.sampled_from(["issuer", "x_y|z"]))
@settings(max_examples=60, deadline=None)
def test_whatever_the_data_hold_vw_sees_the_declared_namespaces_and_no_more(
    seen_by_vw: SeenByVw, values: list[str], column: str
) -> None:
    batch = nasty_batch(values, column)
    features = learn_vw_features(nasty_batch(["one", "two", "three"], column))
    for block in VwText(features).blocks(batch):
        for text in block.to_pylist():
            shared, *actions = seen_by_vw(text)
            assert shared == declared(features, "context")
            assert actions == [declared(features, "action")] * 2


@given(one=st.text(max_size=8), other=st.text(max_size=8))
def test_escaping_keeps_different_values_apart_and_leaves_nothing_special(
    one: str, other: str
) -> None:
    assert (escaped(one) == escaped(other)) == (one == other)
    assert not set(escaped(one)) & set("|: \t\n\r=#?'")
    assert escaped(one).isascii()


def test_a_lone_surrogate_is_escaped_too() -> None:
    assert escaped("\ud800") == "%ED%A0%80"


@given(rows=decisions())
@settings(max_examples=80, deadline=None)
def test_one_decision_reads_the_same_alone_and_in_a_batch(rows: list[Decision]) -> None:
    features = learn_vw_features(batch_of(TRAINING))
    writer = VwText(features)
    batch = batch_of(rows)
    together = [text for block in writer.blocks(batch) for text in block.to_pylist()]
    assert together == [writer.one(batch.take(slice(row, row + 1))) for row in range(batch.n)]


TRAINING = [
    Decision(
        attempt=1 + number % 3,
        actions=(("adyen", 0), ("braintree", 3600), ("stop", 0)),
        network=("visa", "mastercard", None)[number % 3],
        amount=float("nan") if number == 5 else 100.0 * number,
        previous_route="adyen" if number % 3 else None,
        rate=(0.1 * number, float("nan"), 0.0),
    )
    for number in range(60)
]


def test_numbers_at_a_bins_edge_fall_into_the_same_bin_alone_and_in_a_batch() -> None:
    features = learn_vw_features(batch_of(TRAINING))
    amount = next(column for column in features.context if column.name == "amount_minor")
    edges = [value for edge in amount.edges or () for value in (edge, np.nextafter(edge, np.inf))]
    batch = batch_of([replace(TRAINING[0], amount=float(value)) for value in edges])
    writer = VwText(features)
    together = [text for block in writer.blocks(batch) for text in block.to_pylist()]
    assert together == [writer.one(batch.take(slice(row, row + 1))) for row in range(batch.n)]
    assert len(set(together)) == len(edges) / 2 + 1


def test_the_text_is_as_the_module_shows_it() -> None:
    batch = logged_batch(40, attempts_per_payment=1)
    features = learn_vw_features(batch)
    labels = pa.array(["0:-1.0:0.25"] * 40)
    (block,) = VwText(features).blocks(batch, labels)
    lines = block[0].as_py().split("\n")
    assert lines[0].startswith("shared |card amount_minor#")
    routes = ["adyen", "braintree", "checkout"]
    expected = [f"|route route={route} " for route in routes]
    expected[int(batch.chosen[0])] = "0:-1.0:0.25 " + expected[int(batch.chosen[0])]
    assert lines[1:] == [*expected, "", ""]


def test_blocks_hold_the_decisions_in_order_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = logged_batch(50)
    writer = VwText(learn_vw_features(batch))
    whole = [text for block in writer.blocks(batch) for text in block.to_pylist()]
    for limit in (1, 3, 7, 60):
        monkeypatch.setattr(vw_text, "BLOCK_ACTIONS", limit)
        assert [text for block in writer.blocks(batch) for text in block.to_pylist()] == whole


def test_namespaces_differ_in_their_first_character_and_interactions_name_them() -> None:
    initials = [name[0] for name in vw_text._NAMESPACES]
    assert len(set(initials)) == len(initials)
    features = learn_vw_features(batch_of(TRAINING))
    there = {column.namespace[0] for column in (*features.context, *features.action)}
    assert all(set(pair) <= there for pair in features.interactions)
    assert "hr" in features.interactions


def test_constant_columns_references_and_times_are_no_features() -> None:
    batch = logged_batch(50)
    batch = replace(
        batch,
        context={
            **batch.context,
            "card_ref": pa.array([f"c{i}" for i in range(50)]),
            "x_when": batch.decided_at,
        },
    )
    names = [column.name for column in learn_vw_features(batch).context]
    assert sorted(names) == ["amount_minor", "attempt", "network"]


def test_the_declaration_does_not_depend_on_the_order_of_rows_or_vocabularies() -> None:
    batch = logged_batch(100)
    turned = batch.take(np.arange(99, -1, -1))
    assert learn_vw_features(turned) == learn_vw_features(batch)


def test_the_declaration_survives_json() -> None:
    features = learn_vw_features(batch_of(TRAINING))
    assert msgspec.json.decode(msgspec.json.encode(features), type=VwFeatures) == features


@pytest.mark.parametrize("missing", ["network", "amount_minor"])
def test_a_column_that_is_absent_or_held_otherwise_is_missing(missing: str) -> None:
    batch: LoggedBatch = logged_batch(30)
    writer = VwText(learn_vw_features(batch))
    context = dict(batch.context)
    absent = replace(batch, context={key: context[key] for key in context if key != missing})
    other = context["amount_minor" if missing == "network" else "network"]
    swapped = replace(batch, context={**context, missing: other})
    for each in (absent, swapped):
        (block,) = writer.blocks(each)
        assert all(f"{missing}? " in text for text in block.to_pylist())
        assert writer.one(each.decisions().take(slice(0, 1))) == block[0].as_py()
