from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imageset import records
from imageset.crops import make_crops
from imageset.cut import CropRules
from imageset.errors import UserError
from imageset.ids import crop_id
from imageset.shards import read_shard
from tests.drawn import box_rows, contents, download_rows, encoded, image_rows, lay_out, photograph

RULES = CropRules(24, "stretch", "rgb", 8)
WHOLE = (0.0, 1.0, 0.0, 1.0)
LEFT = (0.0, 0.5, 0.0, 1.0)


@dataclass(frozen=True)
class World:
    """Tables and image shards, as the stages before crop leave them."""

    folder: Path
    downloads: pd.DataFrame
    images: pd.DataFrame
    boxes: pd.DataFrame

    def crop(self, target: str = "crops", rules: CropRules = RULES, workers: int = 1, **changed: Any) -> pd.DataFrame:
        tables = {"downloads": self.downloads, "images": self.images, "boxes": self.boxes, **changed}
        exclude = ["is_group_of", "is_depiction"]
        return make_crops(
            self.folder / "images", self.folder / target, rules=rules, exclude=exclude, workers=workers, **tables
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Nine photographs in three shards, one cut off and one that nobody got; rotations and repeated boxes."""
    pictures = {
        f"i{number}": encoded(photograph(90, 60, number), "JPEG", quality=95, subsampling=0) for number in range(8)
    }
    pictures["i3"] = pictures["i3"][:2000]
    pictures["i4"] = encoded(photograph(90, 60, 4), "JPEG", 6, quality=95)
    shard_of = {key: f"0000{int(key[1]) % 3}.tar" for key in pictures}
    downloads = lay_out(pictures, tmp_path / "images", shard_of)
    dead = download_rows(["i8"], status="failed", reason="not_found")
    rows = [(f"i{number}", "ab"[number % 2], box) for number in range(9) for box in (WHOLE, LEFT)]
    rows += [("i0", "a", (0.2, 0.25, 0.2, 0.9)), ("i1", "b", LEFT), ("i2", "b", WHOLE), ("i9", "a", WHOLE)]
    boxes = box_rows(rows)
    boxes.loc[10, "is_group_of"] = 1
    boxes.loc[11, ["is_group_of", "is_depiction"]] = -1
    boxes.loc[16, "is_depiction"] = 1
    images = image_rows([f"i{number}" for number in range(9)], rotation=[None, 90, 0, 270, 270, None, None, None, None])
    return World(tmp_path, pd.concat([downloads, dead], ignore_index=True), images, boxes)


def found(crops: pd.DataFrame, image_id: str) -> list[tuple[str, str | None]]:
    rows = crops[crops["image_id"] == image_id]
    return sorted(zip(rows["status"], rows["reason"], strict=True), key=str)


def pixels(folder: Path) -> dict[str, np.ndarray]:
    entries = [entry for path in sorted(folder.glob("*.tar")) for entry in read_shard(path)]
    return {e.key: np.asarray(Image.open(io.BytesIO(e.data))) for e in entries if e.extension == "jpg"}


def test_every_box_has_a_row_with_status_and_reason(world: World) -> None:
    crops = world.crop()
    assert len(crops) == len(world.boxes)
    assert crops["crop_id"].is_monotonic_increasing
    assert found(crops, "i0") == [("excluded", "too_small"), ("ok", None), ("ok", None)]
    assert found(crops, "i1") == [("excluded", "duplicate_box"), ("ok", None), ("ok", None)]
    assert found(crops, "i2") == [("ok", None)] * 3, "another label on the same box is another crop"
    assert found(crops, "i3") == [("failed", "truncated")] * 2
    assert found(crops, "i5") == [("excluded", "is_group_of"), ("ok", None)]
    assert found(crops, "i8") == [("excluded", "is_depiction"), ("failed", "no_picture")]
    assert found(crops, "i9") == [("failed", "no_picture")], "a box of an image that no table knows"


def test_the_table_fits_its_schema_and_goes_round(world: World) -> None:
    crops = world.crop()
    records.write(crops, world.folder / "crops.parquet", records.CROPS)
    back = records.read(world.folder / "crops.parquet", records.CROPS)
    made, other = back[back["status"] == "ok"], back[back["status"] != "ok"]
    assert made[["width", "height", "sha256", "shard"]].notna().all(axis=None)
    assert made["reason"].isna().all()
    assert other["reason"].notna().all()
    assert other["sha256"].isna().all()


def test_widths_and_heights_are_of_the_stored_pixels(world: World) -> None:
    crops = world.crop().query("status == 'ok'")
    sizes = {(row.xmax, row.width, row.height) for row in crops.itertuples()}
    assert sizes == {(1.0, 90, 60), (0.5, 45, 60)}


def test_ids_and_hashes_are_those_of_the_contract(world: World) -> None:
    crops = world.crop()
    for row in crops.itertuples():
        assert row.crop_id == crop_id(row.image_id, row.label_id, (row.xmin, row.xmax, row.ymin, row.ymax))
    entries = {(e.key, e.extension): e.data for n in range(3) for e in read_shard(world.folder / f"crops/0000{n}.tar")}
    made = crops[crops["status"] == "ok"]
    assert {key for key, _ in entries} == set(made["crop_id"])
    for row in made.itertuples():
        assert hashlib.sha256(entries[row.crop_id, "jpg"]).hexdigest() == row.sha256
        assert json.loads(entries[row.crop_id, "json"]) == {"image_id": row.image_id, "label": row.label}


def test_a_crop_shard_has_the_name_of_its_image_shard(world: World) -> None:
    crops = world.crop().query("status == 'ok'")
    for path in (world.folder / "images").iterdir():
        keys = {entry.key for entry in read_shard(world.folder / "crops" / path.name)}
        assert keys == set(crops.loc[crops["shard"] == path.name, "crop_id"])
        assert {key.rsplit("-", 1)[0] for key in keys} <= {entry.key for entry in read_shard(path)}


def test_crops_are_jpeg_of_quality_95_without_subsampling(world: World) -> None:
    world.crop()
    reference = Image.open(io.BytesIO(encoded(photograph(24, 24), "JPEG", quality=95, subsampling="4:4:4")))
    for entry in read_shard(world.folder / "crops" / "00000.tar"):
        if entry.extension == "jpg":
            image = Image.open(io.BytesIO(entry.data))
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (24, 24))
            assert image.quantization == reference.quantization
            assert {layer[1:3] for layer in image.layer} == {(1, 1)}
            assert not image.getexif()


def test_grey_crops_have_one_channel(world: World) -> None:
    world.crop(rules=replace(RULES, colour="grey"))
    assert {crop.shape for crop in pixels(world.folder / "crops").values()} == {(24, 24)}


def test_each_crop_is_the_one_of_its_own_row(world: World) -> None:
    crops = world.crop().query("status == 'ok' and image_id != 'i1' and image_id != 'i4'").set_index("crop_id")
    shown = pixels(world.folder / "crops")
    for key, row in crops.iterrows():
        whole = photograph(90, 60, int(row["image_id"][1]))
        box = (row["xmin"] * 90, row["ymin"] * 60, row["xmax"] * 90, row["ymax"] * 60)
        expected = whole.resize((24, 24), Image.Resampling.BILINEAR, box)
        assert np.abs(shown[key].astype(float) - np.asarray(expected, float)).mean() < 4


def test_rotation_and_exif_turn_crops_upright(world: World) -> None:
    crops = world.crop().query("status == 'ok'")
    shown = pixels(world.folder / "crops")
    for image_id, turns in (("i1", 1), ("i4", 3)):  # i4: EXIF and the source say the same; once is enough
        row = crops[(crops["image_id"] == image_id) & (crops["xmax"] == 1)].iloc[0]
        stored = photograph(90, 60, int(image_id[1])).resize((24, 24), Image.Resampling.BILINEAR)
        assert np.abs(shown[row["crop_id"]].astype(float) - np.rot90(np.asarray(stored, float), turns)).mean() < 4


def test_the_number_of_workers_does_not_matter(world: World) -> None:
    one, three = world.crop("one"), world.crop("three", workers=3)
    pd.testing.assert_frame_equal(one, three)
    assert contents(world.folder / "one") == contents(world.folder / "three")


def test_neither_the_order_of_the_tables_nor_what_was_there_matters(world: World) -> None:
    (world.folder / "two").mkdir()
    (world.folder / "two" / "left-over.tar").write_bytes(b"x")
    one = world.crop("one")
    mixed = {name: getattr(world, name).sample(frac=1, random_state=5) for name in ("downloads", "images", "boxes")}
    pd.testing.assert_frame_equal(one, world.crop("two", **mixed))
    assert contents(world.folder / "one") == contents(world.folder / "two")


def test_an_image_shard_without_boxes_gives_an_empty_shard(world: World) -> None:
    boxes = world.boxes[world.boxes["image_id"].isin(["i1", "i4"])]
    crops = world.crop(boxes=boxes)
    assert set(crops["status"]) == {"ok", "excluded"}
    assert sorted(path.name for path in (world.folder / "crops").iterdir()) == ["00000.tar", "00001.tar", "00002.tar"]
    assert list(read_shard(world.folder / "crops" / "00000.tar")) == []


def test_nothing_to_crop_is_a_table_without_crops(world: World) -> None:
    nothing = world.crop(boxes=records.BOXES.empty_table().to_pandas())
    records.write(nothing, world.folder / "t", records.CROPS)
    assert len(nothing) == 0
    dead = world.crop(downloads=download_rows(["i0"], status="failed", reason="timeout"))
    assert set(dead["status"]) <= {"failed", "excluded"}
    records.write(dead, world.folder / "t", records.CROPS)


def test_a_picture_that_its_shard_lacks_is_a_failed_row(world: World) -> None:
    downloads = pd.concat([world.downloads, download_rows(["i9"], shard="00000.tar")], ignore_index=True)
    assert found(world.crop(downloads=downloads), "i9") == [("failed", "no_picture")]


@pytest.mark.parametrize("damage", ["missing", "cut"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_shard_stops_the_work_and_changes_nothing(world: World, damage: str, workers: int) -> None:
    world.crop()
    before = contents(world.folder / "crops")
    shard = world.folder / "images" / "00001.tar"
    data = shard.read_bytes()
    shard.unlink()
    if damage == "cut":
        shard.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"00001\.tar"):
        world.crop(workers=workers)
    assert contents(world.folder / "crops") == before
    assert sorted(path.name for path in world.folder.iterdir()) == ["crops", "images"]


@pytest.mark.parametrize("image_id", ["i0", "i9"])
def test_a_photograph_of_other_bytes_stops_the_work(world: World, image_id: str) -> None:
    """Also one without any box: i9."""
    shard_of = {"i0": "00000.tar", "i9": "00009.tar"}
    more = lay_out({"i9": encoded(photograph(90, 60), "JPEG")}, world.folder / "images", {"i9": shard_of["i9"]})
    world = replace(world, downloads=pd.concat([world.downloads, more]), boxes=world.boxes.query("image_id != 'i9'"))
    world.crop()
    before = contents(world.folder / "crops")
    shard = world.folder / "images" / shard_of[image_id]
    data = bytearray(shard.read_bytes())
    data[512 + 900] ^= 1  # in the pixels of its first photograph, where Pillow notices nothing
    shard.write_bytes(data)
    with pytest.raises(UserError, match=rf"{shard_of[image_id]}: the bytes of {image_id}\.jpg .*dvc repro -f download"):
        world.crop()
    assert contents(world.folder / "crops") == before


@pytest.mark.parametrize(
    "box",
    [
        (-0.1, 0.5, 0, 1),
        (0, 1.1, 0, 1),
        (0.6, 0.5, 0, 1),
        (0, 1, 0.6, 0.5),
        (0, 1, 0, float("inf")),
        (float("-inf"), 1, 0, 1),
        (0, float("nan"), 0, 1),
        (0, 1, 0, 1.000002),
    ],
)
def test_a_box_that_is_none_is_one_clear_error(world: World, box: tuple[float, float, float, float]) -> None:
    boxes = pd.concat([world.boxes, box_rows([("i5", "a", box)])], ignore_index=True)
    with pytest.raises(UserError, match=r"received xmin .* on image i5; dvc repro -f metadata") as refused:
        world.crop(boxes=boxes)
    assert all(str(float(side)) in str(refused.value) for side in box)
    assert not (world.folder / "crops").exists()


@pytest.mark.parametrize("box", [(-1e-7, 1.0000005, 0, 1), (0, 1, 0, 1), (0.5, 0.5, 0, 1)])
def test_what_rounding_put_outside_is_a_box(world: World, box: tuple[float, float, float, float]) -> None:
    boxes = pd.concat([world.boxes, box_rows([("i5", "c", box)])], ignore_index=True)
    row = world.crop(boxes=boxes).query("label == 'c'").iloc[0]
    assert (row["status"], row["reason"]) in [("ok", None), ("excluded", "too_small")]


def test_ids_that_begin_like_others_are_no_trouble(tmp_path: Path) -> None:
    ids = ["ab", "ab-", "ab-0", "ab-f", "ab0", "a"]
    pictures = {key: encoded(photograph(40, 30), "JPEG") for key in ids}
    downloads = lay_out(pictures, tmp_path / "images", dict.fromkeys(ids, "00000.tar"))
    boxes = box_rows([(key, label, WHOLE) for key in ids for label in "abcdefgh"])
    crops = World(tmp_path, downloads, image_rows(ids), boxes).crop()
    assert set(crops["status"]) == {"ok"}
    keys = [entry.key for entry in read_shard(tmp_path / "crops" / "00000.tar") if entry.extension == "jpg"]
    assert keys == sorted(crops["crop_id"])
    assert len(keys) == 48


INTERRUPTED = """
import sys
from pathlib import Path
from imageset.crops import make_crops
from imageset.cut import CropRules
from imageset.errors import one_line_errors
from tests.drawn import box_rows, encoded, image_rows, lay_out, photograph

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    data = encoded(photograph(1600, 1200), "JPEG")
    ids = [f"i{number:03d}" for number in range(600)]
    downloads = lay_out(dict.fromkeys(ids, data), folder / "images", {key: f"{key[1:]:0>5}.tar" for key in ids})
    boxes = box_rows([(key, "a", (0.0, 1.0, 0.0, 1.0)) for key in ids])
    with one_line_errors():
        print("begins", flush=True)
        make_crops(folder / "images", folder / "crops", downloads=downloads, images=image_rows(ids), boxes=boxes,
                   rules=CropRules(64, "stretch", "rgb", 1), exclude=(), workers=2)
"""


@pytest.mark.parametrize("when", ["workers start", "workers work"])
def test_ctrl_c_ends_all_processes_at_once_with_one_line(tmp_path: Path, when: str) -> None:
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    root = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, script, tmp_path], env=os.environ | {"PYTHONPATH": str(root)}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    while when == "workers work" and not list(tmp_path.glob(".crops*/**/0*.tar")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130
    assert shown.endswith("stopped; run again to go on\n")
    assert "Traceback" not in shown
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".crops", "crops"))] == []
