from __future__ import annotations

import errno
import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imageset import dataset
from imageset.dataset import open_split, write_dataset
from imageset.errors import UserError
from imageset.shards import Entry, write_shard
from imageset.splits import NAMES
from tests.drawn import encoded

LABELS = ["Hamburger", "Hot dog", "三明治"]


def crop(number: int, mode: str = "RGB") -> bytes:
    noise = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return encoded(Image.fromarray(noise).convert(mode), "JPEG", quality=95, subsampling="4:4:4")


def world(folder: Path, count: int = 20, mode: str = "RGB") -> pd.DataFrame:
    """Crops in three shards, and their assignment: schema `records.SPLIT`."""
    ids = [f"i{number:04d}-c" for number in range(count)]
    for shard in range(3):
        entries = []
        for number in range(shard, count, 3):
            entries += [Entry(ids[number], "jpg", crop(number, mode)), Entry(ids[number], "json", b"{}")]
        write_shard(folder / f"0000{shard}.tar", entries)
    label = [LABELS[2 - number % 3] for number in range(count)]
    split = [NAMES[min(number % 5, 2)] for number in range(count)]
    return pd.DataFrame({"crop_id": ids, "label": label, "group": ids, "split": split})


def write(table: pd.DataFrame, crops_folder: Path, path: Path, mode: str = "RGB") -> None:
    hashes = {key: hashlib.sha256(crop(int(key[1:5]), mode)).hexdigest() for key in table["crop_id"]}
    write_dataset(table, hashes, crops_folder, path)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_labels_and_ids_go_round(tmp_path: Path, mode: str) -> None:
    table = world(tmp_path / "crops", mode=mode)
    write(table, tmp_path / "crops", tmp_path / "d.h5", mode)
    seen: list[str] = []
    for name in NAMES:
        split = open_split(tmp_path / "d.h5", name)
        wanted = table[table["split"] == name].set_index("crop_id")
        assert set(split.crop_ids) == set(wanted.index)
        assert split.classes == LABELS
        assert [split.classes[label] for label in split.labels] == wanted.loc[split.crop_ids, "label"].tolist()
        assert (split.images.dtype, split.labels.dtype) == (np.uint8, np.int32)
        assert split.images.shape == (len(wanted), 12, 12, {"RGB": 3, "L": 1}[mode])
        for key, image in zip(split.crop_ids, split.images, strict=True):
            expected = np.asarray(Image.open(io.BytesIO(crop(int(key[1:5]), mode))))
            assert np.array_equal(np.squeeze(image), expected)
        seen += split.crop_ids
    assert sorted(seen) == table["crop_id"].tolist()


