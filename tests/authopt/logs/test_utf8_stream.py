"""Bad bytes are escaped wherever the reads happen to cut them; all else passes unchanged."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from authopt.logs.utf8_stream import Utf8Stream


def read(data: bytes, size: int) -> bytes:
    stream = Utf8Stream(io.BytesIO(data))
    return b"".join(iter(lambda: stream.read(size), b""))


@given(st.text(), st.integers(1, 9))
def test_text_passes_unchanged(text: str, size: int) -> None:
    data = text.encode(errors="replace")
    assert read(data, size) == data


@given(st.binary(), st.integers(1, 9))
def test_the_result_is_text_and_no_byte_is_lost(data: bytes, size: int) -> None:
    text = read(data, size).decode()
    assert text.count("\0\\x") >= data.decode(errors="replace").count("\ufffd") - data.count(
        "\ufffd".encode()
    )
    assert read(data, size) == read(data, 1 << 20)


def test_a_bad_byte_is_escaped() -> None:
    assert read(b"a\xffb", 2) == b"a\0\\xffb"
