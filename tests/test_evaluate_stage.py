"""What the stage evaluate says of a dataset and a model that do not belong together."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from imageset import models
from imageset.dataset import write_dataset
from imageset.determinism import make_deterministic
from imageset.errors import UserError
from imageset.model_files import ModelMeta, save_model
from imageset.params import load_params
from imageset.records import SPLIT
from imageset.shards import Entry, write_shard
from imageset.splits import NAMES
from tests.drawn import encoded

META = ModelMeta("plain_cnn", ("a", "b"), 24, "stretch", "rgb")
ROOT = Path(__file__).parents[1]
PARAMS = load_params(ROOT / "params.yaml")


@pytest.fixture(autouse=True, scope="module")
def _fixed_numbers() -> None:
    make_deterministic(seed=1, threads=2)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stage's module, which runs in the root of a project of its own."""
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.chdir(tmp_path)
    return importlib.import_module("stages.evaluate")


def project(folder: Path, meta: ModelMeta, labels: str, size: int, mode: str) -> None:
    """A dataset of two crops of each label in each split, and a model."""
    crops = {f"{name}-{label}{n}": label for name in NAMES for label in labels for n in range(2)}
    data = encoded(Image.new(mode, (size, size)), "JPEG")
    write_shard(folder / "crops" / "00000.tar", [Entry(key, "jpg", data) for key in sorted(crops)])
    rows = [(key, label, key, key.partition("-")[0]) for key, label in crops.items()]
    table = pd.DataFrame(rows, columns=SPLIT.names)
    hashes = dict.fromkeys(crops, hashlib.sha256(data).hexdigest())
    write_dataset(table, hashes, folder / "crops", folder / "data" / "dataset.h5")
    channels = 1 if meta.colour == "grey" else 3
    model = models.build(meta.architecture, (meta.size, meta.size, channels), len(meta.classes))
    save_model(model, folder / "models" / "model.keras", meta)


@pytest.mark.parametrize(
    ("labels", "size", "mode", "words"),
    [
        ("ac", 24, "RGB", "knows the classes a, b, data/dataset.h5 has a, c; dvc repro -f train"),
        ("abc", 24, "RGB", "knows the classes a, b, data/dataset.h5 has a, b, c"),
        ("ab", 32, "RGB", r"takes crops of \(24, 24, 3\), data/dataset.h5 has \(32, 32, 3\)"),
        ("ab", 24, "L", r"takes crops of \(24, 24, 3\), data/dataset.h5 has \(24, 24, 1\)"),
    ],
)
def test_a_model_of_another_dataset_is_one_clear_error(
    tmp_path: Path, stage: Any, labels: str, size: int, mode: str, words: str
) -> None:
    project(tmp_path, META, labels, size, mode)
    with pytest.raises(UserError, match=words):
        stage.main(PARAMS)
    assert not (tmp_path / "reports").exists()


def test_a_model_of_the_dataset_is_evaluated(tmp_path: Path, stage: Any) -> None:
    project(tmp_path, META, "ab", 24, "RGB")
    stage.main(PARAMS)
    assert (tmp_path / "reports" / "evaluation.json").exists()
