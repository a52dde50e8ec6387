"""A split by time keeps payments whole and loses nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.logs import split as split_module
from authopt.logs.files import open_log, read_log, write_log
from authopt.logs.schema import PropensitySource
from authopt.logs.split import TimeQuantile
from authopt.logs.split_command import parse_at, split
from tests.factories import START, logged_batch

LOG = logged_batch(600, attempts_per_payment=3)


def run(*arguments: object) -> dict[str, dict[str, object]]:
    result = CliRunner().invoke(
        split, [*(str(each) for each in arguments), "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    answer: dict[str, dict[str, object]] = json.loads(result.stdout)
    return answer


@given(
    seed=st.integers(0, 20),
    fraction=st.floats(0.05, 0.8),
    spread=st.sampled_from([0, 5, 60]),
)
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_payments_stay_whole_and_nothing_is_lost(
    tmp_path: Path, seed: int, fraction: float, spread: int
) -> None:
    rng = np.random.default_rng(seed)
    late = rng.integers(0, spread + 1, LOG.n) * np.timedelta64(60, "s")
    batch = replace(LOG, decided_at=LOG.decided_at + late).take(rng.permutation(LOG.n))
    log, a, b = (tmp_path / name for name in ("log.parquet", "a.parquet", "b.parquet"))
    write_log(log, [batch], PropensitySource.ESTIMATED)
    answer = run(log, "--at", fraction, "--earlier", a, "--later", b)
    earlier, later = read_log(a), read_log(b)
    early, late_ones = set(earlier.payment_id.to_pylist()), set(later.payment_id.to_pylist())
    assert not early & late_ones
    assert earlier.n + later.n == batch.n
    assert len(early) == answer["earlier"]["payments"]
    assert len(late_ones) == answer["later"]["payments"]
    at = np.datetime64(str(answer["at"]))
    assert later.decided_at.min() >= at
    first: dict[str, np.datetime64] = {}
    for payment, time in zip(earlier.payment_id.to_pylist(), earlier.decided_at, strict=True):
        first[payment] = min(first.get(payment, time), time)
    assert max(first.values()) < at
    assert np.mean(batch.decided_at < at) == pytest.approx(fraction, abs=0.02)
    assert open_log(a).propensity_source is PropensitySource.ESTIMATED


def test_a_time_is_taken_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    write_log(log, [LOG])
    answer = run(
        log, "--at", "2026-01-01T03:01:00+01:00", "--earlier", tmp_path / "a.parquet",
        "--later", tmp_path / "b.dsjson",
    )  # fmt: skip
    # The 41st payment was first tried at 02:00; 02:01 and 02:02 are its later attempts.
    assert answer["earlier"]["decisions"] == 123
    assert answer["later"]["first"] == "2026-01-01T02:03:00.000000"
    assert read_log(tmp_path / "b.dsjson").n == 600 - 123


def test_the_answer_says_what_went_where(tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    write_log(log, [LOG])
    result = CliRunner().invoke(
        split,
        [str(log), "--at", "0.5", "--earlier", str(tmp_path / "a.csv"), "--later",
         str(tmp_path / "b.csv")],
    )  # fmt: skip
    assert "cut at 2026-01-01T05:00:00Z" in result.stdout
    assert "2026-01-01 04:59" in result.stdout


@pytest.mark.parametrize("at", ["0", "1", "1.5", "nan", "soon", "2026-01-01", "2026-01-01T00:00"])
def test_other_cuts_are_refused(at: str) -> None:
    with pytest.raises(UserError, match=r"fraction between 0 and 1.*with its zone"):
        parse_at(at)


def test_a_side_without_decisions_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    write_log(log, [LOG])
    with pytest.raises(UserError, match=r"nothing would be on the later side.*2026-01-01"):
        run(
            log, "--at", "2027-01-01T00:00:00Z", "--earlier", tmp_path / "a.parquet",
            "--later", tmp_path / "b.parquet",
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == [log]


def test_the_log_is_never_overwritten(tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    write_log(log, [LOG])
    with pytest.raises(UserError, match="three different files"):
        run(log, "--at", 0.5, "--earlier", log, "--later", tmp_path / "b.parquet")


def test_an_unsound_row_stops_the_split(tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    write_log(log, [replace(LOG, attempt=np.zeros(LOG.n, np.int32))])
    with pytest.raises(UserError, match="row 1, column 'attempt'"):
        run(log, "--at", 0.5, "--earlier", tmp_path / "a.csv", "--later", tmp_path / "b.csv")
    assert list(tmp_path.iterdir()) == [log]


def test_quantiles_of_very_many_times_are_close_and_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(split_module, "_MOST_TIMES", 1_000)
    rng = np.random.default_rng(0)
    micros = rng.integers(0, 86_400_000_000, 50_000)
    quantile = TimeQuantile()
    for part in np.array_split(START + micros.astype("timedelta64[us]"), 20):
        quantile.add(part)
    assert len(quantile._times) <= 2_500
    at = quantile.at(0.3)
    assert at is not None
    assert np.mean(START + micros.astype("timedelta64[us]") < at) == pytest.approx(0.3, abs=0.01)


def test_the_order_of_columns_and_types_is_kept(tmp_path: Path) -> None:
    log, a, b = (tmp_path / name for name in ("log.parquet", "a.parquet", "b.parquet"))
    write_log(log, [LOG])
    run(log, "--at", 0.5, "--earlier", a, "--later", b)
    schemas = [pa.Table.from_batches(open_log(path).records()).schema for path in (log, a, b)]
    assert schemas[0] == schemas[1] == schemas[2]
