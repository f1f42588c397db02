from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imageset import records
from imageset.classes import Labelling, resolve
from imageset.errors import UserError
from imageset.params import OpenImagesParams, load_params
from imageset.sources import open_source, openimages
from imageset.sources.openimages import OpenImagesSource
from imageset.sources.sample import SampleSource
from tests.webserver import Site, answer, redirect

CLASSES = {"/m/apple": "Apple", "/m/fruit": "Fruit", "/m/wheel": "Wheel", "/m/bike": "Bike", "/j/odd_1": "Odd-one"}
TREE = {
    "LabelName": "/m/0bl9f",
    "Subcategory": [
        {"LabelName": "/m/fruit", "Subcategory": [{"LabelName": "/m/apple"}]},
        {"LabelName": "/m/bike", "Part": [{"LabelName": "/m/wheel"}]},
        {"LabelName": "/j/odd_1"},
        {"LabelName": "/m/fruit"},
    ],
}
BOX_HEAD = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)
IMAGE_HEAD = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,OriginalSize,OriginalMD5,"
    "Thumbnail300KURL,Rotation"
)
CLICKS = ",".join(f"XClick{n}{axis}" for axis in "XY" for n in range(1, 5))
SUBSETS = ("train", "validation")
ALL = Labelling(dict.fromkeys(CLASSES, "any"), None)


def box(
    image: str, label: str, sides: str = "0.1,0.2,0.3,0.4", flags: str = "0,1,-1,0,0", confidence: str = "1"
) -> str:
    return f"{image},xclick,{label},{confidence},{sides},{flags}"


def photo(image: str, **values: str) -> dict[str, str]:
    return {
        "ImageID": image,
        "OriginalURL": f"http://127.0.0.1/{image}_o.jpg",
        "OriginalLandingURL": f"http://127.0.0.1/people/{image}",
        "License": "https://creativecommons.org/licenses/by/2.0/",
        "Author": "Ann",
        "Title": "Lunch",
        "OriginalSize": "12345",
        "OriginalMD5": base64.b64encode(hashlib.md5(image.encode()).digest()).decode(),
        "Rotation": "0.0",
    } | values


def table(head: str, rows: list[str]) -> bytes:
    return "\n".join([head, *rows, ""]).encode()


def photos(*rows: dict[str, str], head: str = IMAGE_HEAD) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, head.split(","), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.fixture
def site() -> Iterator[Site]:
    """One subset in the layout of V4; tests change what they need."""
    files = {
        "/2018_04/class-descriptions-boxable.csv": "\n".join(f"{i},{n}" for i, n in CLASSES.items()).encode(),
        "/2018_04/bbox_labels_600_hierarchy.json": json.dumps(TREE).encode(),
        "/2018_04/validation/validation-annotations-bbox.csv": table(
            BOX_HEAD, [box("b2", "/m/bike"), box("b1", "/m/apple"), box("b1", "/m/fruit", "0.5,0.6,0.7,0.8")]
        ),
        "/2018_04/validation/validation-images-with-rotation.csv": photos(photo("b2"), photo("b1"), photo("b3")),
    }
    with Site({path: answer(body, ETag=f'"{len(body)}"') for path, body in files.items()}).running() as running:
        yield running


BOXES = "/2018_04/validation/validation-annotations-bbox.csv"
IMAGES = "/2018_04/validation/validation-images-with-rotation.csv"
HIERARCHY = "/2018_04/bbox_labels_600_hierarchy.json"
NAMES = "/2018_04/class-descriptions-boxable.csv"


@pytest.fixture
def source(site: Site, tmp_path: Path) -> OpenImagesSource:
    return a_source(site, tmp_path)


def a_source(site: Site, cache: Path, version: Any = "v4", subsets: Any = ("validation",)) -> OpenImagesSource:
    params = OpenImagesParams(
        base_url=site.url(""), images_url="http://127.0.0.1/copies", version=version, subsets=list(subsets)
    )
    return OpenImagesSource(params, cache)


