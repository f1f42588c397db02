"""Where things are kept that outlive a run and belong to no project: one folder for each user."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from imageset.errors import UserError


def cache_root() -> Path:
    """`IMAGESET_CACHE` when that is set, otherwise a folder among the user's caches; it need not exist yet.

    Raises
    ------
    UserError
        When `IMAGESET_CACHE` names a file.
    """
    chosen = os.environ.get("IMAGESET_CACHE")
    if not chosen:
        return Path(platformdirs.user_cache_dir("imageset", appauthor=False))
    root = Path(chosen).expanduser()
    if root.is_file():
        raise UserError(f"IMAGESET_CACHE names a folder, received the file {root}")
    return root
