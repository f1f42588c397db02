"""A trained model's answer to one picture file, taken as a whole and prepared as the crops were."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imageset.cut import WHOLE, CropRules, cut
from imageset.errors import UserError
from imageset.model_files import LoadedModel, probabilities
from imageset.pictures import BadPictureError


@dataclass(frozen=True)
class Prediction:
    """The most probable label, and its probability (0..1)."""

    label: str
    probability: float


def predict_file(loaded: LoadedModel, path: Path) -> Prediction:
    """Predict one picture.

    Raises
    ------
    UserError
        When the file is missing or no usable picture; the message names it and the cause.
    """
    meta = loaded.meta
    rules = CropRules(meta.size, meta.resize, meta.colour, min_box_px=1)
    try:
        (whole,) = cut(path.read_bytes(), [WHOLE], None, rules)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UserError(f"there is no picture file at {path}") from error
    except BadPictureError as error:
        raise UserError(f"{path} is no usable picture: {error.cause}") from error
    pixels = np.asarray(whole.image).reshape(1, meta.size, meta.size, -1)
    (scores,) = probabilities(loaded.model, pixels)
    best = int(scores.argmax())
    return Prediction(meta.classes[best], float(scores[best]))
