from __future__ import annotations

import hashlib
import io
import random
from pathlib import Path

import pytest
from PIL import Image

from imageset.downloads import Outcome
from imageset.errors import UserError
from imageset.layout import lay_out
from imageset.shards import read_shard
from imageset.store import Store


def picture(number: int, kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, 9, 9)).save(file, kind)
    return file.getvalue()


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store") as opened:
        yield opened


def stored(store: Store, image_id: str, data: bytes) -> Outcome:
    url = f"http://example.org/{image_id}"
    sha256 = store.put(url, data, hashlib.md5(data).hexdigest(), decoded=True)
    return Outcome(image_id, "ok", None, (), url, 200, len(data), sha256)


def local(root: Path, image_id: str, data: bytes) -> Outcome:
    (root / f"{image_id}.any").write_bytes(data)
    return Outcome(image_id, "ok", None, (), f"file:{image_id}.any", None, len(data), hashlib.sha256(data).hexdigest())


FAILED = Outcome("dead", "failed", "http_404", ("http_404",), "http://example.org/dead", 404, None, None)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_good_pictures_lie_in_their_shards_under_the_extension_of_their_content(store, tmp_path):
    outcomes = [stored(store, "b", picture(1, "PNG")), FAILED, local(tmp_path, "a", picture(2))]
    shards = lay_out(outcomes, store, tmp_path, tmp_path / "images")
    assert shards == {"a": "00000.tar", "b": "00000.tar"}
    entries = [(each.key, each.extension, each.data) for each in read_shard(tmp_path / "images" / "00000.tar")]
    assert entries == [("a", "jpg", picture(2)), ("b", "png", picture(1, "PNG"))]


def test_order_and_origin_change_no_byte_and_every_picture_is_where_the_result_says(store, tmp_path):
    pictures = {f"{number:04d}": picture(number) for number in range(800)}
    outcomes = [stored(store, key, data) for key, data in pictures.items()]
    shards = lay_out(outcomes, store, tmp_path, tmp_path / "one")
    random.Random(1).shuffle(outcomes)
    moved = [local(tmp_path, each.image_id, pictures[each.image_id]) if int(each.image_id) % 3 else each
             for each in outcomes]  # fmt: skip
    assert lay_out(moved, store, tmp_path, tmp_path / "two") == shards
    assert content(tmp_path / "one") == content(tmp_path / "two")
    found = {each.key: path.name for path in (tmp_path / "one").iterdir() for each in read_shard(path)}
    assert found == shards
    assert len(set(shards.values())) > 1


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(picture(7, "PNG")),
                                    lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x")])  # fmt: skip
def test_a_file_that_changed_is_one_line_and_the_old_folder_stays(store, tmp_path, change):
    outcomes = [local(tmp_path, "a", picture(1)), stored(store, "b", picture(2))]
    lay_out(outcomes, store, tmp_path, tmp_path / "images")
    before = content(tmp_path / "images")
    change(tmp_path / "a.any")
    with pytest.raises(UserError, match=r"a\.any was changed"):
        lay_out(outcomes, store, tmp_path, tmp_path / "images")
    assert content(tmp_path / "images") == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
