"""What the learner is told before any outcome is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.batch import Categorical
from authopt.features.vw_features import VwFeatures
from authopt.policies.online.declared_features import declared_features
from tests.factories import logged_batch

LOG = logged_batch(20, with_stop=True)
COLUMN = Categorical(np.zeros(LOG.n, np.int32), ("one",))


def crossed(features: VwFeatures, column: str, other: str) -> bool:
    """Whether two columns interact, as VW reads namespaces: by their first letters."""
    of = {each.name: each.namespace[0] for each in (*features.context, *features.action)}
    return any({of[column], of[other]} == set(pair) for pair in features.interactions)


@pytest.fixture(scope="module")
def features() -> VwFeatures:
    more = {"x_shop": COLUMN, "issuer": COLUMN, "previous_response_code": COLUMN}
    return declared_features(replace(LOG, context={**LOG.context, **more}))


def test_the_last_decline_bears_on_the_delay_and_not_on_each_route_by_name(
    features: VwFeatures,
) -> None:
    assert crossed(features, "previous_response_code", "delay_s")
    assert not crossed(features, "previous_response_code", "route")
    assert not crossed(features, "attempt", "route")


@pytest.mark.parametrize("column", ["issuer", "x_shop"])
def test_the_issuer_and_columns_of_the_users_own_bear_on_routes_and_delays(
    features: VwFeatures, column: str
) -> None:
    assert crossed(features, column, "route")
    assert crossed(features, column, "delay_s")


def test_namespaces_differ_in_their_first_letters(features: VwFeatures) -> None:
    names = {each.namespace for each in (*features.context, *features.action)}
    assert len({name[0] for name in names}) == len(names)
