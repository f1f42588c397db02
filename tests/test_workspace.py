"""A package into a workspace: what is refused before anything is touched. That it works is shown in test_pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from imageset.errors import UserError
from imageset.packages import build_package, open_package
from imageset.workspace import built_here, changed_files, install, require_clone

PIPELINE = "stages: {}\n"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """The root of a clone, as far as DVC asks: without git, and with no stages."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    folder = tmp_path / "workspace"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    (folder / "dvc.yaml").write_text(PIPELINE)
    return folder


def package_of(tmp_path: Path, files: dict[str, str]):
    sources = {}
    for number, (key, text) in enumerate(files.items()):
        sources[key] = tmp_path / f"made{number}"
        sources[key].write_text(text)
    build_package(sources, {}, "a/b", tmp_path / "registry")
    return open_package("a/b", tmp_path / "registry")


def files_of(folder: Path) -> dict[str, str]:
    """All but DVC's own, and the pipeline."""
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: path.read_text() for name, path in names.items() if not name.startswith(".dvc/") and name != "dvc.yaml"
    }


@pytest.mark.parametrize(
    "name",
    [
        "stages/train.py",
        "conftest.py",
        "imageset/cli.py",
        ".dvc/config",
        "Makefile",
        "dataset.h5",
        "data/dvc.yaml",
        "data/crops/DVC.lock",
        "data/x.dvc",
        "data/x.dvc/y",
        "data/.dvc/config",
        "reports/.gitignore",
        "models/.gitattributes",
    ],
)
def test_a_package_may_not_bring_code(tmp_path, workspace, name):
    package = package_of(tmp_path, {"data/split.parquet": "x", name: "y"})
    with pytest.raises(UserError, match="do not belong") as error:
        install(package, workspace, force=True)
    assert name in str(error.value)
    assert files_of(workspace) == {}


def test_local_changes_are_not_lost(tmp_path, workspace):
    (workspace / "data").mkdir(parents=True)
    (workspace / "data/split.parquet").write_text("mine")
    package = package_of(tmp_path, {"data/split.parquet": "theirs", "data/dataset.h5": "theirs"})
    with pytest.raises(UserError, match=r"local changes.*data/split\.parquet.*--force"):
        install(package, workspace, force=False)
    assert files_of(workspace) == {"data/split.parquet": "mine"}


@pytest.mark.parametrize("force", [False, True])
def test_the_pipeline_stays_that_of_the_clone(tmp_path, workspace, force):
    (workspace / "params.yaml").write_text("a: mine")
    package = package_of(tmp_path, {"dvc.yaml": "stages: {x: {cmd: evil}}", "params.yaml": "a: theirs"})
    installed = install(package, workspace, force=force)
    assert installed.kept == (("dvc.yaml",) if force else ("dvc.yaml", "params.yaml"))
    assert (workspace / "dvc.yaml").read_text() == PIPELINE
    assert files_of(workspace) == {"params.yaml": "a: theirs" if force else "a: mine"}


@pytest.mark.parametrize("lacking", ["dvc.yaml", ".dvc", "sense", "git"])
@pytest.mark.parametrize("force", [False, True])
def test_only_a_clone_is_filled(tmp_path, workspace, lacking, force):
    if lacking == "dvc.yaml":
        (workspace / "dvc.yaml").unlink()
    elif lacking == ".dvc":
        (workspace / ".dvc").rename(tmp_path / "away")
    elif lacking == "git":
        (workspace / ".dvc/config").write_text("")
    else:
        (workspace / "dvc.yaml").write_text("stages: [")
    with pytest.raises(UserError, match=r"DVC cannot work with|not the root of a clone") as error:
        install(package_of(tmp_path, {"data/split.parquet": "x"}), workspace, force=force)
    assert str(workspace) in str(error.value)
    assert files_of(workspace) == {}


def test_a_folder_below_the_root_is_not_the_root(workspace):
    require_clone(workspace)
    (workspace / "data").mkdir()
    with pytest.raises(UserError, match="not the root of a clone"):
        require_clone(workspace / "data")


