"""The `imageset` command, as a user types it: output, exit code, and one line for what goes wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imageset.packages import build_package

ROOT = Path(__file__).parents[1]


def imageset(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "imageset"), *arguments]
    return subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture
def project(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    site_cache_dir = site\n")
    return tmp_path


def test_help_names_every_command(tmp_path):
    shown = imageset("--help", cwd=tmp_path).stdout
    for command in ("classes", "export", "predict", "pull", "verify"):
        assert command in shown


def test_classes_shows_the_tree_with_counts_and_draws_nothing(project):
    done = imageset("classes", "hamb", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "Hamburger" in done.stdout
    assert "/m/0cdn1" in done.stdout
    assert sorted(path.name for path in project.iterdir()) == [".dvc", "dvc.yaml", "params.yaml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "out"), "data/crops.parquet is missing"),
        (("predict", "a.jpg"), "models/model.keras"),
        (("pull", "a/b", "--registry", "nowhere"), "no registry at nowhere"),
        (("verify", "a/b", "--registry", "nowhere"), "no registry at nowhere"),
    ],
)
def test_what_goes_wrong_is_one_line_and_exit_code_1(project, arguments, words):
    done = imageset(*arguments, cwd=project)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert words in errors[0]
    assert "Traceback" not in done.stderr


def test_outside_of_a_project_it_says_where_to_run(tmp_path):
    done = imageset("classes", cwd=tmp_path)
    assert done.returncode == 1
    assert "params.yaml is missing" in done.stderr


@pytest.mark.parametrize("below", [False, True])
def test_pull_fills_the_root_of_a_clone_only(tmp_path, project, below):
    folder = project / "data" if below else tmp_path / "elsewhere"
    folder.mkdir()
    done = imageset("pull", "a/b", "--registry", "nowhere", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {folder} is not the root of a clone")
    assert done.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_verify_takes_the_version_reported_here_and_pull_the_latest(tmp_path, project):
    (tmp_path / "file").write_text("1")
    first = build_package({"data/a": tmp_path / "file"}, {}, "a/b", project / "registry")
    (tmp_path / "file").write_text("2")
    second = build_package({"data/a": tmp_path / "file"}, {}, "a/b", project / "registry")
    (project / "reports").mkdir()
    (project / "reports/package.json").write_text(f'{{"name": "a/b", "top_hash": "{first.top_hash}"}}')
    pulled = imageset("pull", "a/b", cwd=project)
    assert pulled.returncode == 0, pulled.stderr
    assert f"names another version; to verify: --top-hash {second.top_hash}" in pulled.stdout
    assert imageset("verify", "a/b", "--top-hash", second.top_hash, cwd=project).returncode == 0
    reported = imageset("verify", "a/b", cwd=project)
    assert reported.stderr == f"error: 1 files differ from a/b ({first.top_hash}): data/a\n"
