"""Whether the sample is hard enough: the pipeline's CNN against a logistic regression on mean colour.

`python -m benchmarks.sample_difficulty`. Both learn from the crops that the pipeline itself makes of the sample, with
`params.yaml` as it stands, and are judged on the same test crops. A share of three equal classes is 0.33.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import chdir
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.table import print_table
from imageset.dataset import Split, open_split
from imageset.params import Params, load_params
from imageset.training import train
from stages import crop, download, metadata, split


def mean_colours(part: Split) -> np.ndarray:
    """(N, 3) mean of each crop's red, green and blue, 0..1."""
    return part.images.mean(axis=(1, 2)) / 255


def mean_colour_accuracy(fitting: Split, test: Split) -> float:
    """Share of the test crops that a logistic regression on mean colour gets right."""
    model = LogisticRegression(C=100, max_iter=1000).fit(mean_colours(fitting), fitting.labels)
    return float(model.score(mean_colours(test), test.labels))


def cnn_accuracy(parts: dict[str, Split], params: Params, folder: Path) -> float:
    """Share of the test crops that the pipeline's model gets right."""
    fitting, val, test = parts["train"], parts["val"], parts["test"]
    trained = train(
        fitting.images,
        fitting.labels,
        val.images,
        val.labels,
        classes=len(test.classes),
        params=params.train,
        seed=params.seed,
        live_folder=folder,
    )
    return float((trained.model.predict(test.images, verbose=0).argmax(axis=1) == test.labels).mean())


def main() -> None:
    """Draw, download, crop, split, fit both, print."""
    params = load_params(Path("params.yaml"))
    params = params.model_copy(update={"metadata": params.metadata.model_copy(update={"source": "sample"})})
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        os.environ["IMAGESET_CACHE"] = scratch
        for stage in (metadata, download, crop, split):
            stage.main(params)
        parts = {name: open_split(Path("data/dataset.h5"), name) for name in ("train", "val", "test")}
        colour = mean_colour_accuracy(parts["train"], parts["test"])
        cnn = cnn_accuracy(parts, params, Path("live"))
    rows = [
        ("logistic regression on mean colour", f"{colour:.3f}", "at most 0.60"),
        (params.train.architecture, f"{cnn:.3f}", "at least 0.85"),
        ("ratio", f"{cnn / colour:.2f}", ""),
    ]
    sizes = ", ".join(f"{len(part.labels)} {name}" for name, part in parts.items())
    print_table(f"Difficulty of the sample ({sizes} crops)", ("what sees the crops", "test accuracy", "wanted"), rows)


if __name__ == "__main__":
    main()
