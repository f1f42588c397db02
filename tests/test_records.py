from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from imageset import records
from imageset.errors import UserError
from tests.drawn import box_rows, download_rows, image_rows

SCHEMAS = [records.IMAGES, records.BOXES, records.DOWNLOADS, records.CROPS, records.SPLIT, records.PREDICTIONS]


def boxes() -> pd.DataFrame:
    return box_rows([("a", "Hot dog", (0.1, 0.5, 0.2, 0.75)), ("b", "Hamburger", (0, 1, 0, 1))], is_occluded=[-1, 1])


def same_bytes(tmp_path: Path, one: pd.DataFrame, two: pd.DataFrame) -> bool:
    for name, table in (("one", one), ("two", two)):
        records.write(table, tmp_path / name, records.BOXES)
    return (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_empty_table_goes_round(tmp_path: Path, schema: object) -> None:
    records.write(schema.empty_table().to_pandas(), tmp_path / "t", schema)
    back = records.read(tmp_path / "t", schema)
    assert len(back) == 0
    assert list(back.columns) == schema.names  # type: ignore[attr-defined]


def test_nullable_numbers_go_round_twice(tmp_path: Path) -> None:
    table = image_rows(["a", "b"], bytes=[123_456_789, None], rotation=[None, 270])
    for _ in range(2):
        records.write(table, tmp_path / "t", records.IMAGES)
        table = records.read(tmp_path / "t", records.IMAGES)
    assert table["bytes"][0] == 123_456_789
    assert pd.isna(table["bytes"][1])
    assert pd.isna(table["rotation"][0])
    assert table["rotation"][1] == 270
    assert pq.read_schema(tmp_path / "t").equals(records.IMAGES)


def test_texts_and_lists_go_round(tmp_path: Path) -> None:
    title = 'Zwei Zeilen,\n"文 三明治"\t😀, é\u0301'
    urls = ["http://a/1", "http://b/2?x=1,2"]
    causes = [["not_found", "timeout"], []]
    images = image_rows(["a", "b"], title=[title, None], urls=[urls, []])
    records.write(images, tmp_path / "i", records.IMAGES)
    records.write(download_rows(["a", "b"], causes=causes), tmp_path / "d", records.DOWNLOADS)
    back = records.read(tmp_path / "i", records.IMAGES)
    assert back["title"][0] == title
    assert back["title"].isna().tolist() == [False, True]
    assert [list(each) for each in back["urls"]] == [urls, []]
    assert [list(each) for each in records.read(tmp_path / "d", records.DOWNLOADS)["causes"]] == causes


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    table = boxes()
    otherwise = table[table.columns[::-1]].set_index(pd.Index([7, 3]))
    otherwise = otherwise.astype({"label": "category", "is_inside": "float64", "is_occluded": "int64"})
    assert same_bytes(tmp_path, table, otherwise)


def test_a_table_put_together_of_parts_gives_the_same_bytes(tmp_path: Path) -> None:
    def part(number: int) -> pd.DataFrame:
        ids = pd.array([f"{number:04d}-{row:050d}" for row in range(700)], dtype="string[pyarrow]")
        return pd.DataFrame(dict.fromkeys(records.SPLIT.names, ids))

    parts = pd.concat([part(number) for number in range(60)], ignore_index=True)
    whole = pd.DataFrame({name: list(parts[name]) for name in parts})
    for name, table in (("parts", parts), ("whole", whole)):
        records.write(table, tmp_path / name, records.SPLIT)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()


def test_nothing_of_pandas_gets_into_the_file(tmp_path: Path) -> None:
    records.write(boxes(), tmp_path / "t", records.BOXES)
    assert b"pandas" not in (tmp_path / "t").read_bytes()
    assert not pq.read_schema(tmp_path / "t").metadata


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="xmin"), "no column xmin"),
        (lambda t: t.assign(colour="red"), "unknown column colour"),
        (lambda t: t.drop(columns="label").assign(lable="x"), "no column label, unknown column lable"),
        (lambda t: t.assign(xmin="left"), "does not fit"),
        (lambda t: t.assign(label=[1, 2]), "does not fit"),
        (lambda t: t.assign(is_inside=300), "does not fit"),
        (lambda t: t.assign(is_inside=0.5), "does not fit"),
        (lambda t: t.assign(is_inside=2**70), "does not fit"),
        (lambda t: t.assign(label=pd.Series(["\ud800", "x"], dtype=object)), "does not fit"),
        (lambda t: t.assign(label=["Hot dog", "Hot\ndog"]), r"column label has a control character in 'Hot\\ndog'"),
        (lambda t: t.assign(label=["a\0b", "x"]), "column label has a control character"),
        (lambda t: t.assign(label=["a\u2028b", "x"]), "column label has a control character"),
        (lambda t: t.assign(label_id=["/m/1\x7f", "x"]), "column label_id has a control character"),
        (lambda t: t.assign(image_id=["a\tb", "x"]), "column image_id has a control character"),
        (lambda t: t.assign(label=[None, "x"]), "column label may not be empty"),
        (lambda t: t.assign(xmin=[0.5, np.nan]), "column xmin may not be empty"),
    ],
)
def test_a_wrong_table_is_not_written(tmp_path: Path, change: object, words: str) -> None:
    path = tmp_path / "boxes.parquet"
    records.write(boxes(), path, records.BOXES)
    before = path.read_bytes()
    with pytest.raises(UserError, match=words) as refused:
        records.write(change(boxes()), path, records.BOXES)  # type: ignore[operator]
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_says_which_command_makes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="missing; run the stage"):
        records.read(tmp_path / "t", records.BOXES)


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "page", "folder"])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "t"
    records.write(pd.concat([boxes()] * 500, ignore_index=True), path, records.BOXES)
    whole = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        cut = len(whole) // 2
        broken = {
            "text": b"image_id,label\n",
            "empty": b"",
            "cut": whole[:cut],
            "page": whole[:4] + bytes(cut) + whole[4 + cut :],
        }
        path.write_bytes(broken[damage])
    with pytest.raises(UserError, match=r"Parquet|expected image_id"):
        records.read(path, records.BOXES)


def test_a_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    records.write(boxes(), tmp_path / "t", records.BOXES)
    with pytest.raises(UserError, match="no column split"):
        records.read(tmp_path / "t", records.SPLIT)


@pytest.mark.parametrize(("column", "value"), [("xmin", "left"), ("is_inside", 1000), ("label", None)])
def test_a_file_with_other_types_is_refused(tmp_path: Path, column: str, value: object) -> None:
    boxes().assign(**{column: value}).to_parquet(tmp_path / "t")
    with pytest.raises(UserError, match="does not fit"):
        records.read(tmp_path / "t", records.BOXES)


def test_a_folder_called_like_an_assignment_is_no_column(tmp_path: Path) -> None:
    path = tmp_path / "label=7" / "boxes.parquet"
    records.write(boxes(), path, records.BOXES)
    pd.testing.assert_frame_equal(records.read(path, records.BOXES), boxes(), check_dtype=False)
