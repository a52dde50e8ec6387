"""Let msgspec learn all structs while there is one thread.

msgspec looks at a struct's fields when it is first decoded, and shows what it has found before it
has found everything: of two threads that decode a struct for the first time at once, one may read a
field that is not there yet, and the process dies of a segmentation fault (seen with msgspec 0.22,
as a worker's first requests came). So all structs are looked at before there are requests.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

_PACKAGES = ("authopt", "service")


def learn_structs() -> None:
    """Look at every struct of the packages that has been imported."""
    for form in known_structs():
        msgspec.json.Decoder(form)


def known_structs() -> Iterator[type[msgspec.Struct]]:
    """The structs of the packages that have been imported."""
    waiting = [msgspec.Struct]
    while waiting:
        below = waiting.pop().__subclasses__()
        waiting += below
        yield from (each for each in below if each.__module__.partition(".")[0] in _PACKAGES)