def test_rows_have_the_schemas_and_come_sorted(source: OpenImagesSource, tmp_path: Path):
    found = source.rows(resolve(["Fruit", "Bike"], source.tree()))
    assert list(found.boxes["image_id"]) == ["b1", "b1", "b2"]
    assert list(found.boxes["label"]) == ["Fruit", "Fruit", "Bike"]
    assert list(found.boxes["label_id"]) == ["/m/apple", "/m/fruit", "/m/bike"]
    assert found.boxes.loc[0, ["xmin", "xmax", "ymin", "ymax"]].tolist() == [0.1, 0.2, 0.3, 0.4]
    assert found.boxes.loc[0, list(records.ATTRIBUTES)].tolist() == [0, 1, -1, 0, 0]
    assert list(found.images["image_id"]) == ["b1", "b2"]
    first = found.images.iloc[0]
    assert list(first["urls"]) == ["http://127.0.0.1/b1_o.jpg", "http://127.0.0.1/copies/validation/b1.jpg"]
    assert (first["md5"], first["bytes"]) == (hashlib.md5(b"b1").hexdigest(), 12345)
    assert (first["subset"], first["author"], first["title"]) == ("validation", "Ann", "Lunch")
    records.write(found.images, tmp_path / "images.parquet", records.IMAGES)
    records.write(found.boxes, tmp_path / "boxes.parquet", records.BOXES)
    assert len(records.read(tmp_path / "boxes.parquet", records.BOXES)) == 3


def test_the_tree_has_names_counts_and_subcategories_but_no_parts(source: OpenImagesSource):
    tree = source.tree()
    assert len(tree.nodes) == 6
    assert tree.node("/m/0bl9f").name == "Entity"
    assert tree.node("/m/fruit").children == ("/m/apple",)
    assert (tree.node("/m/bike").children, tree.ids("Wheel")) == ((), ("/m/wheel",))
    counts = {node.name: (node.boxes, node.images) for node in tree.nodes}
    assert counts["Apple"] == (1, 1)
    assert counts["Wheel"] == (0, 0)


def test_images_of_a_class_are_counted_once_each(site: Site, source: OpenImagesSource):
    rows = [box(f"b{n % 3}", "/m/apple", f"0.{n},0.9,0,1") for n in range(8)]
    site.routes[BOXES] = answer(table(BOX_HEAD, [*rows, box("b9", "/m/apple", confidence="0")]))
    assert (source.tree().node("/m/apple").boxes, source.tree().node("/m/apple").images) == (8, 3)


def test_counts_are_those_of_a_plain_count(site: Site, tmp_path: Path):
    draw = random.Random(20)
    rows = [
        (f"{draw.randrange(300):016x}", draw.choice([*CLASSES, "/m/unheard"]), draw.choice("0111")) for _ in range(5000)
    ]
    for subset, part in (("train", rows[:4000]), ("validation", rows[4000:])):
        lines = [box(image, label, confidence=confidence) for image, label, confidence in part]
        site.routes[BOXES.replace("validation", subset)] = answer(table(BOX_HEAD, lines))
    counted = {node.id: (node.boxes, node.images) for node in a_source(site, tmp_path, "v4", SUBSETS).tree().nodes}
    for class_id in CLASSES:
        images = [
            [image for image, label, confidence in part if (label, confidence) == (class_id, "1")]
            for part in (rows[:4000], rows[4000:])
        ]
        assert counted[class_id] == (sum(map(len, images)), sum(len(set(part)) for part in images))
    assert set(counted) == {"/m/0bl9f", *CLASSES}


def test_counts_are_kept_until_the_file_changes(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    counted = []
    count = openimages._count
    monkeypatch.setattr(openimages, "_count", lambda *received: counted.append(1) or count(*received))
    first = a_source(site, tmp_path).tree()
    assert a_source(site, tmp_path).tree() == first
    assert len(counted) == 1
    site.routes[BOXES] = answer(table(BOX_HEAD, [box("b1", "/m/wheel")]), ETag='"newer"')
    assert a_source(site, tmp_path).tree().node("/m/wheel").boxes == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"\xff\x00",
        b"[" * 100_000,
        b'{"rows": 3, "classes": []}',
        b'{"rows": "3", "classes": {}}',
        b'{"rows": 3, "classes": {"/m/apple": [1, 1]}}',
    ],
)
def test_a_damaged_count_is_made_anew(site: Site, tmp_path: Path, content: bytes):
    first = a_source(site, tmp_path).tree()
    (kept,) = tmp_path.glob("*.tally.json")
    whole = kept.read_bytes()
    kept.write_bytes(content)
    assert a_source(site, tmp_path).tree() == first
    assert kept.read_bytes() == whole


