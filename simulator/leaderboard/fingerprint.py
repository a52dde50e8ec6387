"""What a result depends on, in one hash: source, tables and versions."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import authopt

ROOT = Path(authopt.__file__).parents[1]
PACKAGES = ("authopt", "simulator")
DISTRIBUTIONS = ("numpy", "scipy", "vowpalwabbit")

_WITHOUT = (
    "authopt.cli",
    "authopt.evaluation",
    "authopt.logs",
    "authopt.look",
    "authopt.policies.spec",
    "authopt.terminal",
)
"""Reports, files and the list of names: no decision depends on them."""


@lru_cache(maxsize=256)
def code_hash(modules: tuple[str, ...]) -> str:
    """A hash of the source of modules and of all project modules that they import.

    Comments, docstrings and layout do not count. Tables (CSV, TOML) beside the modules do, and so
    do the versions of ``DISTRIBUTIONS``.
    """
    seen = hashlib.sha256()
    for name in sorted(_closure(modules)):
        path = _path_of(name)
        assert path is not None
        seen.update(f"{name}:{_hash_of_source(path)}".encode())
        if path.name == "__init__.py":
            for table in sorted((*path.parent.glob("*.csv"), *path.parent.glob("*.toml"))):
                seen.update(table.name.encode() + hashlib.sha256(table.read_bytes()).digest())
    for each in DISTRIBUTIONS:
        seen.update(f"{each}=={version(each)}".encode())
    return seen.hexdigest()


def _closure(modules: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or name.startswith(_WITHOUT):
            continue
        path = _path_of(name)
        if path is None:
            continue
        found.add(name)
        waiting += [name.rpartition(".")[0], *_imported(path)]
    return found


def _path_of(module: str) -> Path | None:
    """The file of a module of the project; None where it is none."""
    if module.partition(".")[0] not in PACKAGES:
        return None
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@lru_cache(maxsize=1024)
def _imported(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names += [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            # What is imported from a package may be a module of it.
            names += [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
    return tuple(names)


@lru_cache(maxsize=1024)
def _hash_of_source(path: Path) -> str:
    tree = _tree(path)
    for body in _bodies(tree):
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body[0].value = ast.Constant(None)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _bodies(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.body


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())
