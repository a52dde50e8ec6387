"""What a report says of itself: its title, and its verdict in a few words.

Anybody who may add a report may send any text, so that every step here takes time in proportion to
its length; the standard library's parser takes the square of it, and more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

LONGEST = 600
# What a report says stands at its beginning, but for the script and the look that it brings along.
_READ = 128 * 1024
_CODE = re.compile(r"<(script|style)\b", re.IGNORECASE)
_END_OF = {name: re.compile(rf"</{name}\b[^<>]*>?", re.IGNORECASE) for name in ("script", "style")}
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)([^<>]*)>")
_CLASS = re.compile(r"""\bclass\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""", re.IGNORECASE)
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "path", "circle", "rect"})


@dataclass(frozen=True, slots=True)
class Told:
    """The title, and the text of the paragraphs of its verdict; empty where it has none."""

    title: str
    verdict: str


def told_by(page: str) -> Told:
    """Read it from the title and the first element of the class ``verdict``, at the beginning."""
    text, reader, at = _beginning(page), _Reader(), 0
    for tag in _TAG.finditer(text):
        reader.take_text(text[at : tag.start()])
        closing, name, attributes = tag.groups()
        if closing:
            reader.take_end(name.lower())
        else:
            reader.take_start(name.lower(), attributes)
        at = tag.end()
    reader.take_text(text[at:])
    return Told(_cut("".join(reader.title)), _cut("".join(reader.verdict)))


def _beginning(page: str) -> str:
    """The first characters of a page without its scripts and styles."""
    kept, length, at = [], 0, 0
    while length < _READ:
        code = _CODE.search(page, at)
        kept.append(page[at : min(len(page) if code is None else code.start(), at + _READ)])
        length += len(kept[-1])
        end = None if code is None else _END_OF[code[1].lower()].search(page, code.end())
        if end is None:
            break
        at = end.end()
    return "".join(kept)[:_READ]


@dataclass(slots=True)
class _Reader:
    """Collects text while it is within the title, or within a paragraph of the verdict."""

    title: list[str] = field(default_factory=list)
    verdict: list[str] = field(default_factory=list)
    in_title: bool = False
    depth: int = 0
    in_paragraph: bool = False

    def take_start(self, tag: str, attributes: str) -> None:
        if tag == "title" and not self.title:
            self.in_title = True
        if tag in _VOID:
            return
        if self.depth:
            self.depth += 1
            self.in_paragraph = tag == "p" or self.in_paragraph
        elif not self.verdict and _is_verdict(attributes):
            self.depth, self.in_paragraph = 1, tag == "p"

    def take_end(self, tag: str) -> None:
        if tag == "title":
            self.in_title = False
        if self.depth and tag not in _VOID:
            self.depth -= 1
            if tag == "p" or not self.depth:
                self.in_paragraph = False
                self.verdict.append(" ")

    def take_text(self, text: str) -> None:
        if self.in_title:
            self.title.append(unescape(text))
        if self.in_paragraph:
            self.verdict.append(unescape(text))


def _is_verdict(attributes: str) -> bool:
    found = _CLASS.search(attributes)
    return found is not None and "verdict" in "".join(filter(None, found.groups())).split()


def _cut(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1].rsplit(' ', 1)[0]}…"
