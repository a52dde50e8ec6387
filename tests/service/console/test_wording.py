"""Values as the console shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.console.wording import SHOWN, shown

AT = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (1_234_567, "count", "1,234,567"),
        (-3, "count", "−3"),
        (0.87123, "rate", "87.12%"),
        (0.0042, "points", "+0.42"),
        (-0.0142, "points", "−1.42"),
        (0.25, "chance", "0.2500"),
        (12.3456, "number", "12.35"),
        (187_500, "span", "2 d 4 h"),
        (3_600, "span", "1 h"),
        (86_405, "span", "1 d"),
        (0, "span", "0 s"),
        ("<b>", "text", "<b>"),
        ("<b>", "code", "<code>&lt;b&gt;</code>"),
        ("a" * 64, "sha", f'<code title="{"a" * 64}">{"a" * 12}</code>'),
        (AT, "moment", '<time datetime="2026-03-01T12:34:56+00:00">2026-03-01 12:34</time>'),
        (
            AT.astimezone(timezone(timedelta(hours=9))),
            "moment_s",
            '<time datetime="2026-03-01T12:34:56.000+00:00">2026-03-01 12:34:56</time>',
        ),
    ],
)
def test_a_value_is_shown(value: object, kind: str, text: str) -> None:
    assert shown(value, kind) == text


@pytest.mark.parametrize("kind", sorted(SHOWN))
def test_no_value_is_a_dash(kind: str) -> None:
    assert shown(None, kind) == "—"