@pytest.mark.parametrize("force", [False, True])
def test_a_file_takes_no_folders_place_nor_a_folder_a_files(tmp_path, workspace, force):
    package = package_of(tmp_path, {"data/a": "new", "data/crops": "new"})
    (workspace / "data/crops").mkdir(parents=True)
    (workspace / "data/crops/00.tar").write_text("mine")
    with pytest.raises(UserError, match=r"no place for the package's data/crops: .*data/crops here is"):
        install(package, workspace, force=force)
    assert files_of(workspace) == {"data/crops/00.tar": "mine"}
    package = package_of(tmp_path, {"data/a": "new", "data/crops/00.tar/x": "new"})
    with pytest.raises(UserError, match=r"no place for the package's data/crops/00.tar/x: .*00\.tar here is"):
        install(package, workspace, force=force)
    assert files_of(workspace) == {"data/crops/00.tar": "mine"}


@pytest.mark.parametrize("link", ["models", "models/deep"])
def test_a_link_leads_no_file_elsewhere(tmp_path, workspace, link):
    (tmp_path / "else").mkdir()
    (workspace / link).parent.mkdir(exist_ok=True)
    (workspace / link).symlink_to(tmp_path / "else")
    with pytest.raises(UserError, match=f"{link} here is a link"):
        install(package_of(tmp_path, {"data/a": "x", "models/deep/b": "x"}), workspace, force=True)
    assert list((tmp_path / "else").iterdir()) == []
    assert files_of(workspace) == {}


SIX = "stages:\n  train: {cmd: a}\n"
SEVEN = "stages:\n  train: {cmd: a}\n  publish: {cmd: b}\n"


@pytest.mark.parametrize(("here", "changed"), [(SEVEN, []), (SIX, []), (SEVEN.replace("a}", "c}"), ["dvc.lock"])])
def test_the_lock_is_the_same_when_it_says_the_same_of_the_packages_stages(tmp_path, workspace, here, changed):
    (workspace / "dvc.lock").write_text(here)
    assert changed_files(package_of(tmp_path, {"dvc.lock": SIX}), workspace) == changed


@pytest.mark.parametrize("here", ["- nonsense", "", "stages: {}", "stages: 3", "\0"])
def test_a_lock_that_is_none_is_one_line(tmp_path, workspace, here):
    (workspace / "dvc.lock").write_text(here)
    with pytest.raises(UserError, match="not a lock file"):
        changed_files(package_of(tmp_path, {"dvc.lock": SIX}), workspace)


def test_a_lock_that_is_a_folder_is_one_line(tmp_path, workspace):
    (workspace / "dvc.lock").mkdir()
    with pytest.raises(UserError, match="not a lock file"):
        changed_files(package_of(tmp_path, {"dvc.lock": SIX}), workspace)


def test_a_lock_altered_in_the_registry_vouches_for_nothing(tmp_path, workspace):
    (workspace / "dvc.lock").write_text("stages: {train: {cmd: evil}}")
    package = package_of(tmp_path, {"dvc.lock": SIX})
    Path(package["dvc.lock"].physical_key.path).write_text("stages: {train: {cmd: evil}}")
    with pytest.raises(UserError, match=r"registry is damaged: its dvc\.lock"):
        changed_files(package, workspace)


def test_a_package_lock_without_stages_is_none(tmp_path, workspace):
    (workspace / "dvc.lock").write_text(SEVEN)
    with pytest.raises(UserError, match="not a lock file"):
        changed_files(package_of(tmp_path, {"dvc.lock": "stages: {}"}), workspace)


def test_what_was_built_here_is_that_of_the_name(tmp_path):
    assert built_here("a/b", tmp_path) is None
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/package.json").write_text('{"name": "a/b", "top_hash": "abc"}')
    assert built_here("a/b", tmp_path) == "abc"
    assert built_here("a/c", tmp_path) is None
    (tmp_path / "reports/package.json").write_text("[]")
    with pytest.raises(UserError, match=r"package\.json is not what publish wrote"):
        built_here("a/b", tmp_path)
