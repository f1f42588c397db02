"""Stage evaluate: how good the model is on test, which nothing before has looked at, and what it gets wrong."""

from __future__ import annotations

import os
from pathlib import Path

# TensorFlow's notes on how it was built are no news to the user; it reads this when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from imageset import records
from imageset.charts import worst_mistakes, write_confusion, write_precision_recall, write_roc
from imageset.dataset import open_split
from imageset.determinism import make_deterministic
from imageset.evaluation import evaluate, predictions_table
from imageset.files import replacing_folder, write_json
from imageset.model_files import load_model, probabilities
from imageset.params import Params
from stages import run

DATASET = Path("data/dataset.h5")
MODEL = Path("models/model.keras")
FOLDER = Path("reports/evaluation")
REPORT = Path("reports/evaluation.json")
PLOTS = Path("reports/plots")
MISTAKES_SHOWN = 36


def main(params: Params) -> None:
    """Predict test once, and write tables, numbers and pictures of it."""
    make_deterministic(params.seed, params.train.threads)
    test = open_split(DATASET, "test")
    loaded = load_model(MODEL)
    scores = probabilities(loaded.model, test.images).astype("float64").round(6)
    classes = loaded.meta.classes
    evaluation = evaluate(test.labels, scores, classes)
    predictions = predictions_table(test.crop_ids, test.labels, scores, classes)
    with replacing_folder(FOLDER) as folder:
        records.write(predictions, folder / "predictions.parquet", records.PREDICTIONS)
        sheet = worst_mistakes(test.images, test.labels, scores, classes, MISTAKES_SHOWN)
        sheet.save(folder / "mistakes.png")
    write_confusion(test.labels, scores, classes, PLOTS / "confusion.csv")
    write_roc(evaluation, PLOTS / "roc.csv")
    write_precision_recall(evaluation, PLOTS / "precision_recall.csv")
    write_json(evaluation.metrics_dict(), REPORT)


if __name__ == "__main__":
    run(main)
