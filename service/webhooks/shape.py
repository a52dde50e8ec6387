"""What a provider's webhooks look like, and which outcomes they tell: a table, not code.

authopt ships the shapes of some providers beside this module; a merchant's own is a file of the
same form.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from authopt.errors import UserError
from authopt.rules.psp_codes import PspTable, psp_file, read_psp_codes
from service.api.forms import OutcomeRequest

FOLDER = Path(__file__).with_name("shapes")
PSP_CODE = "psp_code"
"""Beside the fields of an outcome: the provider's own code, which becomes a response code (and
advice) of the networks by the provider's table where the networks' own code is not told."""

FIRST_WORD = "first word"
_FIELDS = frozenset(OutcomeRequest.__struct_fields__) - {"decision_id"}


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a webhook is signed: ``service.webhooks.signatures`` has the schemes."""

    scheme: Literal["timestamped", "hex", "adyen"]
    header: str | None = None


class EventRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an event tells.

    Attributes
    ----------
    when
        values by path; all must hold. Numbers and truth values are compared as text.
    set
        fields of the outcome that are the same for all such events.
    take
        fields of the outcome, by the path of their value in the event; ``| first word`` behind it
        takes what stands before the first space.
    """

    when: dict[str, list[str]]
    set: dict[str, Any] = {}
    take: dict[str, str] = {}


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider's webhooks.

    A path has its steps between points; where a key holds points itself, the longest one counts.

    Attributes
    ----------
    decision_id
        paths where the decision's id may stand; the first that has one counts.
    signature
        how they are signed.
    rule
        the first that holds counts; an event for which none does says nothing of an outcome.
    items, item
        path of a list of events, and of the event within each of its entries; without them the body
        is the event.
    codes
        table of the provider's own codes (``authopt rules``).
    answer
        body that the provider wants back.
    """

    decision_id: Annotated[list[str], Meta(min_length=1)]
    signature: Signature
    rule: Annotated[list[EventRule], Meta(min_length=1)]
    items: str | None = None
    item: str | None = None
    codes: str | None = None
    answer: str | None = None

    @property
    def psp(self) -> PspTable | None:
        """The table of the provider's own codes."""
        return None if self.codes is None else read_psp_codes(psp_file(self.codes))


def shape_names() -> tuple[str, ...]:
    """The shapes that authopt ships."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_shape(name: str) -> Shape:
    """A shape that authopt ships, or a merchant's own file.

    Parameters
    ----------
    name
        a provider, or the path of a file that ends in ``.toml``.

    Raises
    ------
    UserError
        If there is none, or it is unsound.
    """
    if not name.endswith(".toml") and name not in shape_names():
        raise UserError(
            f"webhooks: there is no shape {name!r}; expected one of {', '.join(shape_names())}, or "
            "a file of your own that ends in .toml"
        )
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        shape = msgspec.convert(tomllib.loads(path.read_text()), Shape)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise UserError(f"{path}: {error}") from None
    _check(shape, path)
    return shape


def _check(shape: Shape, path: Path) -> None:
    if shape.signature.scheme != "adyen" and not shape.signature.header:
        raise UserError(f"{path}: [signature] header: name the header that holds the signature")
    for at, rule in enumerate(shape.rule):
        if not rule.when:
            raise UserError(f"{path}: rule {at + 1}: when: expected at least one path")
        for name in (*rule.set, *rule.take):
            if name not in _FIELDS and not (name == PSP_CODE and name in rule.take):
                raise UserError(
                    f"{path}: rule {at + 1}: {name!r} is no field of an outcome; expected one of "
                    f"{', '.join(sorted(_FIELDS))}"
                )
        if PSP_CODE in rule.take and shape.codes is None:
            raise UserError(f'{path}: rule {at + 1}: psp_code needs codes = "PROVIDER" at the top')
        for name, taken in rule.take.items():
            _, bar, how = taken.partition("|")
            if bar and how.strip() != FIRST_WORD:
                raise UserError(
                    f"{path}: rule {at + 1}: take {name}: {how.strip()!r} is not known; expected "
                    f"{FIRST_WORD!r}"
                )
    if shape.codes is not None:
        read_psp_codes(psp_file(shape.codes))
