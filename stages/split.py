"""Stage split: each crop goes to train, val or test, and its pixels into one HDF5 file."""

from __future__ import annotations

from pathlib import Path

from imageset import records
from imageset.counts import count_split
from imageset.dataset import write_dataset
from imageset.files import write_json
from imageset.params import Params
from imageset.splits import assign
from stages import run

DOWNLOADS = Path("data/images.parquet")
CROPS = Path("data/crops")
TABLE = Path("data/crops.parquet")
SPLIT = Path("data/split.parquet")
DATASET = Path("data/dataset.h5")
REPORT = Path("reports/split.json")


def main(params: Params) -> None:
    """Assign the crops that were made, and gather their pixels."""
    crops = records.read(TABLE, records.CROPS).query("status == 'ok'")
    downloads = records.read(DOWNLOADS, records.DOWNLOADS).query("status == 'ok'")
    split = assign(crops, downloads, params.split.fractions.model_dump(), params.seed)
    hashes = dict(zip(crops["crop_id"], crops["sha256"], strict=True))
    write_dataset(split, hashes, CROPS, DATASET)
    records.write(split, SPLIT, records.SPLIT)
    write_json(count_split(split), REPORT)


if __name__ == "__main__":
    run(main)
