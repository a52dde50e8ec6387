"""How a wrapper saves the policy that it wraps: in a file of its own, beside the wrapper's."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from authopt.errors import UserError
from authopt.policies.protocol import Policy

_OURS = "authopt.policies."


class WrappedRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a wrapped policy is: its class as ``module:name``, and its file's name."""

    kind: str
    file: str


def save_wrapped(policy: Policy, path: Path) -> WrappedRecord | None:
    """Save what the wrapper at ``path`` wraps, as ``STEM.wrapped.SUFFIX`` in the same folder.

    Returns
    -------
    WrappedRecord or None
        None where the policy has nothing to save.
    """
    save = getattr(policy, "save", None)
    if save is None:
        return None
    file = f"{path.stem}.wrapped{path.suffix}"
    save(path.with_name(file))
    return WrappedRecord(f"{type(policy).__module__}:{type(policy).__qualname__}", file)


def load_wrapped(path: Path, record: WrappedRecord) -> Policy:
    """Load what :func:`save_wrapped` saved for the wrapper at ``path``.

    Raises
    ------
    UserError
        If the record names no policy, or its file is missing or unsound.
    """
    module, _, name = record.kind.partition(":")
    kind: Any = None
    # A file must not have any code run but the policies' own.
    if module.startswith(_OURS) and name.isidentifier():
        try:
            kind = getattr(import_module(module), name, None)
        except ImportError:
            kind = None
    if not isinstance(kind, type) or not hasattr(kind, "load"):
        raise UserError(f"{path}: {record.kind!r} is no policy that can be loaded")
    if not record.file or Path(record.file).name != record.file:
        raise UserError(f"{path}: {record.file!r} is no name of a file in the same folder")
    policy = kind.load(path.with_name(record.file))
    assert isinstance(policy, Policy)
    return policy
