"""Equality of nested answers, to rounding."""

from __future__ import annotations

import pytest


def assert_same(one: object, other: object) -> None:
    """Assert that two JSON-able answers are the same; numbers to a relative 1e-9."""
    if isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_same(value, other[key])
    elif isinstance(one, list | tuple):
        assert isinstance(other, list | tuple)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-9)
    else:
        assert one == other
