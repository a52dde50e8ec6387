"""What a report says of itself: its title, and its verdict in a few words."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser

LONGEST = 600
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "path", "circle", "rect"})


@dataclass(frozen=True, slots=True)
class Told:
    """The title, and the text of the first paragraph of its verdict; empty where it has none."""

    title: str
    verdict: str


def told_by(page: str) -> Told:
    """Read it from the head of the page and the first element of the class ``verdict``."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return Told(" ".join("".join(reader.title).split()), _cut("".join(reader.verdict)))


class _Reader(HTMLParser):
    """Collects text while it is within the title, or within a paragraph of the verdict."""

    def __init__(self) -> None:
        super().__init__()
        self.title: list[str] = []
        self.verdict: list[str] = []
        self._in_title = False
        self._depth = 0
        self._in_paragraph = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self.title:
            self._in_title = True
        if tag in _VOID:
            return
        if self._depth:
            self._depth += 1
            self._in_paragraph = tag == "p" or self._in_paragraph
        elif not self.verdict and "verdict" in (dict(attrs).get("class") or "").split():
            self._depth, self._in_paragraph = 1, tag == "p"

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if self._depth and tag not in _VOID:
            self._depth -= 1
            if tag == "p" or not self._depth:
                self._in_paragraph = False
                self.verdict.append(" ")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        if self._in_paragraph:
            self.verdict.append(data)


def _cut(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1].rsplit(' ', 1)[0]}…"
