"""Model files: the same bytes, a round trip, and one clear line for a file that is none."""

import dataclasses
import io
import json
import zipfile

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imageset import models
from imageset.determinism import make_deterministic
from imageset.errors import UserError
from imageset.model_files import ModelMeta, load_model, probabilities, save_model
from imageset.params import SMALLEST_CROP

META = ModelMeta("plain_cnn", ("Crème brûlée", "Hot dog"), 24, "pad", "rgb")
PIXELS = np.random.default_rng(1).integers(0, 256, (9, 24, 24, 3), dtype=np.uint8)


@pytest.fixture(autouse=True, scope="module")
def _fixed_numbers():
    make_deterministic(seed=1, threads=2)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A model that was fitted, so that it has an optimizer with a state."""
    built = models.build("plain_cnn", (24, 24, 3), 2)
    built.compile(keras.optimizers.RMSprop(), "sparse_categorical_crossentropy")
    built.fit(PIXELS, np.arange(9) % 2, verbose=0)
    return built


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "deep" / "model.keras"
    save_model(model, path, META)
    return path


def repacked(saved, path, **changed: bytes | None):
    """A copy of a model file with other entries; None leaves one out."""
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(path, "w") as copy:
        for name in archive.namelist():
            content = changed.get(name.partition(".")[0], archive.read(name))
            if content is not None:
                copy.writestr(name, content)
    return path


def test_round_trip(model, saved):
    loaded = load_model(saved)
    assert loaded.meta == META
    np.testing.assert_array_equal(probabilities(loaded.model, PIXELS), probabilities(model, PIXELS))


def test_same_weights_same_bytes(model, saved, tmp_path):
    models.build("plain_cnn", (30, 30, 3), 3)  # counters and addresses of the process move on
    save_model(model, tmp_path / "again.keras", META)
    assert (tmp_path / "again.keras").read_bytes() == saved.read_bytes()
    save_model(load_model(saved).model, tmp_path / "loaded.keras", META)
    assert (tmp_path / "loaded.keras").read_bytes() == saved.read_bytes()


def test_no_time_address_or_optimizer_inside(saved):
    with zipfile.ZipFile(saved) as archive:
        infos = archive.infolist()
        assert [info.filename for info in infos] == [
            "config.json",
            "imageset.json",
            "metadata.json",
            "model.weights.h5",
        ]
        assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
        assert b"date_saved" not in archive.read("metadata.json")
        assert b"RMSprop" not in archive.read("config.json")
    assert not load_model(saved).model.compiled


def test_objects_that_layers_share_do_not_bring_their_addresses(tmp_path):
    relu = keras.layers.ReLU()
    inputs = keras.Input((24, 24, 3))
    x = keras.layers.Conv2D(2, 3, activation=relu, name="a")(inputs)
    x = keras.layers.Conv2D(2, 3, activation=relu, name="b")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="d")(keras.layers.Flatten(name="f")(x)), name="functional")
    model.save(tmp_path / "keras.keras")
    save_model(model, tmp_path / "ours.keras", META)

    def config(name: str) -> bytes:
        with zipfile.ZipFile(tmp_path / name) as archive:
            return archive.read("config.json")

    assert b"shared_object_id" in config("keras.keras")  # or there is nothing to test
    assert b"shared_object_id" not in config("ours.keras")
    np.testing.assert_array_equal(
        probabilities(load_model(tmp_path / "ours.keras").model, PIXELS), probabilities(model, PIXELS)
    )


def test_keras_reads_it_alone(model, saved):
    np.testing.assert_array_equal(
        keras.models.load_model(saved).predict(PIXELS, verbose=0), model.predict(PIXELS, verbose=0)
    )


def test_probabilities_of_no_crops(model):
    assert probabilities(model, PIXELS[:0]).shape == (0, 2)


def test_grey_model(tmp_path):
    grey = dataclasses.replace(META, colour="grey")
    save_model(models.build("plain_cnn", (24, 24, 1), 2), tmp_path / "m.keras", grey)
    assert load_model(tmp_path / "m.keras").meta == grey


def test_missing_file_says_what_makes_it(tmp_path):
    with pytest.raises(UserError, match="missing; run the stage that makes it"):
        load_model(tmp_path / "model.keras")


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_cut_off_file(saved, tmp_path, share):
    data = saved.read_bytes()
    cut = tmp_path / "cut.keras"
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=r"is not a whole \.keras file"):
        load_model(cut)


def test_model_of_another_project(model, tmp_path):
    model.save(tmp_path / "other.keras")
    with pytest.raises(UserError, match=r"has no imageset\.json"):
        load_model(tmp_path / "other.keras")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "content"),
        (b"[]", "content"),
        (json.dumps(dataclasses.asdict(META) | {"classes": []}).encode(), "classes"),
        (json.dumps(dataclasses.asdict(META) | {"size": "big"}).encode(), "size"),
        (json.dumps({"classes": ["a", "b"]}).encode(), "architecture"),
        (b" " * 3_000_000, "content"),
    ],
)
def test_wrong_meta(saved, tmp_path, content, complaint):
    with pytest.raises(UserError, match=rf"imageset\.json: {complaint}"):
        load_model(repacked(saved, tmp_path / "m.keras", imageset=content))


@pytest.mark.parametrize("change", [{"classes": ["a", "b", "c"]}, {"size": 64}, {"colour": "grey"}])
def test_meta_that_does_not_fit_the_model(saved, tmp_path, change):
    content = json.dumps(dataclasses.asdict(META) | change).encode()
    with pytest.raises(UserError, match=r"imageset\.json promises a model from"):
        load_model(repacked(saved, tmp_path / "m.keras", imageset=content))


@pytest.mark.parametrize("entry", ["config", "model"])
@pytest.mark.parametrize("content", [None, b"", b"no such thing"])
def test_wrong_insides(saved, tmp_path, entry, content):
    with pytest.raises(UserError, match="is not a model that Keras can read") as caught:
        load_model(repacked(saved, tmp_path / "m.keras", **{entry: content}))
    assert "\n" not in str(caught.value)


def test_code_in_a_file_is_not_run(tmp_path):
    marker = tmp_path / "ran"
    # The default argument is evaluated when the function is rebuilt, its body when the model is called.
    code = keras.layers.Lambda(lambda x, path=str(marker): (__import__("pathlib").Path(path).touch(), x)[1])
    hostile = keras.Sequential([keras.Input((24, 24, 3)), code, keras.layers.Flatten(), keras.layers.Dense(2)])
    hostile.save(tmp_path / "hostile.keras")
    marker.unlink(missing_ok=True)
    with zipfile.ZipFile(tmp_path / "hostile.keras", "a") as archive:
        archive.writestr("imageset.json", json.dumps(dataclasses.asdict(META)))
    with pytest.raises(UserError, match="is not a model that Keras can read"):
        load_model(tmp_path / "hostile.keras")
    assert not marker.exists()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_byte_is_a_user_error_or_harmless(saved, tmp_path, data):
    content = bytearray(saved.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    (tmp_path / "m.keras").write_bytes(content)
    try:
        loaded = load_model(tmp_path / "m.keras")
    except UserError:
        return
    assert loaded.meta.classes == META.classes


def test_saving_leaves_nothing_beside_the_file(saved):
    assert [path.name for path in saved.parent.iterdir()] == ["model.keras"]
    assert zipfile.ZipFile(io.BytesIO(saved.read_bytes())).testzip() is None


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(UserError, match=r"is a folder; a model is a \.keras file"):
        load_model(tmp_path)


def test_the_smallest_crops_of_the_params_are_those_that_the_models_take():
    for architecture, side in SMALLEST_CROP.items():
        models.build(architecture, (side, side, 3), 2)
        with pytest.raises(UserError, match=f"at least {side} pixels"):
            models.build(architecture, (side - 1, side - 1, 3), 2)
