"""Models in and out of `.keras` files: byte for byte the same, with class names and preprocessing inside.

`keras.models.load_model` reads such a file without this library; `load_model` here also gives what the model needs to
know of the crops it was trained on. Not for checkpoints: what only training needs (optimizer) is left out.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
import numpy.typing as npt
from pydantic import Field, TypeAdapter, ValidationError

from imageset.errors import UserError
from imageset.files import replacing
from imageset.params import Colour, Resize

_META = "imageset.json"
_META_BYTES = 1_000_000  # more is no list of class names, and is not read
_BATCH = 128


@dataclass(frozen=True)
class ModelMeta:
    """What a model needs to know of the crops it was trained on.

    Attributes
    ----------
    architecture : str
        As in `imageset.models.build`.
    classes : tuple of str
        Label names, in the order of the model's outputs.
    size : int
        Side of a crop in pixels.
    resize : str
        How a box became a square: ``stretch``, ``pad`` or ``crop``.
    colour : str
        ``rgb`` or ``grey``.
    """

    architecture: str
    classes: Annotated[tuple[str, ...], Field(min_length=1)]
    size: int
    resize: Resize
    colour: Colour


@dataclass(frozen=True)
class LoadedModel:
    """A model from a file, and what stands beside it."""

    model: keras.Model
    meta: ModelMeta


def save_model(model: keras.Model, path: Path, meta: ModelMeta) -> None:
    """Write a model, whole or not at all; the same weights and `meta` give the same bytes.

    Parameters
    ----------
    model : keras.Model
        Layers of Keras only. Neither optimizer nor loss is written.
    path : Path
        Ends in ``.keras``, or Keras itself would not read it.
    meta : ModelMeta
    """
    # A rebuilt model has no optimizer (a clone would), and no addresses in memory under "shared_object_id".
    for_inference = type(model).from_config(model.get_config())
    for_inference.set_weights(model.get_weights())
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "model.keras")
        for_inference.save(written)
        with zipfile.ZipFile(written) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
    entries["metadata.json"] = _json({"keras_version": keras.__version__})  # without the date
    entries[_META] = _json(asdict(meta))
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(entries):
            archive.writestr(zipfile.ZipInfo(name), entries[name])  # dated 1980


def load_model(path: Path) -> LoadedModel:
    """Read a model that `save_model` wrote; code inside the file is refused (Keras' safe mode).

    Raises
    ------
    UserError
        When the file is missing, cut off, no Keras model, or not one of this project.
    """
    meta = _read_meta(path)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # A damaged or hostile file can fail in Keras, h5py or JSON, each with exceptions of its own.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} is not a model that Keras can read: {reason}") from error
    channels = 1 if meta.colour == "grey" else 3
    wanted = ((None, meta.size, meta.size, channels), (None, len(meta.classes)))
    # A file can hold any object of Keras, such as a single layer.
    received = (getattr(model, "input_shape", None), getattr(model, "output_shape", None))
    if received != wanted:
        raise UserError(f"{path}: {_META} promises a model from {wanted[0]} to {wanted[1]}, received {received}")
    return LoadedModel(model, meta)


def probabilities(model: keras.Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What a model thinks of crops.

    Parameters
    ----------
    model : keras.Model
    images : numpy.ndarray
        uint8, (N, H, W, C); N may be 0.

    Returns
    -------
    numpy.ndarray
        float32, (N, classes), rows add up to 1. The last bits depend on processor and threads: see
        `imageset.determinism`.
    """
    if not len(images):
        return np.empty((0, model.output_shape[-1]), np.float32)
    predicted: npt.NDArray[np.float32] = model.predict(images, batch_size=_BATCH, verbose=0)
    return predicted


def _read_meta(path: Path) -> ModelMeta:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_META) as entry:
            return TypeAdapter(ModelMeta).validate_json(entry.read(_META_BYTES))
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run the stage that makes it (dvc repro train)") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder; a model is a .keras file") from error
    except KeyError as error:
        raise UserError(f"{path} has no {_META}, so it is not a model of this project") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "content"
        raise UserError(f"{path}: {_META}: {where}: {first['msg']}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UserError(f"{path} is not a whole .keras file: {error}") from error


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
