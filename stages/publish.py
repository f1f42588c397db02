"""Stage publish: a Quilt package of data, model and reports in the local registry, with what they were made from.

It talks to no other machine; `reports/package.json` has the top hash that the package has everywhere.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from imageset import records
from imageset.attribution import write_attribution
from imageset.errors import UserError
from imageset.files import write_json
from imageset.packages import build_package
from imageset.params import Params
from stages import run

REGISTRY = Path("registry")
REPORT = Path("reports/package.json")
LOCK = Path("dvc.lock")
ATTRIBUTION = Path("ATTRIBUTION.csv")
STAGES = ("metadata", "download", "crop", "split", "train", "evaluate")
DATA_STAGES = STAGES[:4]

CONTENT = (
    "data/metadata/boxes.parquet",
    "data/metadata/classes.json",
    "data/metadata/images.parquet",
    "data/images.parquet",
    "data/crops.parquet",
    "data/crops/*.tar",
    "data/split.parquet",
    "data/dataset.h5",
    "models/model.keras",
    "reports/metadata.json",
    "reports/download.json",
    "reports/crop.json",
    "reports/split.json",
    "reports/train/metrics.json",
    "reports/train/plots/metrics/*/*.tsv",
    "reports/evaluation.json",
    "reports/evaluation/*",
    "reports/plots/*.csv",
    "params.yaml",
    "dvc.yaml",
    "requirements.lock",
    "environment.yml",
)
PICTURES = ("data/images/*.tar",)


def main(params: Params) -> None:
    """Gather, build, report."""
    files = _files(CONTENT + (PICTURES if "images" in params.publish.include else ()))
    lock = _lock_of_stages()
    crops = records.read(Path("data/crops.parquet"), records.CROPS)
    images = records.read(Path("data/metadata/images.parquet"), records.IMAGES)
    write_attribution(crops, images, ATTRIBUTION)
    with tempfile.TemporaryDirectory() as folder:
        published_lock = Path(folder) / LOCK
        published_lock.write_text(yaml.safe_dump(lock, sort_keys=True), encoding="utf-8")
        files |= {ATTRIBUTION.name: ATTRIBUTION, LOCK.name: published_lock}
        meta = {"data_fingerprint": _fingerprint(lock)}
        package = build_package(files, meta, params.publish.package, REGISTRY)
    write_json({"name": params.publish.package, **asdict(package)}, REPORT)
    print(
        f"{params.publish.package}: {package.files} files, {package.bytes:,} bytes in {REGISTRY}/, {package.top_hash}"
    )


def _files(patterns: tuple[str, ...]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for pattern in patterns:
        found = [path for path in sorted(Path().glob(pattern)) if path.is_file() and not path.name.startswith(".")]
        if not found:
            raise UserError(f"{pattern} is missing; run the stages before publish (dvc repro)")
        files |= {path.as_posix(): path for path in found}
    return files


def _lock_of_stages() -> dict[str, Any]:
    """What DVC recorded of the six stages before this one: commands, code, params and hashes, without any time."""
    if not LOCK.exists():
        raise UserError("dvc.lock is missing; publish is run by DVC (dvc repro)")
    try:
        lock = yaml.safe_load(LOCK.read_text(encoding="utf-8"))
        schema, recorded = lock["schema"], lock["stages"]
        missing = [stage for stage in STAGES if "outs" not in recorded.get(stage, ())]
    except (IsADirectoryError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            "dvc.lock is not a lock file of DVC; restore it from git, or remove it and dvc repro"
        ) from error
    if missing:
        raise UserError(f"dvc.lock lacks {', '.join(missing)}; run the stages before publish (dvc repro)")
    return {"schema": schema, "stages": {stage: recorded[stage] for stage in STAGES}}


def _fingerprint(lock: dict[str, Any]) -> str:
    """One hash over what DVC recorded of the data: equal when every table, crop and pixel is."""
    outs = [lock["stages"][stage]["outs"] for stage in DATA_STAGES]
    return hashlib.sha256(json.dumps(outs, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    run(main)
