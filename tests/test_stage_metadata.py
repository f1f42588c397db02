"""What stage metadata does on a disk that is in its way; its tables are asserted in tests/test_pipeline.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_folder_that_cannot_be_emptied_says_why_in_one_line(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "data/metadata").mkdir(parents=True)
    (tmp_path / "data/metadata/sample").touch()
    command = [sys.executable, "-m", "stages.metadata"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert done.stderr.startswith("error: data/metadata/sample cannot be emptied: ")
    assert "Not a directory" in done.stderr
    assert done.stderr.count("\n") == 1
