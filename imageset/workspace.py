"""Puts the files of a package into a workspace, and what `dvc.lock` vouches for into DVC's cache.

For the command line only: this is the one module of the library that knows DVC (its Python interface, as pinned in
requirements.lock).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import SCMError

from imageset.errors import UserError
from imageset.packages import checked_object, differing, fetch_files

if TYPE_CHECKING:
    # `imageset.packages` silences Quilt before it imports it, so nobody else may be first.
    import quilt3

_LOCK = "dvc.lock"
_PIPELINE = "dvc.yaml"
_REPORT = Path("reports/package.json")
# Where a package may put files.
_FOLDERS = ("data/", "models/", "reports/")
_FILES = ("ATTRIBUTION.csv", _LOCK, _PIPELINE, "environment.yml", "params.yaml", "requirements.lock")
# What a user may have changed on purpose; a package's own copies are taken only on demand.
_KEPT = ("params.yaml", _LOCK, _PIPELINE)


@dataclass(frozen=True)
class Installed:
    """What came of an installation.

    Attributes
    ----------
    files : int
        How many files were put in place, or already were there with the same content.
    kept : tuple of str
        Files of the workspace that differ from the package's and were left as they are.
    unlike_lock : tuple of str
        Outs whose content is not what this workspace's `dvc.lock` has; DVC will make them again.
    missing : tuple of str
        Outs of the pipeline that the package does not bring.
    """

    files: int
    kept: tuple[str, ...]
    unlike_lock: tuple[str, ...]
    missing: tuple[str, ...]


def install(package: quilt3.Package, workspace: Path, *, force: bool) -> Installed:
    """Put a package into a workspace: fetched into an empty folder, checked byte by byte, then moved into place.

    Parameters
    ----------
    package : quilt3.Package
        From `imageset.packages.open_package`.
    workspace : Path
        Root of a clone of the project.
    force : bool
        Take the package's version of every file but `dvc.yaml`: that is code which DVC runs.

    Raises
    ------
    UserError
        When the workspace is no clone, the package has files that do not belong there or have no place, the registry
        lacks a file or has an altered one, or the workspace has local changes and `force` is not set. Nothing is
        changed then.
    """
    require_clone(workspace)
    _refuse_strange(package)
    _refuse_without_place(package, workspace)
    with tempfile.TemporaryDirectory(dir=workspace, prefix=".imageset-pull-") as staging:
        fetch_files(package, Path(staging))
        changed = changed_files(package, workspace)
        here = [key for key in changed if (workspace / key).exists()]
        kept = [key for key in here if key == _PIPELINE or (key in _KEPT and not force)]
        if not force:
            _refuse_to_lose([key for key in here if key not in kept])
        for key in changed:
            if key not in kept:
                (workspace / key).parent.mkdir(parents=True, exist_ok=True)
                (Path(staging) / key).replace(workspace / key)
    unlike, missing = _into_cache(workspace)
    return Installed(len(list(package.walk())), tuple(kept), unlike, missing)


def changed_files(package: quilt3.Package, workspace: Path) -> list[str]:
    """Names of the package's files that the workspace lacks or has with other content, sorted.

    `dvc.lock` counts as the same when what it says of the package's stages is: a package has the lock of the stages
    before `publish`, a workspace that of all.

    Raises
    ------
    UserError
        When a lock file is none, or the registry's is not what was published.
    """
    changed = differing(package, workspace)
    if _LOCK in changed and (workspace / _LOCK).exists():
        published = _stages(checked_object(package, _LOCK))
        here = _stages(workspace / _LOCK)
        if all(here.get(name) == stage for name, stage in published.items()):
            changed.remove(_LOCK)
    return changed


def require_clone(workspace: Path) -> None:
    """Refuse a folder that is not the root of a clone of the project, or that DVC cannot read.

    Raises
    ------
    UserError
    """
    if not (workspace / _PIPELINE).is_file() or not (workspace / ".dvc").is_dir():
        raise UserError(
            f"{workspace.resolve()} is not the root of a clone of the project, with dvc.yaml and .dvc; go there first"
        )
    with _project(workspace) as repo:
        _ = repo.scm, repo.index.outs


def built_here(name: str, workspace: Path) -> str | None:
    """Top hash that the stage `publish` reported in a workspace, or None when it reported no package of this name."""
    try:
        report = json.loads((workspace / _REPORT).read_text(encoding="utf-8"))
        return str(report["top_hash"]) if report["name"] == name else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{_REPORT} is not what publish wrote; restore it, or run `dvc repro -f -s publish`") from error


def _refuse_strange(package: quilt3.Package) -> None:
    """A package brings data and results, never code that `dvc repro` or Python would run unasked."""
    strange = [key for key, _ in package.walk() if key not in _FILES and _is_strange(key)]
    if strange:
        raise UserError(
            f"the package has files that do not belong into a workspace: {', '.join(strange[:5])}; "
            f"it may fill {', '.join(_FOLDERS)} and bring {', '.join(_FILES)}, no hidden files and none of DVC's"
        )


def _is_strange(key: str) -> bool:
    # DVC reads its files in every folder, git its own; some file systems ignore case.
    parts = key.lower().split("/")
    hidden = any(part.startswith(".") or part.endswith(".dvc") for part in parts)
    return not key.startswith(_FOLDERS) or hidden or parts[-1] in (_LOCK, _PIPELINE)


def _refuse_without_place(package: quilt3.Package, workspace: Path) -> None:
    """A link could lead anywhere; and no file takes the place of a folder, not even on demand."""
    for key, _ in package.walk():
        folders = [workspace / folder for folder in PurePosixPath(key).parents]
        blocked = [path for path in folders if path.is_symlink() or (path.exists() and not path.is_dir())]
        if (workspace / key).is_dir():
            blocked.append(workspace / key)
        if blocked:
            raise UserError(
                f"no place for the package's {key}: {blocked[-1]} here is a link, or a file in place of a folder, or "
                "a folder in place of a file; move it away"
            )


def _refuse_to_lose(names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise UserError(
            f"local changes would be lost, these differ from the package's: {', '.join(names[:5])}{more}; "
            "--force takes the package's"
        )


def _stages(lock: Path) -> dict[str, Any]:
    try:
        stages = dict(yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"])
    except (IsADirectoryError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{lock} is not a lock file of DVC") from error
    if not stages:
        raise UserError(f"{lock} is not a lock file of DVC: it has no stages")
    return stages


@contextmanager
def _project(workspace: Path) -> Iterator[Repo]:
    try:
        with Repo(str(workspace)) as repo:
            yield repo
    except (DvcException, SCMError) as error:
        raise UserError(f"DVC cannot work with the project in {workspace.resolve()}: {error}") from error


def _into_cache(workspace: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Commit to DVC's cache the outs whose hashes are those of `dvc.lock`, and only those.

    Without it DVC would run every stage again although nothing changed: an out that is not in the cache counts as
    changed. Returns the outs that differ from the lock, and those that are not there.
    """
    unlike, missing = [], []
    with _project(workspace) as repo, repo.lock:
        for out in (out for stage in repo.index.stages for out in stage.outs if out.use_cache):
            if not out.exists:
                missing.append(str(out))
            elif out.changed_checksum():
                unlike.append(str(out))
            else:
                out.save()
                out.commit()
    return tuple(sorted(unlike)), tuple(sorted(missing))
