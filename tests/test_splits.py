from __future__ import annotations

import random

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from imageset import records
from imageset.errors import UserError
from imageset.splits import NAMES, assign

FRACTIONS = {"train": 0.7, "val": 0.15, "test": 0.15}


def crops_of(labels_of: dict[str, str]) -> pd.DataFrame:
    """Crops from image id to labels, one crop for each letter."""
    rows = [(f"{i}-{n}", i, label) for i, labels in labels_of.items() for n, label in enumerate(labels)]
    return pd.DataFrame(rows, columns=["crop_id", "image_id", "label"])


def pictures_of(labels_of: dict[str, str], same: dict[str, str] | None = None) -> pd.DataFrame:
    """Images with the hash of their bytes: their id, unless `same` says whose bytes they have."""
    return pd.DataFrame([(i, (same or {}).get(i, i)) for i in labels_of], columns=["image_id", "sha256"])


def simple(count: int = 100) -> dict[str, str]:
    return {f"i{number:04d}": "ab"[number % 2] for number in range(count)}


def split_of(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["crop_id"], table["split"], strict=True))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str]]:
    """Photographs with one to four crops of up to four labels; some have the bytes of another."""
    count = draw(st.integers(20, 80))
    labels = st.text("abcd"[: draw(st.integers(1, 4))], min_size=1, max_size=4)
    world = {f"i{number:03d}": draw(labels) for number in range(count)}
    copies = draw(st.lists(st.tuples(st.sampled_from(sorted(world)), st.sampled_from(sorted(world))), max_size=8))
    return world, dict(copies)


@given(
    world=worlds(),
    fractions=st.sampled_from([FRACTIONS, {"train": 0.5, "val": 0.3, "test": 0.2}, dict.fromkeys(NAMES, 1 / 3)]),
    seed=st.integers(0, 2**31 - 1),
    shuffle=st.integers(0, 2**31 - 1),
)
@settings(max_examples=60)
def test_any_world(
    world: tuple[dict[str, str], dict[str, str]], fractions: dict[str, float], seed: int, shuffle: int
) -> None:
    labels_of, same = world
    crops, pictures = crops_of(labels_of), pictures_of(labels_of, same)
    try:
        table = assign(crops, pictures, fractions, seed)
    except UserError:
        assume(False)
    # Every crop once, in order, under its own label.
    assert list(table.columns) == records.SPLIT.names
    assert table["crop_id"].tolist() == sorted(crops["crop_id"])
    assert dict(zip(table["crop_id"], table["label"], strict=True)) == dict(
        zip(crops["crop_id"], crops["label"], strict=True)
    )
    assert set(table["split"]) == set(NAMES)
    # No photograph, and no two photographs of the same bytes, on two sides.
    by_hash = crops.merge(pictures, on="image_id").merge(table[["crop_id", "split", "group"]], on="crop_id")
    assert (by_hash.groupby("sha256")[["split", "group"]].nunique() == 1).all(axis=None)
    assert (table.groupby("group")["split"].nunique() == 1).all()
    # Each label's share, to about one group; measured over 400 random worlds: 1.1 groups at worst.
    for label, found in table.groupby("label"):
        largest = table[table["label"] == label].groupby("group").size().max()
        for name in NAMES:
            assert abs((found["split"] == name).sum() - fractions[name] * len(found)) <= 1.5 * largest + 1e-9
    # Neither the order of the rows nor that of the columns counts, nor the row labels.
    mixed = crops.sample(frac=1, random_state=shuffle)[crops.columns[::-1]]
    again = assign(mixed, pictures.sample(frac=1, random_state=shuffle)[["sha256", "image_id"]], fractions, seed)
    pd.testing.assert_frame_equal(again, table)


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    crops, pictures = crops_of(simple()), pictures_of(simple())
    splits = [split_of(assign(crops, pictures, FRACTIONS, seed)) for seed in (20, 20, 21, 22)]
    assert splits[0] == splits[1]
    assert splits[0] != splits[2] != splits[3]


def test_groups_of_one_crop_miss_the_shares_by_one_at_most() -> None:
    table = assign(crops_of(simple()), pictures_of(simple()), FRACTIONS, 20)
    counts = pd.crosstab(table["label"], table["split"])
    assert (abs(counts - 50 * pd.Series(FRACTIONS)) <= 1).all(axis=None)


def test_the_group_is_the_first_photograph_of_the_same_bytes() -> None:
    world = {**simple(), "i0007": "aab"}
    table = assign(crops_of(world), pictures_of(world, {"i0050": "x", "i0009": "x", "i0031": "x"}), FRACTIONS, 3)
    group_of = dict(zip(table["crop_id"], table["group"], strict=True))
    assert {group_of[f"{i}-0"] for i in ("i0050", "i0009", "i0031")} == {"i0009"}
    assert {group_of[f"i0007-{n}"] for n in range(3)} == {"i0007"}


def test_the_large_group_goes_to_train() -> None:
    world = {**simple(), "big": "a" * 20}
    table = assign(crops_of(world), pictures_of(world), FRACTIONS, 1)
    assert set(table.loc[table["group"] == "big", "split"]) == {"train"}


def test_the_order_is_drawn_not_alphabetical() -> None:
    table = assign(crops_of(simple(400)), pictures_of(simple(400)), FRACTIONS, 20)
    numbers = {name: found["crop_id"].str[1:5].astype(int).mean() for name, found in table.groupby("split")}
    assert all(abs(mean - 200) < 40 for mean in numbers.values())


def test_failed_pictures_that_are_listed_do_not_matter() -> None:
    crops, pictures = crops_of(simple()), pictures_of(simple())
    more = pd.concat([pictures, pd.DataFrame({"image_id": ["dead"], "sha256": [None]})])
    pd.testing.assert_frame_equal(assign(crops, more, FRACTIONS, 1), assign(crops, pictures, FRACTIONS, 1))


@pytest.mark.parametrize("count", [1, 2])
def test_a_class_with_too_few_photographs_is_one_clear_error(count: int) -> None:
    world = {**simple(), **{f"rare{number}": "ccc" for number in range(count)}}
    with pytest.raises(UserError) as refused:
        assign(crops_of(world), pictures_of(world), FRACTIONS, 20)
    message = str(refused.value)
    assert f"too few crops to split: c has {3 * count} from {count} photographs" in message
    assert "\n" not in message
    assert "test" in message


def test_three_photographs_are_enough() -> None:
    world = {**simple(), "r1": "c", "r2": "c", "r3": "c"}
    table = assign(crops_of(world), pictures_of(world), FRACTIONS, 20)
    assert sorted(table.loc[table["label"] == "c", "split"]) == sorted(NAMES)


@pytest.mark.parametrize("seed", range(3))
def test_few_crops_move_when_the_dataset_grows(seed: int) -> None:
    rng = random.Random(seed)
    rows = []
    for _ in range(410):
        image_id = f"{rng.getrandbits(64):016x}"
        rows += [(f"{image_id}-{box}", image_id, rng.choice("abc")) for box in range(rng.choice((1, 1, 2, 3)))]
    grown = pd.DataFrame(rows, columns=["crop_id", "image_id", "label"])
    before = grown[grown["image_id"].isin(grown["image_id"].unique()[:400])]

    def split_of(crops: pd.DataFrame) -> pd.Series:
        pictures = pd.DataFrame({"image_id": crops["image_id"].unique()}).assign(sha256=lambda table: table["image_id"])
        return assign(crops, pictures, FRACTIONS, 20).set_index("crop_id")["split"]

    was = split_of(before)
    moved = (split_of(grown)[was.index] != was).mean()
    assert moved < 0.03
