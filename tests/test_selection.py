from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageset import records
from imageset.errors import UserError
from imageset.ids import crop_id
from imageset.selection import select
from imageset.sources.base import AuditStep, SourceRows

FOUND = AuditStep("in the source", 1000, 5000)


def table_of_boxes(rows: list[tuple[str, str, float]]) -> pd.DataFrame:
    """Boxes from image, label and left side, in the order of the table."""
    columns = {
        "image_id": [row[0] for row in rows],
        "label": [row[1] for row in rows],
        "label_id": [f"/m/{row[1].lower()}" for row in rows],
        "xmin": [row[2] for row in rows],
        "xmax": 1.0,
        "ymin": 0.0,
        "ymax": 1.0,
        **dict.fromkeys(records.ATTRIBUTES, -1),
    }
    boxes = pd.DataFrame(columns).astype(dict.fromkeys(records.ATTRIBUTES, "int8"))
    return boxes.sort_values(["image_id", "label_id", "xmin"], ignore_index=True)


def source_rows(rows: list[tuple[str, str, float]], labels: tuple[str, ...] = ()) -> SourceRows:
    boxes = table_of_boxes(rows)
    ids = sorted({row[0] for row in rows})
    images = pd.DataFrame({"image_id": ids, "subset": "train", "urls": [[f"http://127.0.0.1/{i}"] for i in ids]})
    images = images.reindex(columns=records.IMAGES.names)
    return SourceRows(images, boxes, (FOUND,), labels, {"http://127.0.0.1/boxes.csv": '"tag"'})


# Ten photographs with two apples each, ten with an apple and an orange, one with oranges only.
MANY = source_rows(
    [(f"a{n}", "Apple", x) for n in range(10) for x in (0.1, 0.2)]
    + [(f"b{n}", label, 0.3) for n in range(10) for label in ("Apple", "Orange")]
    + [("c", "Orange", x / 100) for x in range(5)],
    ("Apple", "Orange"),
)


def test_without_a_cap_everything_stays():
    selection = select(MANY, 20, None, 0)
    pd.testing.assert_frame_equal(selection.boxes, MANY.boxes)
    pd.testing.assert_frame_equal(selection.images, MANY.images)
    assert selection.audit == (FOUND, AuditStep("each box once", 21, 45))


def test_a_box_that_stands_twice_counts_once():
    rows = source_rows([("a", "Apple", 0.1), ("a", "Apple", 0.1 + 1e-9), ("a", "Apple", 0.1001), ("b", "Apple", 0.1)])
    boxes = select(rows, 20, None, 0).boxes
    assert list(boxes["xmin"]) == [0.1, 0.1001, 0.1]
    ids = [crop_id(b.image_id, b.label_id, (b.xmin, b.xmax, b.ymin, b.ymax)) for b in boxes.itertuples()]
    assert len(set(ids)) == len(ids)


def test_caps_take_whole_photographs_and_drop_those_without_boxes():
    selection = select(MANY, 20, 6, 0)
    assert selection.boxes["label"].value_counts().to_dict() == {"Apple": 6, "Orange": 6}
    assert set(selection.images["image_id"]) == set(selection.boxes["image_id"])
    apples = selection.boxes[selection.boxes["label"] == "Apple"]
    cut = [n for image_id, n in apples.groupby("image_id").size().items() if image_id.startswith("a") and n < 2]
    assert len(cut) <= 1
    assert selection.audit[-1] == AuditStep("at most 6 of a class", len(selection.images), 12)
    assert selection.boxes.equals(selection.boxes.sort_values(["image_id", "label_id", "xmin"], ignore_index=True))


def test_the_seed_draws():
    assert select(MANY, 20, 6, 0).boxes.equals(select(MANY, 20, 6, 0).boxes)
    assert len({tuple(select(MANY, seed, 6, 0).images["image_id"]) for seed in range(10)}) > 5


def test_the_order_of_the_rows_does_not_matter():
    shuffled = SourceRows(MANY.images, MANY.boxes.sample(frac=1, random_state=20), MANY.audit, MANY.labels, MANY.files)
    drawn = select(shuffled, 20, 7, 0).boxes
    assert set(drawn["image_id"]) == set(select(MANY, 20, 7, 0).boxes["image_id"])


