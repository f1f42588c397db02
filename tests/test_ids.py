from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageset.ids import crop_id, folder_names, rank

BOX = (0.1, 0.5, 0.2, 0.75)
side = st.floats(0, 1)


def test_a_crop_id_is_the_image_id_and_8_hex_digits() -> None:
    digits = hashlib.sha256(b"/m/0cdn1,0.100000,0.500000,0.200000,0.750000").hexdigest()[:8]
    assert crop_id("000a1249af2bc5f0", "/m/0cdn1", BOX) == f"000a1249af2bc5f0-{digits}"


def test_a_crop_id_changes_with_label_and_with_each_side() -> None:
    others = [(*BOX[:n], BOX[n] + 2e-6, *BOX[n + 1 :]) for n in range(4)]
    ids = {crop_id("a", "/m/x", box) for box in (BOX, *others)} | {crop_id("a", "/m/y", BOX)}
    assert len(ids) == 6


@given(st.tuples(side, side, side, side))
def test_last_bits_do_not_matter(box: tuple[float, float, float, float]) -> None:
    # As they change when a table goes through text: six digits are what the sources give.
    rounded = tuple(float(f"{value:.6f}") for value in box)
    assert crop_id("a", "/m/x", box) == crop_id("a", "/m/x", rounded)


def test_rank_depends_on_seed_and_key_only() -> None:
    assert rank(1, "a") == hashlib.sha256(b"1:a").hexdigest()
    assert rank(1, "a") != rank(2, "a")
    assert rank(1, "2:a") != rank(12, ":a")


def test_rank_orders_keys_anew_for_each_seed() -> None:
    keys = [f"{number:04x}" for number in range(200)]
    orders = {tuple(sorted(keys, key=lambda key, seed=seed: rank(seed, key))) for seed in range(5)}
    assert len(orders) == 5
    assert tuple(keys) not in orders


def test_folder_names_are_slugs() -> None:
    names = folder_names(["Hot dog", "Sandwich - Hamburger", "Café au lait"])
    assert names == {
        "Hot dog": "hot-dog",
        "Sandwich - Hamburger": "sandwich-hamburger",
        "Café au lait": "caf-au-lait",
    }


def test_labels_that_share_a_slug_get_four_digits_each() -> None:
    names = folder_names(["hot dog", "Hot Dog", "Hot-Dog", "cat"])
    assert names["cat"] == "cat"
    assert len(set(names.values())) == 4
    assert all(re.fullmatch(r"hot-dog-[0-9a-f]{4}", names[label]) for label in ("hot dog", "Hot Dog", "Hot-Dog"))


def test_labels_without_a_latin_letter_keep_apart() -> None:
    labels = [chr(0x4E00 + number) for number in range(2000)]  # two of them share the first 4 digits, surely
    assert len(set(folder_names(labels).values())) == len(labels)


@pytest.mark.parametrize("label", ["../../etc/passwd", "", "三明治", "a\0b", "CON/..", "x" * 50])
def test_no_label_leads_out_of_the_folder(label: str) -> None:
    (name,) = folder_names([label]).values()
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)


@given(st.sets(st.text(max_size=8), max_size=12))
def test_folder_names_do_not_depend_on_order_and_are_safe(labels: set[str]) -> None:
    names = folder_names(sorted(labels))
    assert names == folder_names(sorted(labels, reverse=True))
    assert names.keys() == labels
    assert len(set(names.values())) == len(labels)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names.values())
