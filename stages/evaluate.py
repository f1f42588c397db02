"""Stage evaluate: how good the model is on test, which nothing before has looked at, and what it gets wrong."""

from __future__ import annotations

from pathlib import Path

from imageset import records
from imageset.charts import worst_mistakes, write_confusion, write_precision_recall, write_roc
from imageset.dataset import Split, open_split
from imageset.errors import UserError
from imageset.evaluation import evaluate, predictions_table
from imageset.files import replacing_folder, write_json
from imageset.params import Params
from imageset.quiet import importing_tensorflow
from stages import run

with importing_tensorflow():
    from imageset.determinism import make_deterministic
    from imageset.model_files import ModelMeta, load_model, probabilities

DATASET = Path("data/dataset.h5")
MODEL = Path("models/model.keras")
FOLDER = Path("reports/evaluation")
REPORT = Path("reports/evaluation.json")
PLOTS = Path("reports/plots")
MISTAKES_SHOWN = 36


def main(params: Params) -> None:
    """Predict test once, and write tables, numbers and pictures of it."""
    make_deterministic(0, params.train.threads)  # any seed: nothing is drawn here
    test = open_split(DATASET, "test")
    loaded = load_model(MODEL)
    classes = loaded.meta.classes
    _check_match(test, loaded.meta)
    scores = probabilities(loaded.model, test.images).astype("float64").round(6)
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
    print("\n".join(evaluation.lines()))


def _check_match(test: Split, meta: ModelMeta) -> None:
    """Stop where the model was trained on a dataset of other classes or other pictures."""
    wanted = (meta.size, meta.size, 1 if meta.colour == "grey" else 3)
    if list(meta.classes) != test.classes:
        raise UserError(
            f"{MODEL} knows the classes {', '.join(meta.classes)}, {DATASET} has {', '.join(test.classes)}; "
            "dvc repro -f train"
        )
    if test.images.shape[1:] != wanted:
        raise UserError(
            f"{MODEL} takes crops of {wanted}, {DATASET} has {test.images.shape[1:]} (height, width, channels); "
            "dvc repro -f train"
        )


if __name__ == "__main__":
    run(main)
