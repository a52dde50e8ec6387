"""The one stylesheet of the console: the look of the reports, and what the console adds to it."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files

THEMES = ("system", "light", "dark")
"""What a person may choose; ``system`` is what the browser says."""

_ROOT = r":root {(?P<rules>[^}]*)}"
_LIGHT = re.compile(r"\A" + _ROOT)
_DARK = re.compile(r"@media screen and \(prefers-color-scheme: dark\) {\s*" + _ROOT)


@cache
def stylesheet() -> tuple[bytes, str]:
    """The sheet, and a name for it that changes with its content."""
    look = files("authopt.look").joinpath("style.css").read_text(encoding="utf-8")
    own = files("service.console").joinpath("console.css").read_text(encoding="utf-8")
    text = "".join((look, _chosen("light", _LIGHT, look), _chosen("dark", _DARK, look), own))
    sheet = text.encode()
    return sheet, hashlib.sha256(sheet).hexdigest()[:12]


def _chosen(theme: str, pattern: re.Pattern[str], look: str) -> str:
    """The colours of one side for who chose it, whatever the browser says."""
    found = pattern.search(look)
    assert found is not None, f"style.css has no colours of the theme {theme}"
    rules = found["rules"].replace("color-scheme: light dark;", "").strip()
    return f":root[data-theme={theme}] {{ color-scheme: {theme}; {rules} }}\n"
