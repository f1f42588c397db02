"""Nothing on the terminal while TensorFlow is imported, everything again afterwards."""

import subprocess
import sys

PROGRAM = """
import os, sys
from imageset.quiet import importing_tensorflow
try:
    with importing_tensorflow():
        os.write(2, b"noise")
        {inside}
finally:
    os.write(2, b"heard")
"""


def stderr_of(inside: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(inside=inside)], check=False, capture_output=True, text=True
    )
    return done.stderr


def test_what_is_written_meanwhile_goes_nowhere_and_what_comes_after_is_heard():
    assert stderr_of("pass") == "heard"


def test_an_error_is_shown_as_usual():
    shown = stderr_of("raise ImportError('no such library')")
    assert shown.startswith("heard")
    assert "no such library" in shown
