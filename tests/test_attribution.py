from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from imageset.attribution import COLUMNS, write_attribution
from tests.drawn import image_rows

ODD = 'Two lines,\nand "quotes"; 文'


def written(path: Path, crops: pd.DataFrame, images: pd.DataFrame) -> list[dict[str, str]]:
    write_attribution(crops, images, path)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def crops(**status_of: str) -> pd.DataFrame:
    return pd.DataFrame({"image_id": list(status_of), "status": list(status_of.values())})


def test_each_photograph_of_a_crop_stands_once(tmp_path: Path) -> None:
    images = image_rows(["c", "a", "b"], author=["Cem", "Ada", None], title=["t", ODD, None], license="CC BY 2.0")
    table = pd.concat([crops(a="ok", b="failed", c="ok"), crops(a="ok"), crops(c="excluded")])
    rows = written(tmp_path / "a.csv", table, images)
    assert [row["image_id"] for row in rows] == ["a", "c"]
    assert rows[0]["author"] == "Ada"
    assert rows[0]["title"] == ODD
    assert tuple(rows[0]) == COLUMNS


def test_what_nobody_knows_is_empty(tmp_path: Path) -> None:
    rows = written(tmp_path / "a.csv", crops(a="ok"), image_rows(["a"]))
    assert rows == [{"image_id": "a", "author": "", "title": "", "license": "", "landing_url": ""}]


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    images, table = image_rows(list("abcd"), title=list("wxyz")), crops(a="ok", b="ok", d="ok")
    write_attribution(table, images, tmp_path / "one.csv")
    write_attribution(table[::-1], images[::-1], tmp_path / "two.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert b"\r" not in (tmp_path / "one.csv").read_bytes()


def test_without_crops_there_is_a_header(tmp_path: Path) -> None:
    write_attribution(crops(a="failed"), image_rows(["a"]), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == ",".join(COLUMNS) + "\n"
