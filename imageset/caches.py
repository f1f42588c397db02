"""Where things are kept that outlive a run and belong to no project: one folder for each user."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_root() -> Path:
    """`IMAGESET_CACHE` when that is set, otherwise a folder among the user's caches."""
    chosen = os.environ.get("IMAGESET_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("imageset", appauthor=False))
