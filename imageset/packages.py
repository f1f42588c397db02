"""Quilt packages in a folder registry: build one, open one, fetch its files, tell which files differ.

A registry is a folder that can be moved or copied elsewhere: Quilt's manifests, and every file once under `objects/`,
by content. Not for DVC: what belongs into a package is the caller's business (`stages/publish.py`).
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imageset.errors import UserError
from imageset.files import replacing, sha256_of

# Quilt reports every call to its makers unless this is set before it is imported.
os.environ.setdefault("QUILT_DISABLE_USAGE_METRICS", "true")
os.environ.setdefault("QUILT_MINIMIZE_STDOUT", "true")

import quilt3

_MANIFESTS = Path(".quilt/packages")
_POINTERS = Path(".quilt/named_packages")
_TOP_HASH = re.compile("[0-9a-f]{64}")
# What Quilt raises for a manifest that is none, or not whole.
_UNREADABLE = (
    ValueError, KeyError, TypeError, AttributeError, EOFError,
    quilt3.util.QuiltException, quilt3.exceptions.PackageException,
)  # fmt: skip


class NotInRegistryError(UserError):
    """A registry has no such package, or no such version of it."""


@dataclass(frozen=True)
class BuiltPackage:
    """What was built: Quilt's top hash (64 hex digits), number of files and their bytes."""

    top_hash: str
    files: int
    bytes: int


def build_package(files: Mapping[str, Path], meta: Mapping[str, Any], name: str, registry: Path) -> BuiltPackage:
    """Put files into a registry as a new version of a package.

    Parameters
    ----------
    files : mapping of str to Path
        Logical key (a relative POSIX path) to the file.
    meta : mapping
        Metadata of the package; enters the top hash.
    name : str
        `namespace/name`.
    registry : Path
        The folder; made when it is missing.

    Returns
    -------
    BuiltPackage
        The same files and metadata give the same top hash in any registry, under any name.

    Raises
    ------
    UserError
        When the registry cannot be written. What was in it before is unchanged: a version is seen when its manifest
        is renamed into place, after all its objects.
    """
    try:
        registry.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=registry, prefix=".building-") as scratch:
            package = _hashed(files, dict(meta), name, Path(scratch))
            for key, entry in package.walk():
                stored = _object_path(registry, entry)
                # A file that was damaged since then is put right here too.
                if not stored.exists() or sha256_of(stored) != sha256_of(files[key]):
                    with replacing(stored) as temporary:
                        shutil.copyfile(files[key], temporary)
                # Quilt's own commands find the files by this path while the registry stays where it is; ours, which
                # look into the registry itself, also when it was moved.
                package.set(key, entry.with_physical_key(quilt3.util.PhysicalKey.from_path(stored)))
            top_hash = package.build(name, registry=scratch)
            _publish_manifest(Path(scratch), registry, name, top_hash)
    except OSError as error:
        raise UserError(
            f"the registry {registry} cannot be written: {error.strerror}; a registry is a folder that you may write "
            "to, on a disk with space: change that, or move away what is there"
        ) from error
    sizes = [entry.size for _, entry in package.walk()]
    return BuiltPackage(top_hash, len(sizes), sum(sizes))


def open_package(name: str, registry: Path, top_hash: str | None = None) -> quilt3.Package:
    """Open a version of a package in a folder registry.

    Parameters
    ----------
    name : str
        `namespace/name`.
    registry : Path
    top_hash : str, optional
        The version, or the first six or more digits of it; the latest when left out.

    Raises
    ------
    UserError
        When there is no such registry, when the manifest is damaged or does not have its top hash, or when it names a
        path outside the folder that it is fetched to.
    NotInRegistryError
        When there is no such package or version.
    """
    if not registry.is_dir():
        raise UserError(
            f"there is no registry at {registry}; a registry is a folder: name one with --registry, or build one in "
            "the project with `dvc repro -f -s publish`"
        )
    # Quilt's own look-ups stumble over stray files, and join what they read to a path.
    known = sorted(path.relative_to(registry / _POINTERS).as_posix() for path in (registry / _POINTERS).glob("*/*/"))
    if name not in known:
        raise NotInRegistryError(f"{registry} has no package {name}; it has: {', '.join(known) or 'none'}")
    version = _version(name, registry, top_hash)
    try:
        package = quilt3.Package.browse(name, registry=str(registry.resolve()), top_hash=version)
        _find_objects(package, registry)
        whole = package.top_hash == version
    except _UNREADABLE as error:
        raise UserError(f"the manifest of {name} in {registry} is damaged: {error}; copy the registry again") from error
    if not whole:
        raise UserError(f"the manifest of {name} in {registry} is not the one that its top hash was made from")
    return package


