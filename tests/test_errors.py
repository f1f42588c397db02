from __future__ import annotations

import errno

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


@pytest.mark.parametrize("bug", [ValueError("a bug"), ConnectionResetError("gone"), KeyError("x")])
def test_bugs_keep_their_traceback(bug: Exception) -> None:
    with pytest.raises(type(bug)), one_line_errors():
        raise bug
