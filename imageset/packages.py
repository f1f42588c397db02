"""Quilt packages in a folder registry: build one, open one, fetch its files, tell which files differ.

A registry is a folder that can be moved or copied elsewhere: Quilt's manifests, and every file once under `objects/`,
by content. Not for DVC: what belongs into a package is the caller's business (`stages/publish.py`).
"""

from __future__ import annotations

import base64
import os
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
                package.set(key, entry.with_physical_key(quilt3.util.PhysicalKey.from_path(stored)))
            top_hash = package.build(name, registry=scratch)
            _publish_manifest(Path(scratch), registry, name, top_hash)
    except OSError as error:
        raise UserError(f"the registry {registry} cannot be written: {error.strerror}") from error
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
        When there is no such registry, package or version, when the manifest is damaged or does not have its top
        hash, or when it names a path outside the folder that it is fetched to.
    """
    if not registry.is_dir():
        raise UserError(f"there is no registry at {registry}; a registry is a folder that `dvc repro publish` made")
    place = str(registry.resolve())
    known = sorted(quilt3.list_packages(place))
    if name not in known:
        raise UserError(f"{registry} has no package {name}; it has: {', '.join(known) or 'none'}")
    try:
        package = quilt3.Package.browse(name, registry=place, top_hash=top_hash)
        _find_objects(package, registry)
        whole = package.top_hash.startswith(top_hash or (registry / _POINTERS / name / "latest").read_text())
    except (FileNotFoundError, quilt3.util.QuiltException) as error:
        versions = ", ".join(sorted({version[:12] for _, version in quilt3.list_package_versions(name, place)}))
        raise UserError(f"{registry} has no version {top_hash or 'latest'} of {name}; it has: {versions}") from error
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, quilt3.exceptions.PackageException) as error:
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


def _find_objects(package: quilt3.Package, registry: Path) -> None:
    """Point every entry at its object in this registry; the manifest has the paths of the machine it was built on."""
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
