"""Stage train: a model fitted to train, keeping the weights of the epoch that did best on val."""

from __future__ import annotations

from pathlib import Path

from imageset.dataset import open_split
from imageset.params import Params
from imageset.quiet import importing_tensorflow
from stages import run

with importing_tensorflow():
    from imageset.model_files import ModelMeta, save_model
    from imageset.training import train

DATASET = Path("data/dataset.h5")
MODEL = Path("models/model.keras")
LIVE = Path("reports/train")


def main(params: Params) -> None:
    """Fit on train, choose the epoch on val, write the model."""
    fitting, judging = open_split(DATASET, "train"), open_split(DATASET, "val")
    trained = train(
        fitting.images,
        fitting.labels,
        judging.images,
        judging.labels,
        classes=len(fitting.classes),
        params=params.train,
        seed=params.seed,
        live_folder=LIVE,
    )
    size = fitting.images.shape[1]
    meta = ModelMeta(params.train.architecture, tuple(fitting.classes), size, params.crop.resize, params.crop.colour)
    save_model(trained.model, MODEL, meta)


if __name__ == "__main__":
    run(main)
