"""Stage crop: each box of each checked picture becomes a crop."""

from __future__ import annotations

from pathlib import Path

from imageset import records
from imageset.counts import count_crops
from imageset.crops import make_crops
from imageset.cut import CropRules
from imageset.files import write_json
from imageset.params import Params
from stages import run

METADATA = Path("data/metadata")
IMAGES = Path("data/images")
DOWNLOADS = Path("data/images.parquet")
CROPS = Path("data/crops")
TABLE = Path("data/crops.parquet")
REPORT = Path("reports/crop.json")


def main(params: Params) -> None:
    """Cut, resize and turn upright."""
    table = make_crops(
        IMAGES,
        CROPS,
        downloads=records.read(DOWNLOADS, records.DOWNLOADS),
        images=records.read(METADATA / "images.parquet", records.IMAGES),
        boxes=records.read(METADATA / "boxes.parquet", records.BOXES),
        rules=CropRules(params.crop.size, params.crop.resize, params.crop.colour, params.crop.min_box_px),
        exclude=params.crop.exclude,
        workers=params.engine.workers,
    )
    records.write(table, TABLE, records.CROPS)
    write_json(count_crops(table), REPORT)


if __name__ == "__main__":
    run(main)