def test_a_redirect_to_the_host_of_the_pictures_is_followed(site: Site, tmp_path: Path):
    site.routes |= {"/far": site.routes[BOXES], BOXES: redirect(site.url("/far", "localhost"))}
    params = OpenImagesParams(
        base_url=site.url(""), images_url="http://localhost/copies", version="v4", subsets=["validation"]
    )
    assert OpenImagesSource(params, tmp_path).tree().node("/m/apple").boxes == 1


def test_the_audit_counts_every_step(site: Site, source: OpenImagesSource):
    rows = [box("b1", "/m/apple"), box("b2", "/m/apple", confidence="0"), box("lost", "/m/apple"), box("b3", "/m/bike")]
    rows.append(box("b3", "/m/unheard"))
    site.routes[BOXES] = answer(table(BOX_HEAD, rows))
    found = source.rows(Labelling({"/m/apple": "Apple"}, None))
    assert [(step.step, step.images, step.boxes) for step in found.audit] == [
        ("in the source", 3, 5),
        ("of the wanted classes", 3, 3),
        ("not verified as absent", 2, 2),
        ("on a described image", 1, 1),
    ]
    assert list(found.boxes["image_id"]) == ["b1"]
    assert found.labels == ("Apple",)
    assert found.files[site.url(IMAGES)].startswith('"')


def test_the_rest_takes_every_other_class(source: OpenImagesSource):
    found = source.rows(resolve(["Apple", "*"], source.tree()))
    assert sorted(found.boxes["label"]) == ["Apple", "other", "other"]


def test_a_class_id_within_another_is_not_mixed_up(site: Site, source: OpenImagesSource):
    site.routes[BOXES] = answer(table(BOX_HEAD, [box("b1", "/m/app"), box("b1", "/m/apple"), box("b1", "/m/appl.")]))
    assert list(source.rows(Labelling({"/m/app": "a", "/m/appl.": "b"}, None)).boxes["label_id"]) == [
        "/m/app",
        "/m/appl.",
    ]


def test_nothing_wanted_gives_empty_tables(source: OpenImagesSource, tmp_path: Path):
    found = source.rows(Labelling({"/m/wheel": "Wheel"}, None))
    assert (len(found.images), len(found.boxes), found.labels) == (0, 0, ("Wheel",))
    records.write(found.images, tmp_path / "images.parquet", records.IMAGES)
    records.write(found.boxes, tmp_path / "boxes.parquet", records.BOXES)


def test_texts_may_hold_quotes_commas_and_line_ends(site: Site, source: OpenImagesSource):
    title = 'Untitled, no. "7"\r\nsecond line, "b2",\nend'
    site.routes[IMAGES] = answer(photos(photo("b2"), photo("b1", Title=title, Author="Ö, 文 \U0001f34e"), photo("b3")))
    found = source.rows(ALL)
    assert found.images.iloc[0]["title"] == title
    assert found.images.iloc[0]["author"] == "Ö, 文 \U0001f34e"
    assert len(found.images) == 2
    assert found.audit[0].images == 3


def test_many_rows_with_line_ends_in_texts_stay_whole(site: Site, source: OpenImagesSource):
    """Enough text (20 MB) that it is read in many pieces, which may not be cut within quotes."""
    draw = random.Random(20)
    titles = {f"i{n}": '\n",'.join("x" * draw.randrange(1200) for _ in range(4)) for n in range(8000)}
    site.routes[IMAGES] = answer(photos(*(photo(image, Title=title) for image, title in titles.items())))
    site.routes[BOXES] = answer(table(BOX_HEAD, [box(image, "/m/apple") for image in titles]))
    found = source.rows(ALL)
    assert dict(zip(found.images["image_id"], found.images["title"], strict=True)) == titles
    assert (found.audit[0].images, found.audit[0].boxes) == (8000, 8000)


def test_what_is_unknown_stays_unknown(site: Site, source: OpenImagesSource):
    odd = photo("b1", Rotation="", OriginalSize="", OriginalMD5="not base64", Title="", OriginalURL="")
    site.routes[IMAGES] = answer(photos(odd, photo("b2", Rotation="270.0", OriginalMD5="AAAA")))
    site.routes[BOXES] = answer(table(BOX_HEAD, [box("b1", "/m/apple", flags=",,,,"), box("b2", "/m/apple")]))
    found = source.rows(ALL)
    assert found.images.loc[0, ["rotation", "bytes", "md5", "title"]].isna().all()
    assert list(found.images.loc[0, "urls"]) == ["http://127.0.0.1/copies/validation/b1.jpg"]
    assert found.images.loc[1, "rotation"] == 270
    assert found.images["md5"].isna().all()
    assert found.boxes.loc[0, list(records.ATTRIBUTES)].tolist() == [-1] * 5


