from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading

import pytest

from imageset import progress
from imageset.progress import tracking

ON_A_TERMINAL = """
from imageset.progress import tracking
with tracking("download", 40) as advance:
    for number in range(40):
        advance(note="2 failed")
"""


def test_a_log_gets_a_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    with tracking("crop", 30) as advance:
        for _ in range(10):
            advance(3, "2 failed")
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"crop: 30/30, [\d,]+\.\d/s, 0 s left 2 failed\n", err)


def test_a_log_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with tracking("download", 100) as advance:
        for _ in range(60):
            now[0] += 0.5
            advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "download: 20/100, 2.0/s, 40 s left",
        "download: 40/100, 2.0/s, 30 s left",
        "download: 60/100, 2.0/s, 20 s left",
        "download: 60/100, 2.0/s, 20 s left",
    ]


def test_no_work_is_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    with tracking("crop", 0):
        pass
    assert capsys.readouterr().err == "crop: 0/0, 0.0/s, 0 s left\n"


def test_an_exception_passes_through() -> None:
    with pytest.raises(KeyError), tracking("crop", 3):
        raise KeyError("x")


def test_a_terminal_gets_a_bar() -> None:
    master, terminal = pty.openpty()
    said: list[bytes] = []

    def listen() -> None:
        # A pseudo-terminal whose other side has closed ends with an error, not with an empty read.
        try:
            while data := os.read(master, 65536):
                said.append(data)
        except OSError:
            pass

    listener = threading.Thread(target=listen)
    listener.start()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-c", ON_A_TERMINAL], stdout=subprocess.PIPE, stderr=terminal, env=environment, check=True
    )
    os.close(terminal)
    listener.join()
    os.close(master)
    text = b"".join(said).decode()
    assert done.stdout == b""
    assert "40/40" in text
    assert "\u2501" in text, "a bar"
    assert "2 failed" in text
    assert "/s" in text
