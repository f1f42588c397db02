"""One file for each stage of the pipeline: read `params.yaml`, call the library, write the outs.

Stages run in the root of the project (`python -m stages.crop`); the paths below are the pipeline's own.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from imageset.errors import STOPPED, one_line_errors


def _say_stopped(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print(STOPPED, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


# Ctrl-C while a stage still loads its libraries, which takes seconds; later `run` sees to it.
sys.excepthook = _say_stopped

from imageset.params import Params, load_params  # noqa: E402 - one of those libraries

PARAMS = Path("params.yaml")


def run(main: Callable[[Params], None]) -> None:
    """Run a stage with the checked parameters; what a user can put right, and Ctrl-C, becomes one line."""
    # Pillow warns of odd metadata in pictures from the web; what matters of it stands in the tables as a status.
    warnings.filterwarnings("ignore", module="PIL")
    with one_line_errors():
        main(load_params(PARAMS))
