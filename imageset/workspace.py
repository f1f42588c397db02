"""Puts the files of a package into a workspace, and what `dvc.lock` vouches for into DVC's cache.

For the command line only: this is the one module of the library that knows DVC (its Python interface, as pinned in
requirements.lock).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import quilt3
import yaml
from dvc.repo import Repo

from imageset.errors import UserError
from imageset.packages import differing, fetch_files

_LOCK = "dvc.lock"
# Where a package may put files.
_FOLDERS = ("data/", "models/", "reports/")
_FILES = ("ATTRIBUTION.csv", _LOCK, "dvc.yaml", "environment.yml", "params.yaml", "requirements.lock")
# What a user may have changed on purpose; a package's own copies are taken only on demand.
_KEPT = ("params.yaml", _LOCK, "dvc.yaml")


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
        Take the package's version of every file.

    Raises
    ------
    UserError
        When the registry lacks a file or has an altered one, or the workspace has local changes and `force` is not
        set. Nothing is changed then.
    """
    _refuse_strange(package)
    kept: list[str] = []
    with tempfile.TemporaryDirectory(dir=workspace, prefix=".imageset-pull-") as staging:
        fetch_files(package, Path(staging))
        changed = changed_files(package, workspace)
        if not force:
            here = [key for key in changed if (workspace / key).exists()]
            kept = [key for key in here if key in _KEPT]
            _refuse_to_lose([key for key in here if key not in _KEPT])
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
    """
    changed = differing(package, workspace)
    if _LOCK in changed and (workspace / _LOCK).exists():
        published = _stages(Path(package[_LOCK].physical_key.path))
        here = _stages(workspace / _LOCK)
        if all(here.get(name) == stage for name, stage in published.items()):
            changed.remove(_LOCK)
    return changed


def _refuse_strange(package: quilt3.Package) -> None:
    """A package brings data and results, never code that `dvc repro` or Python would run unasked."""
    strange = [key for key, _ in package.walk() if not key.startswith(_FOLDERS) and key not in _FILES]
    if strange:
        raise UserError(
            f"the package has files that do not belong into a workspace: {', '.join(strange[:5])}; "
            f"it may fill {', '.join(_FOLDERS)} and bring {', '.join(_FILES)}"
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
        return dict(yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{lock} is not a lock file of DVC") from error


def _into_cache(workspace: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Commit to DVC's cache the outs whose hashes are those of `dvc.lock`, and only those.

    Without it DVC would run every stage again although nothing changed: an out that is not in the cache counts as
    changed. Returns the outs that differ from the lock, and those that are not there.
    """
    unlike, missing = [], []
    with Repo(str(workspace)) as repo, repo.lock:
        for out in (out for stage in repo.index.stages for out in stage.outs if out.use_cache):
            if not out.exists:
                missing.append(str(out))
            elif out.changed_checksum():
                unlike.append(str(out))
            else:
                out.save()
                out.commit()
    return tuple(sorted(unlike)), tuple(sorted(missing))
