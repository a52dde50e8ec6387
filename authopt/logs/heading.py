"""What a text file says of itself: version, source of the propensities, kinds of own columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from authopt.errors import UserError
from authopt.logs.schema import SCHEMA_VERSION, VERSION_KEY, PropensitySource, check_version
from authopt.payments import Kind

_PATTERN = re.compile(
    r"# authopt attempt log v(?P<version>[0-9]+)"
    r"(?:; propensity=(?P<propensity>[a-z]+))?(?:; types=(?P<types>\{.*\}))?"
)

_KINDS = msgspec.json.Decoder(dict[str, Kind])


@dataclass(frozen=True, slots=True)
class Heading:
    """What a text file says of itself.

    Attributes
    ----------
    propensity
        where its propensities come from, if it has any.
    kinds
        kinds of the columns that the user added.
    """

    propensity: PropensitySource = PropensitySource.LOGGED
    kinds: Mapping[str, Kind] = field(default_factory=dict)


def heading_line(heading: Heading) -> str:
    """The heading as a comment line, without its end."""
    text = f"# authopt attempt log v{SCHEMA_VERSION}; propensity={heading.propensity}"
    if heading.kinds:
        text += f"; types={msgspec.json.encode(heading.kinds).decode()}"
    return text


def parse_heading(line: str, where: str) -> Heading | None:
    """The heading out of the first line of a file; None where that is no comment.

    Raises
    ------
    UserError
        If the line is a comment of another form, or of a newer version.
    """
    line = line.strip()
    if line.startswith('"#'):  # a spreadsheet has saved the file again
        line = line.rstrip(",").strip('"').replace('""', '"')
    if not line.startswith("#"):
        return None
    found = _PATTERN.fullmatch(line.rstrip(","))
    try:
        if found is None:
            raise ValueError
        check_version({VERSION_KEY: found["version"].encode()}, where)
        return Heading(
            PropensitySource(found["propensity"] or PropensitySource.LOGGED),
            _KINDS.decode(found["types"] or "{}"),
        )
    except (ValueError, msgspec.DecodeError) as error:
        raise UserError(
            f"{where}: the comment in the first line is not understood. Expected "
            f"'{heading_line(Heading())}', or no comment at all"
        ) from error
