"""One file for each stage of the pipeline: read `params.yaml`, call the library, write the outs.

Stages run in the root of the project (`python -m stages.crop`); the paths below are the pipeline's own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from imageset.errors import one_line_errors
from imageset.params import Params, load_params

PARAMS = Path("params.yaml")


def run(main: Callable[[Params], None]) -> None:
    """Run a stage with the checked parameters; what a user can put right becomes one line and exit code 1."""
    # Pillow warns of odd metadata in pictures from the web; what matters of it stands in the tables as a status.
    warnings.filterwarnings("ignore", module="PIL")
    with one_line_errors():
        main(load_params(PARAMS))