def test_the_file_has_the_layout_of_the_contract(tmp_path: Path) -> None:
    table = world(tmp_path / "crops", 60)
    write(table, tmp_path / "crops", tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5") as file:
        assert sorted(file) == ["test", "train", "val"]
        assert list(file.attrs["classes"]) == LABELS
        for name, group in file.items():
            count = (table["split"] == name).sum()
            assert sorted(group) == ["crop_ids", "images", "labels"]
            assert group["images"].shape == (count, 12, 12, 3)
            assert group["labels"].shape == group["crop_ids"].shape == (count,)
            assert all(array.compression == "gzip" and array.fletcher32 for array in group.values())
            assert group["images"].chunks[0] <= 16
            assert h5py.check_string_dtype(group["crop_ids"].dtype) is not None
    # Superblock 0: what every reader of HDF5 since 1.0 can open.
    assert (tmp_path / "d.h5").read_bytes()[8] == 0


def test_more_crops_than_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = world(tmp_path / "crops", 41)
    write(table, tmp_path / "crops", tmp_path / "whole.h5")
    monkeypatch.setattr(dataset, "_BATCH", 4)
    write(table, tmp_path / "crops", tmp_path / "batches.h5")
    for name in NAMES:
        whole, batches = (open_split(tmp_path / f"{which}.h5", name) for which in ("whole", "batches"))
        assert whole.crop_ids == batches.crop_ids
        assert np.array_equal(whole.images, batches.images)
        assert np.array_equal(whole.labels, batches.labels)


def test_the_same_crops_give_the_same_bytes_later(tmp_path: Path) -> None:
    table = world(tmp_path / "crops", 300)
    write(table, tmp_path / "crops", tmp_path / "one.h5")
    time.sleep(1.1)  # HDF5 keeps times in whole seconds, where it keeps them
    write(table.sample(frac=1, random_state=3), tmp_path / "crops", tmp_path / "two.h5")
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_crops_of_no_split_are_passed_over(tmp_path: Path) -> None:
    table = world(tmp_path / "crops")
    write(table.iloc[:10], tmp_path / "crops", tmp_path / "d.h5")
    assert sum(len(open_split(tmp_path / "d.h5", name).labels) for name in NAMES) == 10


def test_an_empty_split_is_one_clear_error(tmp_path: Path) -> None:
    table = world(tmp_path / "crops").assign(split="train")
    write(table, tmp_path / "crops", tmp_path / "d.h5")
    assert len(open_split(tmp_path / "d.h5", "train").labels) == len(table)
    with pytest.raises(UserError, match="split val is empty"):
        open_split(tmp_path / "d.h5", "val")


def test_a_crop_of_other_bytes_is_one_clear_error(tmp_path: Path) -> None:
    table = world(tmp_path / "crops")
    shard = tmp_path / "crops" / "00001.tar"
    data = bytearray(shard.read_bytes())
    data[700] ^= 1  # in the middle of its first crop, where Pillow notices nothing
    shard.write_bytes(data)
    with pytest.raises(UserError, match=r"00001\.tar: the bytes of i0001-c\.jpg .* dvc repro -f crop"):
        write(table, tmp_path / "crops", tmp_path / "d.h5")
    assert not (tmp_path / "d.h5").exists()


def test_missing_crops_are_counted_and_the_old_file_stays(tmp_path: Path) -> None:
    table = world(tmp_path / "crops")
    (tmp_path / "d.h5").write_bytes(b"old")
    (tmp_path / "crops" / "00001.tar").unlink()
    with pytest.raises(UserError, match=r"lack \d+ crops; dvc repro -f crop"):
        write(table, tmp_path / "crops", tmp_path / "d.h5")
    assert (tmp_path / "d.h5").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crops", "d.h5"]


def test_no_crops_at_all_is_one_clear_error(tmp_path: Path) -> None:
    table = world(tmp_path / "crops")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no crops"):
        write(table, tmp_path / "empty", tmp_path / "d.h5")


def test_a_damaged_shard_is_one_clear_error(tmp_path: Path) -> None:
    table = world(tmp_path / "crops")
    shard = tmp_path / "crops" / "00002.tar"
    shard.write_bytes(shard.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"00002\.tar"):
        write(table, tmp_path / "crops", tmp_path / "d.h5")


@pytest.mark.parametrize("damage", ["missing", "text", "empty", "half", "few bytes", "pixels"])
def test_a_damaged_dataset_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "d.h5"
    write(world(tmp_path / "crops", 60), tmp_path / "crops", path)
    whole = path.read_bytes()
    path.unlink()
    with h5py.File(io.BytesIO(whole)) as file:
        start = file["train/images"].id.get_chunk_info(0).byte_offset
    broken = {
        "text": b"image_id,label\n",
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "few bytes": whole[:-100],
        "pixels": whole[:start] + bytes(50) + whole[start + 50 :],
    }
    if damage in broken:
        path.write_bytes(broken[damage])
    with pytest.raises(UserError, match=f"{path}.*dvc repro") as refused:
        open_split(path, "train")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("change", ["no split", "no classes", "no pixels", "split is numbers", "ids are numbers"])
def test_another_hdf5_file_is_one_clear_error(tmp_path: Path, change: str) -> None:
    path = tmp_path / "d.h5"
    write(world(tmp_path / "crops"), tmp_path / "crops", path)
    with h5py.File(path, "a") as file:
        if change == "no classes":
            del file.attrs["classes"]
        elif change in ("no pixels", "ids are numbers"):
            name = {"no pixels": "images", "ids are numbers": "crop_ids"}[change]
            del file["train"][name]
            if name == "crop_ids":
                file["train"][name] = np.arange(3)
        else:
            del file["train"]
            if change == "split is numbers":
                file["train"] = np.arange(3)
    with pytest.raises(UserError, match="damaged or no dataset of this project"):
        open_split(path, "train")


@pytest.mark.parametrize("array", ["images", "labels", "crop_ids"])
def test_a_flipped_bit_in_any_array_is_one_clear_error(tmp_path: Path, array: str) -> None:
    path = tmp_path / "d.h5"
    write(world(tmp_path / "crops", 60), tmp_path / "crops", path)
    with h5py.File(path) as file:
        chunk = file["train"][array].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    for place in (0, chunk.size // 2, chunk.size - 1):
        data[chunk.byte_offset + place] ^= 4
        path.write_bytes(data)
        with pytest.raises(UserError, match="dvc repro -f split"):
            open_split(path, "train")
        data[chunk.byte_offset + place] ^= 4


@pytest.mark.parametrize(
    ("array", "value", "words"),
    [
        ("labels", np.full(12, 3, np.int32), "labels are 0 to 2, received 3"),
        ("labels", np.full(12, -1, np.int32), "labels are 0 to 2, received -1"),
        ("labels", np.zeros(12, np.int64), "labels are int32"),
        ("labels", np.zeros((12, 1), np.int32), "labels are int32"),
        ("labels", np.zeros(11, np.int32), "12 images, 11 labels and 12 crop_ids"),
        ("crop_ids", ["a"] * 13, "12 images, 12 labels and 13 crop_ids"),
        ("images", np.zeros((12, 12, 12, 3), np.float32), "images are uint8"),
        ("images", np.zeros((12, 12, 12), np.uint8), "images are uint8"),
        ("images", np.zeros((12, 12, 12, 4), np.uint8), "images are uint8"),
        ("images", np.zeros((12, 12, 10, 3), np.uint8), "images are uint8"),
        ("images", np.zeros((0, 12, 12, 3), np.uint8), "0 images"),
        ("classes", ["Hot dog", "Hamburger", "三明治"], "sorted order"),
        ("classes", ["Hamburger", "Hamburger", "Hot dog"], "sorted order"),
        ("classes", ["Hamburger"], "labels are 0 to 0"),
        ("classes", [1, 2, 3], "sorted order"),
        ("classes", "abc", "sorted order"),
    ],
)
def test_what_write_dataset_would_not_have_written_is_refused(
    tmp_path: Path, array: str, value: object, words: str
) -> None:
    path = tmp_path / "d.h5"
    write(world(tmp_path / "crops", 60), tmp_path / "crops", path)
    with h5py.File(path, "a") as file:
        if array == "classes":
            file.attrs["classes"] = value
        else:
            del file["train"][array]
            file["train"][array] = value
    with pytest.raises(UserError, match=words) as refused:
        open_split(path, "train")
    assert str(path) in str(refused.value)
    assert "dvc repro -f split" in str(refused.value)


# In a process of its own, because HDF5 once brought it down when it ended.
FILL = """
import hashlib, resource, sys
from pathlib import Path
import pandas as pd
from imageset.dataset import write_dataset
from imageset.shards import read_shard
folder, place = Path(sys.argv[1]), Path(sys.argv[2])
split = pd.read_parquet(folder / "split.parquet")
hashes = {e.key: hashlib.sha256(e.data).hexdigest() for p in (folder / "crops").iterdir() for e in read_shard(p)
          if e.extension == "jpg"}
size = (folder / "whole.h5").stat().st_size
steps = range(0, size, size // 12)
errors = []
for room in steps:
    if sys.argv[3] == "disk":
        filler = place / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)): pass
            except OSError: pass
            file.truncate(max(0, file.tell() - room))
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        write_dataset(split, hashes, folder / "crops", place / "d.h5")
    except OSError as error:
        errors.append((error.errno, error.filename))
    assert (place / "d.h5").read_bytes() == b"old"
    assert sorted(p.name for p in place.iterdir()) in (["d.h5"], ["d.h5", "filler"])
print(len(errors) == len(steps), *sorted(set(errors)))
"""


def filled(tmp_path: Path, place: Path, how: str) -> str:
    """What write_dataset says when the room ends after 0, 1/12, 2/12 ... of the file."""
    table = world(tmp_path / "crops", 600)
    write(table, tmp_path / "crops", tmp_path / "whole.h5")
    table.to_parquet(tmp_path / "split.parquet")
    (place / "d.h5").write_bytes(b"old")
    command = [sys.executable, "-c", FILL, str(tmp_path), str(place), how]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "dataset:" not in line]) == (0, [])
    return done.stdout.strip()


def test_a_file_that_may_not_grow_is_an_error_and_no_crash(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    assert filled(tmp_path, place, "limit") == f"True ({errno.EFBIG}, {str(place / 'd.h5')!r})"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if not sys.platform.startswith("linux") or os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_an_error_and_no_crash(tmp_path: Path, small_disk: Path) -> None:
    assert filled(tmp_path, small_disk, "disk") == f"True ({errno.ENOSPC}, {str(small_disk / 'd.h5')!r})"
