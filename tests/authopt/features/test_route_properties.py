from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from authopt.batch import Categorical, DecisionBatch
from authopt.errors import UserError
from authopt.features.route_properties import (
    COUNTRIES,
    DOMESTIC,
    RouteTable,
    describes_route,
    domestic,
    read_routes,
)
from authopt.features.vw_features import PROPERTIES, learn_vw_features
from authopt.features.vw_text import VwText
from tests.factories import logged_batch

TABLE: RouteTable = {
    "adyen": {"acquirer": "Acme", COUNTRIES: ("DE", "AT"), "cost": 0.1, "banks": ("a", "b")},
    "braintree": {"acquirer": "Acme", COUNTRIES: "US", "cost": 0.3},
    "new": {"acquirer": "Acme", COUNTRIES: ("US",), "cost": 0.3, "note": "young"},
}


def batch(n: int = 40) -> DecisionBatch:
    found = logged_batch(n, routes=("adyen", "braintree", "checkout")).decisions()
    country = Categorical.from_values(("DE", "US", None, "FR")[row % 4] for row in range(n))
    return replace(found, context={**found.context, "issuer_country": country})


def test_a_file_of_routes_reads_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "routes.toml"
    path.write_text(
        '[adyen]\nacquirer = "Acme"\ncountries = ["DE", "AT"]\ncost = 0.1\n'
        '["e|u:"]\ncost = 1\nx = "a b"\n'
    )
    assert read_routes(path) == {
        "adyen": {"acquirer": "Acme", COUNTRIES: ("DE", "AT"), "cost": 0.1},
        "e|u:": {"cost": 1.0, "x": "a b"},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no route is described"),
        ("adyen = 3", "Expected a table per route"),
        ("[adyen]\ncost = {a = 1}", "Expected a table per route"),
        ("[adyen]\ncountries = [1]", "Expected a table per route"),
        ("[adyen]\ncost = nan", "cost of route 'adyen' is nan"),
        (
            '[adyen]\ncost = 1\n[b]\ncost = "dear"',
            "cost of route 'b' is 'dear', but that of 'adyen'",
        ),
        ("[adyen]\ndomestic = 1", "which is derived from 'countries'"),
        ("[adyen", "not a TOML file"),
    ],
)
def test_an_unsound_file_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "routes.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as refused:
        read_routes(path)
    assert str(path) in str(refused.value)


def test_a_route_is_domestic_where_the_issuer_is_in_one_of_its_countries() -> None:
    found = domestic(batch(4), TABLE).reshape(4, 3)
    nan = np.nan
    expected = [[1, 0, nan], [0, 1, nan], [nan, nan, nan], [0, 0, nan]]
    assert np.array_equal(found, expected, equal_nan=True)


def test_properties_that_tell_no_routes_apart_are_left_out() -> None:
    features = learn_vw_features(batch(), TABLE)
    names = [each.name for each in features.action if each.namespace == PROPERTIES]
    assert names == ["banks", "cost", "note", DOMESTIC]
    assert {"cp"} <= set(features.interactions)


def test_the_text_has_a_feature_for_every_name_and_says_what_is_missing() -> None:
    decisions = batch(4)
    text = VwText(learn_vw_features(batch(), TABLE)).one(decisions.take(slice(0, 1)))
    _, adyen, braintree, checkout, *_ = text.split("\n")
    property_of = [line.split("|property ")[1] for line in (adyen, braintree, checkout)]
    assert property_of == [
        "banks=a banks=b cost#0 note? domestic#1 ",
        "banks? cost#1 note? domestic#0 ",
        "banks? cost? note? domestic? ",
    ]


def test_a_column_of_the_batch_goes_before_the_table() -> None:
    decisions = batch(4)
    own = np.full(decisions.m, np.nan)
    own[[0, 2]] = 0.3
    decisions = replace(decisions, action_features={"cost": own})
    writer = VwText(learn_vw_features(batch(), TABLE))
    first = next(iter(writer.blocks(decisions)))[0].as_py()
    assert first == writer.one(decisions.take(slice(0, 1)))
    told = [line.split("|property ")[1] for line in first.split("\n")[1:4]]
    assert ["cost#1" in each for each in told] == [True, True, True]
    assert writer.described(decisions)[:6].tolist() == [True, True, True, True, True, False]


def test_a_column_that_is_the_same_for_a_route_in_all_rows_describes_it() -> None:
    route = np.array([0, 1, 2, 0, 1, 2], np.int32)
    shared = np.array([1.0, 1.0, 2.0, 1.0, np.nan, 2.0])
    assert describes_route(shared, route)
    assert not describes_route(np.array([1.0, 1.0, 2.0, 1.0, 2.0, 2.0]), route)
    assert not describes_route(route.astype(np.float64), route)
    assert not describes_route(np.zeros(6), route)
    assert not describes_route(np.full(6, np.nan), route)
    decisions = replace(batch(2), action_features={"zone": Categorical(route % 2, ("a", "b"))})
    features = learn_vw_features(decisions)
    assert next(each for each in features.action if each.name == "zone").namespace == PROPERTIES
