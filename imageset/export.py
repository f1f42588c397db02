"""Shards to folders of pictures, one for each label: for looking through, and for any loader of class folders.

Nothing in the pipeline reads such folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from imageset.errors import UserError
from imageset.files import replacing_folder
from imageset.ids import folder_names
from imageset.progress import tracking
from imageset.shards import read_shard

_PICTURES = ("jpg", "png", "webp", "gif", "bmp", "tif")


def export_pictures(shards: Path, labels_of: Mapping[str, Iterable[str]], folder: Path) -> int:
    """Write the pictures of some shards into class folders.

    Parameters
    ----------
    shards : Path
        Folder of shards: of images or of crops.
    labels_of : mapping
        Key (image id or crop id) to its labels; other keys are left out. A picture with several labels is written
        into the folder of each.
    folder : Path
        Must not exist, or be empty; a symbolic link stands for the folder it leads to. Gets a folder for each label,
        named by the label's slug, with files named by key.

    Returns
    -------
    int
        How many files were written.

    Raises
    ------
    UserError
        When there is something in the folder already, or shards are missing.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty; name a folder that is, or one that does not exist")
    names = folder_names(label for labels in labels_of.values() for label in labels)
    paths = sorted(shards.glob("*.tar"))
    if not paths:
        raise UserError(f"there are no shards in {shards}; run the stage that makes them (dvc repro)")
    written = 0
    # The real path: a link would be replaced by a folder.
    with replacing_folder(Path(os.path.realpath(folder))) as temporary, tracking("export", len(labels_of)) as advance:
        for name in names.values():
            (temporary / name).mkdir()
        for entry in (entry for path in paths for entry in read_shard(path)):
            if entry.extension in _PICTURES and entry.key in labels_of:
                for label in sorted(set(labels_of[entry.key])):
                    (temporary / names[label] / f"{entry.key}.{entry.extension}").write_bytes(entry.data)
                    written += 1
                advance()
    return written