@pytest.mark.parametrize(
    ("sides", "received"),
    [
        ("0.6,0.5,0.1,0.2", "XMin 0.6, XMax 0.5, YMin 0.1, YMax 0.2"),
        ("0.1,0.2,0.9,0.8", "YMin 0.9, YMax 0.8"),
        ("-0.1,0.2,0.1,0.2", "XMin -0.1"),
        ("0.1,0.2,0.1,1.1", "YMax 1.1"),
        ("0.1,0.2,,0.3", "YMin None"),
        ("0.1,nan,0.1,0.3", "XMax nan"),
    ],
)
def test_a_box_that_is_none_is_named(site: Site, source: OpenImagesSource, sides: str, received: str):
    site.routes[BOXES] = answer(table(BOX_HEAD, [box("b2", "/m/apple"), box("b1", "/m/apple", sides)]))
    with pytest.raises(UserError, match=rf"validation-annotations-bbox.csv: a box has .*{received}.* on image b1$"):
        source.rows(ALL)


def test_a_bad_box_of_another_class_is_none_of_our_business(site: Site, source: OpenImagesSource):
    site.routes[BOXES] = answer(table(BOX_HEAD, [box("b1", "/m/apple"), box("b1", "/m/bike", "9,0,9,0")]))
    assert len(source.rows(Labelling({"/m/apple": "Apple"}, None)).boxes) == 1


def test_rounding_may_go_over_the_edge_by_a_millionth(site: Site, source: OpenImagesSource):
    site.routes[BOXES] = answer(table(BOX_HEAD, [box("b1", "/m/apple", "-0.0000005,1.0000005,0,1")]))
    assert source.rows(ALL).boxes.loc[0, ["xmin", "xmax"]].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("image", ["../b1", "a/b", "a b", ""])
def test_an_image_id_that_is_no_file_name_is_refused(site: Site, source: OpenImagesSource, image: str):
    site.routes[BOXES] = answer(table(BOX_HEAD, [box(image, "/m/apple")]))
    with pytest.raises(UserError, match="an image id has letters, digits, - and _ only"):
        source.rows(ALL)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (BOXES, table(BOX_HEAD.replace("XMax", "xmax"), []), "no column XMax; it has ImageID, Source,"),
        (IMAGES, photos(head=IMAGE_HEAD.replace(",Rotation", "")), "no column Rotation; it has ImageID, Subset,"),
        (BOXES, b"", "cannot be read as CSV"),
        (BOXES, table(BOX_HEAD.replace("ImageID", '"ImageID"'), []), 'no column ImageID; it has "ImageID", Source'),
        (BOXES, b"<html>Please sign in</html>\n", "no column ImageID; it has <html>Please sign in</html>"),
        (BOXES, table(BOX_HEAD, [box("b1", "/m/apple", "a,0.2,0.1,0.2")]), "cannot be read as CSV: .*`a`"),
        (BOXES, gzip.compress(table(BOX_HEAD, [])), r"is no CSV file of UTF-8 text.* starts with b'\\x1f\\x8b"),
        (BOXES, gzip.compress(random.Random(20).randbytes(500))[:300], "is no CSV file of UTF-8 text"),
        (BOXES, zlib.compress(table(BOX_HEAD, [])), "is no CSV file of UTF-8 text"),
        (BOXES, table(BOX_HEAD, []).decode().encode("utf-16"), "is no CSV file of UTF-8 text"),
        (BOXES, bytes(5000), "is no CSV file of UTF-8 text"),
        (BOXES, table(BOX_HEAD, []) + random.Random(20).randbytes(5000), "cannot be read as CSV"),
        (IMAGES, gzip.compress(photos()), "is no CSV file of UTF-8 text"),
        (HIERARCHY, b"[]", "is not a class hierarchy"),
        (HIERARCHY, b'{"LabelName"', "is not a class hierarchy"),
        (HIERARCHY, b"[" * 100_000, "is not a class hierarchy"),
        (HIERARCHY, b'{"LabelName": "/m/x", "Subcategory": [{"LabelName": 3}]}', "is not a class hierarchy"),
        (HIERARCHY, b'{"LabelName": "\\ud800"}', "is not a class hierarchy"),
        (NAMES, b"/m/apple\n", "a line has an id and a name, received '/m/apple'"),
        (NAMES, b"/m/apple,\xff\xfe\n", "cannot be read as CSV: 'utf-8' codec"),
        (NAMES, b"/m/apple," + b"y" * 200_000, "cannot be read as CSV: field larger"),
        (NAMES, b"", "has no classes"),
        (NAMES, b"LabelName,DisplayName\n", "has no classes"),
    ],
)
def test_files_that_are_not_what_they_should_be_are_named(
    site: Site, source: OpenImagesSource, path: str, body: bytes, message: str
):
    site.routes[path] = answer(body)
    with pytest.raises(UserError, match=rf"{site.url(path)}.* ?{message}"):
        source.rows(resolve(["Apple", "Bike"], source.tree()))


