"""A package into a workspace: what is refused before anything is touched. That it works is shown in test_pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageset.errors import UserError
from imageset.packages import build_package, open_package
from imageset.workspace import changed_files, install


def package_of(tmp_path: Path, files: dict[str, str]):
    sources = {}
    for key, text in files.items():
        sources[key] = tmp_path / "made" / key
        sources[key].parent.mkdir(parents=True, exist_ok=True)
        sources[key].write_text(text)
    build_package(sources, {}, "a/b", tmp_path / "registry")
    return open_package("a/b", tmp_path / "registry")


def files_of(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name", ["stages/train.py", "conftest.py", "imageset/cli.py", ".dvc/config", "Makefile", "dataset.h5"]
)
def test_a_package_may_not_bring_code(tmp_path, name):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    package = package_of(tmp_path, {"data/split.parquet": "x", name: "y"})
    with pytest.raises(UserError, match="do not belong") as error:
        install(package, workspace, force=True)
    assert name in str(error.value)
    assert files_of(workspace) == {}


def test_local_changes_are_not_lost(tmp_path):
    workspace = tmp_path / "workspace"
    (workspace / "data").mkdir(parents=True)
    (workspace / "data/split.parquet").write_text("mine")
    package = package_of(tmp_path, {"data/split.parquet": "theirs", "data/dataset.h5": "theirs"})
    with pytest.raises(UserError, match=r"local changes.*data/split\.parquet.*--force"):
        install(package, workspace, force=False)
    assert files_of(workspace) == {"data/split.parquet": "mine"}


SIX = "stages:\n  train: {cmd: a}\n"
SEVEN = "stages:\n  train: {cmd: a}\n  publish: {cmd: b}\n"


@pytest.mark.parametrize(("here", "changed"), [(SEVEN, []), (SIX, []), (SEVEN.replace("a}", "c}"), ["dvc.lock"])])
def test_the_lock_is_the_same_when_it_says_the_same_of_the_packages_stages(tmp_path, here, changed):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "dvc.lock").write_text(here)
    assert changed_files(package_of(tmp_path, {"dvc.lock": SIX}), workspace) == changed


def test_a_lock_that_is_none_is_one_line(tmp_path):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "dvc.lock").write_text("- nonsense")
    with pytest.raises(UserError, match="not a lock file"):
        changed_files(package_of(tmp_path, {"dvc.lock": SIX}), workspace)
