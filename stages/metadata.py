"""Stage metadata: the tables of images and boxes, the class tree with counts, and the audit, from the source."""

from __future__ import annotations

import shutil
from pathlib import Path

from imageset import records
from imageset.caches import cache_root
from imageset.classes import resolve
from imageset.errors import UserError
from imageset.files import write_json
from imageset.params import Params
from imageset.selection import select
from imageset.sources import open_source
from stages import run

FOLDER = Path("data/metadata")
SAMPLE = FOLDER / "sample"
REPORT = Path("reports/metadata.json")


def main(params: Params) -> None:
    """Ask the source for the wanted classes, cap them, say what is left."""
    metadata = params.metadata
    source = open_source(metadata, params.seed, SAMPLE, cache_root() / "metadata")
    tree = source.tree()
    labelling = resolve(metadata.categories, tree)
    _empty(SAMPLE)
    selection = select(source.rows(labelling), params.seed, metadata.max_per_class, metadata.min_per_class)
    print("\n".join(selection.lines()))
    records.write(selection.images, FOLDER / "images.parquet", records.IMAGES)
    records.write(selection.boxes, FOLDER / "boxes.parquet", records.BOXES)
    write_json(tree.to_json(), FOLDER / "classes.json")
    write_json(selection.report(), REPORT)


def _empty(folder: Path) -> None:
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        # Where a deletion fails, Python 3.11 names the file without its folder.
        raise UserError(f"{folder} cannot be emptied: {error}; check its owner, its mode and the disk") from error


if __name__ == "__main__":
    run(main)
