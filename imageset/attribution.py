"""Who made the photographs: the list that goes wherever crops of them go, because CC BY asks for it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from imageset.files import replacing

COLUMNS = ("image_id", "author", "title", "license", "landing_url")


def write_attribution(crops: pd.DataFrame, images: pd.DataFrame, path: Path) -> None:
    """Write a CSV with a row for every photograph that a crop was made from, sorted by image id.

    Parameters
    ----------
    crops : pandas.DataFrame
        Schema `records.CROPS`; rows whose status is not ok are left out.
    images : pandas.DataFrame
        Schema `records.IMAGES`.
    path : Path
        UTF-8 with a header line: image_id, author, title, license, landing_url.
    """
    used = crops.loc[crops["status"] == "ok", "image_id"].unique()
    rows = images[images["image_id"].isin(used)].sort_values("image_id")
    with replacing(path) as temporary:
        rows.to_csv(temporary, columns=list(COLUMNS), index=False, lineterminator="\n")