def fetch_files(package: quilt3.Package, folder: Path) -> None:
    """Copy all files of a package into a folder.

    Raises
    ------
    UserError
        When the registry lacks a file, or a file differs from the manifest; the message names them.
    """
    for key, entry in package.walk():
        source = Path(entry.physical_key.path)
        if not source.is_file():
            raise UserError(f"the registry lacks the content of {key}; copy the whole registry, or build it again")
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    if wrong := differing(package, folder):
        raise UserError(f"not what was published: {', '.join(wrong)}; the registry is damaged, nothing was installed")


def checked_object(package: quilt3.Package, key: str) -> Path:
    """Where the registry has a file of a package.

    Raises
    ------
    UserError
        When the file is missing or is not what was published.
    """
    stored = Path(package[key].physical_key.path)
    with tempfile.TemporaryDirectory() as scratch:
        if not stored.is_file() or _hashed({key: stored}, {}, "one/file", Path(scratch))[key].hash != package[key].hash:
            raise UserError(f"the registry is damaged: its {key} is not what was published; copy or build it again")
    return stored


def differing(package: quilt3.Package, folder: Path) -> list[str]:
    """Names of the package's files that a folder lacks or has with other content, sorted; every byte is read."""
    here = {key: folder / key for key, _ in package.walk() if (folder / key).is_file()}
    with tempfile.TemporaryDirectory() as scratch:
        found = _hashed(here, {}, "workspace/files", Path(scratch))
    return sorted(
        key
        for key, entry in package.walk()
        if key not in here or found[key].hash != entry.hash or found[key].size != entry.size
    )


def _hashed(files: Mapping[str, Path], meta: dict[str, Any], name: str, scratch: Path) -> quilt3.Package:
    """A package whose entries have hashes; Quilt computes them when it builds, here into a folder to be thrown away."""
    package = quilt3.Package()
    for key, path in sorted(files.items()):
        package.set(key, str(path))
    package.set_meta(meta)
    package.build(name, registry=str(scratch / "hashed"))
    return package


def _version(name: str, registry: Path, wanted: str | None) -> str:
    """The whole top hash of the wanted version: all its digits, the first six or more of them, or None for latest."""
    pointers = [path for path in (registry / _POINTERS / name).iterdir() if path.is_file()]
    said = {path.name: path.read_text(errors="replace") for path in pointers}
    versions = ", ".join(sorted({text[:12] for text in said.values() if _TOP_HASH.fullmatch(text)})) or "none"
    digits = said.get("latest", "") if wanted is None else wanted
    built = [path.name for path in (registry / _MANIFESTS).glob("*") if path.is_file()]
    found = [top_hash for top_hash in built if _TOP_HASH.fullmatch(top_hash) and top_hash.startswith(digits)]
    if len(found) != 1 or len(digits) < (64 if wanted is None else 6):
        which = "version named latest" if wanted is None else f"version {wanted or repr(wanted)}"
        raise NotInRegistryError(
            f"{registry} has no {which} of {name}; a version is the first six or more digits of its top hash; "
            f"it has: {versions}"
        )
    return found[0]


def _find_objects(package: quilt3.Package, registry: Path) -> None:
    """Point every entry at its object in this registry, whatever path the manifest has."""
    for key, entry in list(package.walk()):
        parts = key.split("/")
        # Into .git, because git runs what lies there.
        if {"", ".", "..", ".git"} & {part.lower() for part in parts} or "\\" in key or "\0" in key:
            raise UserError(f"the package names a path outside the workspace, which is refused: {key!r}")
        package.set(key, entry.with_physical_key(quilt3.util.PhysicalKey.from_path(_object_path(registry, entry))))


def _object_path(registry: Path, entry: Any) -> Path:
    digest = base64.b64decode(entry.hash["value"]).hex()
    return registry.resolve() / "objects" / digest[:2] / digest[2:]


def _publish_manifest(scratch: Path, registry: Path, name: str, top_hash: str) -> None:
    """Move manifest and version pointers from the scratch registry: manifest first, so that no pointer dangles."""
    manifest = _MANIFESTS / top_hash
    pointers = _POINTERS / name
    for relative in (manifest, *(pointers / path.name for path in sorted((scratch / pointers).iterdir()))):
        (registry / relative).parent.mkdir(parents=True, exist_ok=True)
        (scratch / relative).replace(registry / relative)