def test_a_version_that_is_not_there_is_named_by_its_url(site: Site, tmp_path: Path):
    with pytest.raises(UserError, match=r"/v7/oidv7-class-descriptions-boxable\.csv answers 404"):
        a_source(site, tmp_path, "v7").tree()


@pytest.mark.parametrize(
    ("version", "train", "validation"),
    [
        ("v5", "/2018_04/train/train-annotations-bbox.csv", "/v5/validation-annotations-bbox.csv"),
        ("v6", "/v6/oidv6-train-annotations-bbox.csv", "/v5/validation-annotations-bbox.csv"),
        ("v7", "/v6/oidv6-train-annotations-bbox.csv", "/v5/validation-annotations-bbox.csv"),
    ],
)
def test_later_versions_have_other_files(site: Site, tmp_path: Path, version: str, train: str, validation: str):
    names = "\r\n".join(["LabelName,DisplayName", *(f"{i},{n}" for i, n in CLASSES.items()), ""]).encode()
    path = "/v7/oidv7-class-descriptions-boxable.csv" if version == "v7" else "/v5/class-descriptions-boxable.csv"
    site.routes[path] = answer(names)
    site.routes[train] = answer(table(f"{BOX_HEAD},{CLICKS}", [box("t1", "/m/apple") + ",0" * 8]))
    site.routes[validation] = answer(table(BOX_HEAD, [box("b1", "/m/apple")]))
    site.routes["/2018_04/train/train-images-boxable-with-rotation.csv"] = answer(photos(photo("t1")))
    source = a_source(site, tmp_path, version, ("train", "validation"))
    tree = source.tree()
    assert len(tree.nodes) == 6
    found = source.rows(resolve(["Apple", "Bike"], tree))
    assert list(found.images["subset"]) == ["validation", "train"]
    assert found.images["urls"].iloc[1][1] == "http://127.0.0.1/copies/train/t1.jpg"
    assert found.audit[-1].boxes == 2


def test_the_number_of_threads_changes_no_byte(site: Site, tmp_path: Path):
    draw = random.Random(20)
    images = [f"{draw.getrandbits(64):016x}" for _ in range(3000)]
    rows = [
        box(draw.choice(images), draw.choice(list(CLASSES)), f"0.{draw.randrange(5)},0.9,0.1,1") for _ in range(60_000)
    ]
    site.routes[BOXES] = answer(table(BOX_HEAD, rows))
    site.routes[IMAGES] = answer(photos(*(photo(image) for image in images)))
    code = f"""
from pathlib import Path
from imageset.classes import resolve
from imageset.params import OpenImagesParams
from imageset.sources.openimages import OpenImagesSource
base_url = {site.url("")!r}
params = OpenImagesParams(base_url=base_url, images_url=base_url, version="v4", subsets=["validation"])
source = OpenImagesSource(params, Path({str(tmp_path)!r}))
found = source.rows(resolve(["Apple", "Bike"], source.tree()))
print(found.images.to_json(), found.boxes.to_json(), found.audit, source.tree().to_json())
"""
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "POLARS_MAX_THREADS": threads},
            check=True,
            capture_output=True,
        ).stdout
        for threads in ("1", "4")
    ]
    assert printed[0] == printed[1]
    assert len(printed[0]) > 1_000_000


def test_the_parameter_names_the_source(tmp_path: Path):
    params = load_params(Path(__file__).parents[2] / "params.yaml").metadata
    opened = [
        open_source(params.model_copy(update={"source": source}), 20, tmp_path, tmp_path)
        for source in ("sample", "openimages")
    ]
    assert [type(source) for source in opened] == [SampleSource, OpenImagesSource]
