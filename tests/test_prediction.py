"""Files that are no pictures; what a model says of real ones is asserted in tests/test_pipeline.py."""

from __future__ import annotations

import numpy as np
import pytest

from imageset.model_files import LoadedModel, ModelMeta
from imageset.prediction import Prediction, predict_files
from tests.drawn import encoded, photograph

META = ModelMeta("plain_cnn", ("a", "b"), 24, "stretch", "rgb")


@pytest.mark.parametrize("name", ["missing.jpg", "file.jpg/x.jpg", "folder", "long" * 100])
def test_no_file_is_said_of_the_path_and_the_model_is_not_asked(tmp_path, name):
    (tmp_path / "file.jpg").touch()
    (tmp_path / "folder").mkdir()
    path = tmp_path / name
    assert list(predict_files(LoadedModel(None, META), [path])) == [Prediction(path, reason="no_file")]


def test_bad_files_do_not_stop_the_others_and_order_is_kept(tmp_path, monkeypatch):
    (tmp_path / "text.jpg").write_text("no picture")
    paths = [tmp_path / name for name in ("one.jpg", "text.jpg", "two.jpg", "one.jpg")]
    for path in (paths[0], paths[2]):
        path.write_bytes(encoded(photograph(60, 40), "JPEG"))
    asked = []

    def probabilities(_, images):
        asked.append(images.shape)
        return np.array([[0.25, 0.75]] * len(images))

    monkeypatch.setattr("imageset.prediction.probabilities", probabilities)
    said = list(predict_files(LoadedModel(None, META), paths))
    assert [each.path for each in said] == paths
    assert [each.label for each in said] == ["b", None, "b", "b"]
    assert said[1].reason == "not_an_image"
    assert asked == [(2, 24, 24, 3)]
