"""A policy's files as one archive, so that the registry can hold them and any machine load them.

The archive is an uncompressed tar with sorted names and neither times nor owners: the same files
make the same bytes, and so the same sha256.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from authopt.errors import UserError
from authopt.policies import spibb
from authopt.policies.vw_manifest import manifest_path
from service.active_policy import model_file

FOLDER = spibb.FOLDER
"""Stands in an archived policy's spec for the folder that its files are unpacked into."""

MAX_FILES = 32
MAX_BYTES = 256 * 2**20
MAX_SPEC = 256

_NAMES_OTHERS = "spibb"
"""The family whose file names the files of two other policies."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A policy that can be made anywhere.

    Attributes
    ----------
    spec
        with ``{}`` where the folder of the files stands, such as ``vw:{}/model.vw,epsilon=0.05``.
    files
        the tar.
    """

    spec: str
    files: bytes

    @property
    def sha256(self) -> str:
        """Of the tar."""
        return hashlib.sha256(self.files).hexdigest()


def archive(spec: str) -> Archive:
    """Put the files that a policy's spec names, and those that belong to them, into an archive.

    Raises
    ------
    UserError
        If the spec names no file that exists, or what cannot stand alone in an archive.
    """
    head, _, rest = spec.strip().rpartition("+")
    main = model_file(rest)
    if main is None:
        raise UserError(
            f"policy {spec!r} names no file that exists. A policy without a file needs no adding: "
            "promote it by its spec"
        )
    paths = {main.name: main}
    template = rest.replace(str(main), f"{FOLDER}/{main.name}", 1)
    for beside in _beside(main):
        paths[beside.name] = beside
    for piece in template.split(",")[1:]:
        key, equals, value = piece.partition("=")
        other = Path(value.strip().removeprefix("money:"))
        if not equals or not value.strip() or not other.is_file():
            continue
        if other.name in paths:
            raise UserError(f"policy {spec!r}: two of its files are named {other.name}")
        paths[other.name] = other
        template = template.replace(piece, f"{key}={FOLDER}/{other.name}")
    template = f"{head}+{template}" if head else template
    if len(template) > MAX_SPEC:
        raise UserError(f"policy {spec!r}: expected at most {MAX_SPEC} characters")
    files = {name: _read(path) for name, path in paths.items()}
    if rest.partition(":")[0].strip() == _NAMES_OTHERS:
        files |= _with_others(main)
    return Archive(template, tar(files))


def archive_folder(spec: str, folder: Path) -> Archive:
    """All files of a folder, for a spec that has ``{}`` in their place already."""
    return Archive(spec, tar({path.name: _read(path) for path in folder.iterdir()}))


def tar(files: dict[str, bytes]) -> bytes:
    """Files by name as a tar whose bytes depend on nothing else.

    Raises
    ------
    UserError
        If they are too many or too large.
    """
    size = sum(map(len, files.values()))
    if len(files) > MAX_FILES or size > MAX_BYTES:
        raise UserError(
            f"{len(files)} files with {size:,} bytes are too much for one model; expected at most "
            f"{MAX_FILES} with {MAX_BYTES:,}"
        )
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as out:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            out.addfile(entry, io.BytesIO(files[name]))
    return target.getvalue()


def untar(data: bytes) -> dict[str, bytes]:
    """Files by name; plain files only, with plain names.

    Raises
    ------
    UserError
        If it is no such archive.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as source:
            for entry in source:
                content = source.extractfile(entry) if entry.isfile() else None
                if content is None or Path(entry.name).name != entry.name:
                    raise UserError(f"the archive holds {entry.name!r}, which is no plain file")
                found[entry.name] = content.read()
    except tarfile.TarError as error:
        raise UserError(f"the archive of the model is damaged: {error}") from None
    return found


@contextmanager
def unpacked(archived: Archive) -> Iterator[str]:
    """The spec of the archived policy, while its files lie in a folder that is removed after."""
    with TemporaryDirectory(prefix="authopt.") as folder:
        for name, data in untar(archived.files).items():
            (Path(folder) / name).write_bytes(data)
        yield archived.spec.replace(FOLDER, folder)


def _beside(main: Path) -> Iterator[Path]:
    """What belongs to a policy's file: a manifest, and the files of what it wraps."""
    manifest = manifest_path(main)
    if manifest.is_file():
        yield manifest
    wrapped = main.with_name(f"{main.stem}.wrapped{main.suffix}")
    if wrapped.is_file():
        yield wrapped
        yield from _beside(wrapped)


def _with_others(main: Path) -> dict[str, bytes]:
    """A spibb policy's file and those that it names, all in one folder."""
    state = spibb.read_spibb(main)
    files: dict[str, bytes] = {}
    specs = {"candidate": state.candidate, "live": state.live}
    for role, spec in specs.items():
        if spec.rpartition("+")[2].partition(":")[0].strip() == _NAMES_OTHERS:
            raise UserError(f"{main}: its {role} policy is a spibb policy too; expected another")
        if model_file(spec.rpartition("+")[2]) is None:
            continue
        other = archive(spec)
        files |= {f"{role}.{name}": data for name, data in untar(other.files).items()}
        specs[role] = other.spec.replace(f"{FOLDER}/", f"{FOLDER}/{role}.")
    if main.name in files:
        raise UserError(f"{main}: its name is one that its other files need; give it another")
    files[main.name] = msgspec.json.encode(msgspec.structs.replace(state, **specs))
    return files


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
