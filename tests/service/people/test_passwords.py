"""Which passwords are taken, and how they are kept."""

from __future__ import annotations

import pytest
from argon2 import Type
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from service.people.passwords import (
    MOST,
    check_password,
    drawn_password,
    hashed,
    is_right,
    is_stale,
)
from tests.service.people.quick_hashes import QUICK, REAL

GOOD = "four quiet green lamps"


def test_hashes_are_argon2id_with_at_least_what_rfc_9106_recommends() -> None:
    assert REAL.type is Type.ID
    assert REAL.memory_cost >= 64 * 1024
    assert REAL.time_cost >= 3
    assert REAL.salt_len >= 16


def test_a_real_hash_is_verified_and_is_stale_where_settings_have_changed() -> None:
    kept = REAL.hash(GOOD)
    assert is_right(kept, GOOD)
    assert is_stale(kept)
    assert not is_stale(QUICK.hash(GOOD))


@settings(max_examples=25)
@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_the_password_that_was_kept_is_right_and_no_other(one: str, other: str) -> None:
    import unicodedata

    same = unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other)
    kept = hashed(one)
    assert is_right(kept, one)
    assert is_right(kept, other) is same
    assert one not in kept or len(one) < 4


def test_the_same_letters_are_the_same_password_however_they_are_put_together() -> None:
    assert is_right(
        hashed("caf\N{LATIN SMALL LETTER E WITH ACUTE}"), "cafe\N{COMBINING ACUTE ACCENT}"
    )


def test_nothing_is_right_where_nothing_was_kept_or_the_hash_is_none() -> None:
    assert not is_right(None, "nobody's")
    assert not is_right("no hash", GOOD)


def test_a_password_beyond_the_longest_is_never_right() -> None:
    text = GOOD * 20
    assert len(text) > MOST
    assert not is_right(hashed(text[:MOST]), text)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short one", "12 to 256 characters"),
        ("x" * 257, "12 to 256 characters"),
        ("ababababababab", "5 different characters"),
        ("the Kim of today", "without the user's name"),
        ("4111 1111 1111 1111 two", "card number"),
    ],
)
def test_a_password_that_would_soon_be_guessed_is_refused_without_being_told(
    password: str, why: str
) -> None:
    with pytest.raises(UserError, match=why) as refused:
        check_password(password, "kim")
    assert password not in str(refused.value)


@pytest.mark.parametrize("username", ["kim", "k", "2"])
def test_a_password_that_is_drawn_is_sound_and_another_one_each_time(username: str) -> None:
    drawn = {drawn_password(username) for _ in range(50)}
    assert len(drawn) == 50
    for password in drawn:
        check_password(password, username)


def test_a_good_password_is_taken() -> None:
    check_password(GOOD, "kim")
