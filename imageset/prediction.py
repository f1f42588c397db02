"""A trained model's answer to picture files, each taken as a whole and prepared as the crops were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imageset.cut import WHOLE, CropRules, cut
from imageset.model_files import LoadedModel, ModelMeta, probabilities
from imageset.pictures import BadPictureError

_BATCH = 128


@dataclass(frozen=True)
class Prediction:
    """What a model says of one file: the most probable label and its probability (0..1), or why it says nothing.

    `reason` is ``no_file`` or a cause of `imageset.pictures.BadPictureError`; then label and probability are None.
    """

    path: Path
    label: str | None = None
    probability: float | None = None
    reason: str | None = None


def predict_files(loaded: LoadedModel, paths: Sequence[Path]) -> Iterator[Prediction]:
    """Predict picture files, in their order; memory holds the crops of one batch."""
    for start in range(0, len(paths), _BATCH):
        batch = paths[start : start + _BATCH]
        crops = {path: _crop(path, loaded.meta) for path in batch}
        pixels = [crop for crop in crops.values() if not isinstance(crop, str)]
        scores = iter(probabilities(loaded.model, np.stack(pixels)) if pixels else ())
        said = {
            path: Prediction(path, reason=crop) if isinstance(crop, str) else _best(path, next(scores), loaded.meta)
            for path, crop in crops.items()
        }
        yield from (said[path] for path in batch)


def _crop(path: Path, meta: ModelMeta) -> npt.NDArray[np.uint8] | str:
    """Pixels (size, size, C) of a whole picture, or why there are none."""
    rules = CropRules(meta.size, meta.resize, meta.colour, min_box_px=1)
    try:
        (whole,) = cut(path.read_bytes(), [WHOLE], None, rules)
    except BadPictureError as error:
        return error.cause
    except OSError:
        return "no_file"
    return np.asarray(whole.image).reshape(meta.size, meta.size, -1)


def _best(path: Path, scores: npt.NDArray[np.float32], meta: ModelMeta) -> Prediction:
    best = int(scores.argmax())
    return Prediction(path, meta.classes[best], float(scores[best]))
