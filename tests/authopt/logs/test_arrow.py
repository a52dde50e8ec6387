"""A batch written to Arrow and read back says the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from authopt.batch import Categorical
from authopt.errors import UserError
from authopt.logs.arrow import from_arrow, to_arrow
from authopt.logs.schema import (
    VERSION_KEY,
    PropensitySource,
    check_columns,
    check_version,
    propensity_source,
)
from tests.authopt.test_batch import MIXED, rows


def test_a_batch_survives_the_round_trip() -> None:
    assert rows(from_arrow(to_arrow(MIXED))) == rows(MIXED)


def test_a_slice_of_the_records_is_the_slice_of_the_batch() -> None:
    assert rows(from_arrow(to_arrow(MIXED).slice(7, 9))) == rows(MIXED)[7:16]


def test_every_kind_of_column_survives_with_its_missing_values() -> None:
    n = MIXED.n
    missing = np.arange(n) % 3 == 0
    token = np.where(missing, np.nan, np.arange(n) % 2)
    batch = replace(
        MIXED,
        context={
            **MIXED.context,
            "token": token,
            "issuer": Categorical(np.where(missing, -1, 0).astype(np.int32), ("bank",)),
            "card_ref": pa.array([None if gone else f"c{i}" for i, gone in enumerate(missing)]),
            "x_score": np.where(missing, np.nan, np.arange(n) / 7),
        },
        action_features={"rate": np.arange(MIXED.m) / 3},
        outcome={
            **MIXED.outcome,
            "outcome_at": np.where(missing, np.datetime64("NaT"), MIXED.decided_at),
        },
    )
    back = from_arrow(to_arrow(batch))
    np.testing.assert_array_equal(back.context["token"], token)
    np.testing.assert_array_equal(back.context["x_score"], batch.context["x_score"])
    np.testing.assert_array_equal(back.action_features["rate"], batch.action_features["rate"])
    np.testing.assert_array_equal(back.outcome["outcome_at"], batch.outcome["outcome_at"])
    assert back.context["issuer"].values() == batch.context["issuer"].values()
    assert back.context["card_ref"].to_pylist() == batch.context["card_ref"].to_pylist()


def test_a_log_without_propensities_reads_as_unknown() -> None:
    records = to_arrow(MIXED).drop_columns(["propensity", "eligible_probability"])
    batch = from_arrow(records)
    assert np.isnan(batch.propensity).all()
    assert batch.probability is None
    assert propensity_source(records.schema.metadata, False) is PropensitySource.UNKNOWN


def test_the_file_says_where_its_propensities_come_from() -> None:
    records = to_arrow(MIXED, PropensitySource.ESTIMATED)
    assert propensity_source(records.schema.metadata, True) is PropensitySource.ESTIMATED


def test_a_newer_schema_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"log\.parquet.*version 99.*Upgrade"):
        check_version({VERSION_KEY: b"99"}, "log.parquet")


def test_missing_and_unknown_columns_are_named() -> None:
    names = to_arrow(MIXED).schema.names
    with pytest.raises(UserError, match="chosen missing"):
        check_columns([name for name in names if name != "chosen"], "log.parquet")
    with pytest.raises(UserError, match=r"unknown column\(s\) colour"):
        check_columns([*names, "colour"], "log.parquet")
