"""No struct is decoded for the first time by two threads at once, which would end the process."""

from __future__ import annotations

import gc

import msgspec
from flask import Flask

from service.known_structs import known_structs


def is_known(form: type[msgspec.Struct]) -> bool:
    """Whether msgspec has looked at a struct's fields; it keeps what it found with the class."""
    return any(type(each).__name__ == "StructInfo" for each in gc.get_referents(form))


class NeverDecoded(msgspec.Struct):
    """A struct that nobody looks at."""

    field: int = 0


def test_a_struct_that_was_not_looked_at_can_be_told() -> None:
    assert not is_known(NeverDecoded)


def test_all_structs_are_known_before_the_first_request(app: Flask) -> None:
    forms = list(known_structs())
    assert len(forms) > 20
    assert [form.__name__ for form in forms if not is_known(form)] == []
