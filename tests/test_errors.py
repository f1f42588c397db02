from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest

from imageset.errors import UserError, nearest, one_line_errors


def test_nearest_ignores_letter_case_and_keeps_that_of_the_choice() -> None:
    assert nearest("hamburgr", ["Hamburger", "Hot dog", "Banana"]) == "; the nearest: Hamburger"


def test_nearest_is_silent_when_nothing_is_near() -> None:
    assert nearest("zzz", ["Hamburger", "Hot dog"]) == ""
    assert nearest("zzz", []) == ""


def test_nearest_names_a_few_best_first() -> None:
    choices = [f"apple{number}" for number in range(10)]
    answer = nearest("apple3", choices)
    assert answer.startswith("; the nearest: apple3, ")
    assert answer.count("apple") == 3


def test_nearest_does_not_depend_on_the_order_of_the_choices() -> None:
    assert nearest("appel", {"Apple", "Appel pie", "Appeal"}) == nearest("appel", ["Appeal", "Appel pie", "Apple"])


def test_user_error_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped, one_line_errors():
        raise UserError("seed: a number\n  below 7,\treceived 8")
    assert stopped.value.code == 1
    assert capsys.readouterr().err == "error: seed: a number below 7, received 8\n"


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "no space left"), (errno.EDQUOT, "no space left"), (errno.EACCES, "owner")]
)
def test_disk_troubles_are_one_line_that_names_the_file(
    number: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped, one_line_errors():
        raise OSError(number, "some text", "data/crops.parquet")
    said = capsys.readouterr().err
    assert stopped.value.code == 1
    assert words in said
    assert "data/crops.parquet" in said
    assert said.count("\n") == 1


def said(capsys: pytest.CaptureFixture[str], work: Callable[[], object], code: int = 1) -> str:
    with pytest.raises(SystemExit) as stopped, one_line_errors():
        work()
    assert stopped.value.code == code
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return text


def test_real_troubles_with_paths_are_one_line_that_names_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "loop").symlink_to("loop")
    assert "file/x: a file stands where" in said(capsys, (file / "x").read_bytes)
    assert "file: something else stands" in said(capsys, file.mkdir)
    assert f"{tmp_path}: a folder stands" in said(capsys, tmp_path.read_bytes)
    assert "a: the name is too long" in said(capsys, (tmp_path / ("a" * 300)).touch)
    assert "loop: its symbolic links" in said(capsys, (tmp_path / "loop").read_bytes)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EBUSY, errno.EPERM, errno.EIO, errno.ENOTEMPTY])
def test_other_troubles_with_paths_are_one_line_that_names_them(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise OSError(number, "some text", "data/crops")

    assert said(capsys, fail).startswith("error: data/crops: ")


def test_the_path_that_pyarrow_writes_into_the_text_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert "file/x.parquet" in said(capsys, lambda: pyarrow.OSFile(str(tmp_path / "file/x.parquet"), "rb"))


def test_ctrl_c_is_one_line_and_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    assert said(capsys, stop, code=130) == "stopped; run again to go on\n"


def test_ctrl_c_while_a_stage_loads_its_libraries_is_one_line() -> None:
    code = "import os, signal, stages; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(9)"
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30, cwd=root)
    assert done.stderr == "stopped; run again to go on\n"
    assert done.returncode == -signal.SIGINT


@pytest.mark.parametrize(
    "bug",
    [FileNotFoundError(2, "gone", "x"), ValueError("a bug"), ConnectionResetError("gone"), KeyError("x")],
)
def test_bugs_keep_their_traceback(bug: Exception) -> None:
    with pytest.raises(type(bug)), one_line_errors():
        raise bug
