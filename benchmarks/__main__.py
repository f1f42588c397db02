"""All benchmarks, one after the other: `make bench`, or `python -m benchmarks [NAME...] [--data FOLDER]`.

Without names: all of them. FOLDER is taken by those that need photographs: its folder of the benchmark's name where
there is one (FOLDER/crop, FOLDER/download), else all of FOLDER. Without it they draw what they need.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

NAMES = ("select_classes", "download", "crop", "sample_difficulty")
TAKE_PHOTOGRAPHS = ("download", "crop")


def main() -> int:
    """Run each in a process of its own, so that none inherits another's memory; a failed one does not stop the rest."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--data", type=Path, help="folder of photographs, in any depth")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    failed = []
    for name in options.names or NAMES:
        data = _data(options.data, name) if options.data and name in TAKE_PHOTOGRAPHS else []
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *data], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"error: failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _data(folder: Path, name: str) -> list[str]:
    return ["--data", str(folder / name if (folder / name).is_dir() else folder)]


if __name__ == "__main__":
    sys.exit(main())