def test_a_class_with_too_few_boxes_is_named():
    with pytest.raises(UserError, match=r"at least 16 boxes \(metadata.min_per_class\), Orange has 15; widen"):
        select(MANY, 20, None, 16)
    assert len(select(MANY, 20, None, 15).boxes) == 45


def test_a_class_without_any_box_is_too_few():
    with pytest.raises(UserError, match="Pear has 0"):
        select(source_rows([("a", "Apple", 0.1)], ("Apple", "Pear")), 20, None, 1)


def test_the_minimum_is_asked_of_what_there_is_not_of_what_the_cap_leaves():
    assert len(select(MANY, 20, 3, 10).boxes) == 6


def test_the_audit_is_a_table_and_a_report():
    selection = select(MANY, 20, 6, 0)
    lines = selection.lines()
    assert lines[1].split() == ["in", "the", "source", "1,000", "5,000"]
    assert lines[-1].split() == ["Orange", str(selection.boxes.query("label == 'Orange'")["image_id"].nunique()), "6"]
    assert len({len(line) for line in lines}) == 1
    report = selection.report()
    assert report["audit"][0] == {"step": "in the source", "images": 1000, "boxes": 5000}
    assert report["labels"][0] == {"label": "Apple", "boxes": 6, "images": report["labels"][0]["images"]}
    assert (report["images"], report["boxes"]) == (len(selection.images), 12)
    assert report["files"] == [{"url": "http://127.0.0.1/boxes.csv", "version": '"tag"'}]


def test_nothing_wanted_gives_empty_tables():
    rows = SourceRows(
        records.IMAGES.empty_table().to_pandas(), records.BOXES.empty_table().to_pandas(), (FOUND,), ("Apple",)
    )
    selection = select(rows, 20, 5, 0)
    assert (len(selection.images), len(selection.boxes)) == (0, 0)
    assert selection.report()["labels"] == [{"label": "Apple", "boxes": 0, "images": 0}]


boxes_on_images = st.lists(
    st.tuples(
        st.sampled_from([f"i{n}" for n in range(12)]),
        st.sampled_from(["Apple", "Orange"]),
        st.sampled_from(list(np.arange(10) / 16)),
    ),
    min_size=2,
    max_size=40,
    unique=True,
)


@settings(max_examples=30)
@given(boxes_on_images, st.integers(1, 10))
def test_a_cap_gives_the_cap_or_all(rows: list[tuple[str, str, float]], cap: int):
    before = table_of_boxes(rows)["label"].value_counts().to_dict()
    after = select(source_rows(rows), 20, cap, 0).boxes["label"].value_counts().to_dict()
    assert after == {label: min(count, cap) for label, count in before.items()}


@settings(max_examples=30)
@given(boxes_on_images, st.integers(1, 10))
def test_a_higher_cap_keeps_what_a_lower_one_drew(rows: list[tuple[str, str, float]], cap: int):
    def drawn(most: int) -> set[tuple[str, str, float]]:
        return set(select(source_rows(rows), 20, most, 0).boxes[["image_id", "label", "xmin"]].itertuples(index=False))

    assert drawn(cap) <= drawn(cap + 1)


@settings(max_examples=30)
@given(boxes_on_images, st.integers(1, 10), st.integers(1, 39))
def test_more_photographs_displace_only_the_last(rows: list[tuple[str, str, float]], cap: int, known: int):
    """What is drawn from a table that grew is, of the photographs known before, a part of what was drawn then."""
    first = {image_id for image_id, _, _ in rows[:known]}
    old = [row for row in rows if row[0] in first]
    before = select(source_rows(old), 20, cap, 0).boxes
    after = select(source_rows(rows), 20, cap, 0).boxes
    after = after[after["image_id"].isin(first)]
    columns = ["image_id", "label", "xmin"]
    assert set(after[columns].itertuples(index=False)) <= set(before[columns].itertuples(index=False))
