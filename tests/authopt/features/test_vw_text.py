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
from authopt.features import vw_features, vw_text
from authopt.features.attempt_time import CLOCK, WAITS
from authopt.features.vw_features import VwFeatures, learn_vw_features
from authopt.features.vw_text import VwText, escaped
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


def with_times_and_routes(n: int = 60) -> LoggedBatch:
    """Decisions with delays, local time, waits, ``stop`` and properties of the routes."""
    batch = logged_batch(n, with_stop=True)
    rng = np.random.default_rng(5)
    gaps = [np.nan, 60.0, 7200.0, 1e6]
    return replace(
        batch,
        decided_at=batch.decided_at + rng.integers(0, 10**8, n) * np.timedelta64(1, "s"),
        action_delay_s=np.where(batch.is_stop, 0, rng.choice([0, 3600, 7 * 86_400], batch.m)),
        context={
            **batch.context,
            "local_hour": rng.choice([np.nan, 0.0, 7.0, 23.0], n),
            "local_day": rng.choice([np.nan, 1.0, 7.0], n),
            "issuer_country": Categorical.from_values(rng.choice(["DE", "US"], n).tolist()),
            "merchant_id": Categorical.from_values(rng.choice(["m1", "m2"], n).tolist()),
            **{name: rng.choice(gaps, n) for name in WAITS.values()},
        },
        action_features={"cost": rng.choice([np.nan, 0.1, 0.2], batch.m)},
    )


def test_times_and_properties_read_the_same_alone_and_in_a_batch() -> None:
    batch = with_times_and_routes()
    table = {
        "adyen": {"acquirer": "A", "countries": ("DE", "US"), "cost": 0.1},
        "checkout": {"acquirer": "B", "countries": "US"},
    }
    features = learn_vw_features(batch, table, merchant_own=True, attempt_times=True)
    names = {column.name for column in features.action}
    assert names >= {*CLOCK, *WAITS, "acquirer", "cost", "domestic"}
    writer = VwText(features)
    together = [text for block in writer.blocks(batch) for text in block.to_pylist()]
    decisions = batch.decisions()
    assert together == [writer.one(decisions.take(slice(row, row + 1))) for row in range(batch.n)]
    known = [text for text in together if "attempt_hour#" in text]
    assert 0 < len(known) < len(together)


def test_routes_go_without_their_names_where_that_is_asked_for_alone_and_in_a_batch() -> None:
    batch = with_times_and_routes()
    nameless = np.arange(batch.m) % 3 == 0
    writer = VwText(learn_vw_features(batch, {"adyen": {"acquirer": "A"}}))
    together = [
        text for block in writer.blocks(batch, nameless=nameless) for text in block.to_pylist()
    ]
    lines = [line for text in together for line in text.split("\n")[1:-2]]
    assert [line.startswith("|route route? ") for line in lines] == nameless.tolist()
    for row in range(0, batch.n, 7):
        of_row = nameless[batch.offsets[row] : batch.offsets[row + 1]]
        assert writer.one(batch.decisions().take(slice(row, row + 1)), of_row) == together[row]


def test_some_of_what_is_learned_from_has_no_names_where_routes_have_properties() -> None:
    batch = with_times_and_routes(800)
    batch = replace(batch, action_features={})
    labels = pa.array(["0:0:1"] * batch.n)
    shares = []
    for table in ({"adyen": {"acquirer": "A"}, "checkout": {"acquirer": "B"}}, {}):
        blocks = VwText(learn_vw_features(batch, table)).blocks(batch, labels)
        nameless = ["route? " in text for block in blocks for text in block.to_pylist()]
        shares.append(np.mean(nameless))
    assert shares[0] == pytest.approx(vw_text.NAMELESS, abs=0.04)
    assert shares[1] == 0.0


def test_without_delays_the_time_of_the_attempt_is_that_of_the_decision_and_said_once() -> None:
    batch = with_times_and_routes()
    batch = replace(batch, action_delay_s=np.zeros(batch.m, np.int64))
    names = {column.name for column in learn_vw_features(batch, attempt_times=True).action}
    assert names.isdisjoint({*CLOCK, *WAITS})


def test_a_merchant_gets_weights_of_its_own_beside_those_that_all_share() -> None:
    batch = with_times_and_routes()
    shared = learn_vw_features(batch).interactions
    own = learn_vw_features(batch, merchant_own=True).interactions
    assert {"mr", "md", "mcr"} == set(own) - set(shared)
    assert set(shared) <= set(own)


def test_pairs_of_context_columns_meet_the_route_where_that_is_asked_for() -> None:
    batch = with_times_and_routes()
    plain = learn_vw_features(batch)
    pairs = learn_vw_features(batch, context_pairs=True)
    assert {"ccr", "ctr", "ttr"} == set(pairs.interactions) - set(plain.interactions)
    assert "--interactions ccr" in " ".join(pairs.arguments)


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
    initials = [name[0] for name in vw_features._NAMESPACES]
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
