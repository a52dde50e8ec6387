"""The audit of a damaged log: a clear error or counted rejections, and no row unaccounted for."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.logs.audit_command import audit
from authopt.logs.files import write_log
from tests.factories import logged_batch

ROWS = 30


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".dsjson"])
@settings(max_examples=40)
@given(data=st.data())
def test_a_damaged_log_is_named_or_every_row_is_accounted_for(
    suffix: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / f"log{suffix}"
    write_log(path, [logged_batch(ROWS)])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        # A line break more or less would change how many rows there are.
        put_in = data.draw(st.binary(min_size=1, max_size=4)).replace(b"\n", b"x")
        put_in = put_in.replace(b"\r", b"x").replace(b'"', b"x")
        if b"\n" in content[place : place + len(put_in)]:
            continue
        content[place : place + len(put_in)] = put_in
    path.write_bytes(bytes(content))
    result = CliRunner().invoke(audit, [str(path), "--json"])
    if result.exception is not None:
        assert isinstance(result.exception, UserError | SystemExit), result.exception
        assert str(path) in str(result.exception) or result.exit_code == 2
        return
    answer = json.loads(result.stdout)
    assert answer["sound"] + answer["rejected"] == answer["rows"] == ROWS


@given(content=st.binary(max_size=400))
@settings(max_examples=40)
def test_any_bytes_are_a_clear_error_or_no_rows(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "log.csv"
    path.write_bytes(content)
    result = CliRunner().invoke(audit, [str(path), "--json"])
    assert result.exception is None or isinstance(result.exception, UserError)
