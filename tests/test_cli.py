"""The `imageset` command, as a user types it: output, exit code, and one line for what goes wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imageset(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "imageset"), *arguments]
    return subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture
def project(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
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
    assert [path.name for path in project.iterdir()] == ["params.yaml"]


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
