"""The parameters of the pipeline: their names, types and ranges, checked as a whole.

Nothing here has a default: `params.yaml` is the one owner of every value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from imageset.errors import UserError, nearest

Attribute = Literal["is_occluded", "is_truncated", "is_group_of", "is_depiction", "is_inside"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]


def _web_url(value: str) -> str:
    if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
        raise ValueError(f"a URL starts with http:// or https:// and names a host, received {value!r}")
    return value.rstrip("/")


WebUrl = Annotated[str, AfterValidator(_web_url)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SampleParams(_Section):
    """`metadata.sample`."""

    images: Positive


class OpenImagesParams(_Section):
    """`metadata.openimages`."""

    base_url: WebUrl
    images_url: WebUrl
    version: Literal["v4", "v5", "v6", "v7"]
    subsets: Annotated[list[Literal["train", "validation", "test"]], Field(min_length=1)]


class MetadataParams(_Section):
    """`metadata`: which labels from which source."""

    source: Literal["sample", "openimages"]
    categories: Annotated[list[str], Field(min_length=1)] | Annotated[dict[str, str], Field(min_length=1)]
    max_per_class: Positive | None
    min_per_class: Annotated[int, Field(ge=0)]
    sample: SampleParams
    openimages: OpenImagesParams


class DownloadParams(_Section):
    """`download`: how the pictures are fetched."""

    concurrency: Positive
    per_host: Positive
    timeout_s: Annotated[float, Field(gt=0)]
    max_bytes: Positive
    retries: Annotated[int, Field(ge=0)]
    min_success: Fraction
    allow_hosts: list[str]
    user_agent: Annotated[str, StringConstraints(min_length=1, pattern=r"^[\x20-\x7e]+$")]


class CropParams(_Section):
    """`crop`: what a box becomes."""

    size: Annotated[int, Field(ge=8, le=2048)]
    resize: Literal["stretch", "pad", "crop"]
    colour: Literal["rgb", "grey"]
    min_box_px: Positive
    exclude: list[Attribute]


class FractionParams(_Section):
    """`split.fractions`: the shares of the crops; they add up to 1."""

    train: Annotated[float, Field(gt=0, le=1)]
    val: Annotated[float, Field(gt=0, le=1)]
    test: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _adds_up(self) -> FractionParams:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the fractions add up to 1, received {total:g}")
        return self


class SplitParams(_Section):
    """`split`: which crops are for training and which for judging."""

    fractions: FractionParams


class AugmentParams(_Section):
    """`train.augment`: how far training crops are bent, in degrees and in fractions of the side."""

    flip: bool
    rotation: Annotated[float, Field(ge=0, le=180)]
    shift: Annotated[float, Field(ge=0, lt=1)]
    shear: Annotated[float, Field(ge=0, lt=1)]
    zoom: Annotated[float, Field(ge=0, lt=1)]


class TrainParams(_Section):
    """`train`: the model and how it is fitted."""

    architecture: Literal["plain_cnn"]
    epochs: Positive
    patience: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    threads: Positive
    augment: AugmentParams


class PublishParams(_Section):
    """`publish`: the package."""

    package: Annotated[str, StringConstraints(pattern=r"^[\w-]+/[\w-]+$")]
    include: list[Literal["images"]]


class EngineParams(_Section):
    """`engine`: how the work is shared out; no out depends on it."""

    workers: Positive


class Params(_Section):
    """All of `params.yaml`."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    metadata: MetadataParams
    download: DownloadParams
    crop: CropParams
    split: SplitParams
    train: TrainParams
    publish: PublishParams
    engine: EngineParams


def load_params(path: Path) -> Params:
    """Read and check a params file.

    Raises
    ------
    UserError
        For a file that is missing or no YAML, an unknown or missing key, a wrong type or a value out of range;
        the message has the key, the rule, the value and, for an unknown key, the nearest ones.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; the commands run in the root of the project") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {error}") from error
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: {_explain(error.errors()[0])}") from error


def _explain(error: Any) -> str:
    """Say in one line what is wrong: the key, the rule and the value received."""
    # A union's branches and literal types stand in the location too; a key of ours is a lower-case word.
    key = ".".join(str(part) for part in error["loc"] if not str(part).startswith(("list[", "dict[")))
    if error["type"] == "extra_forbidden":
        return f"unknown parameter {key}{nearest(key, _all_keys(Params))}"
    if error["type"] == "missing":
        return f"parameter {key} is missing"
    rule = error["msg"].removeprefix("Value error, ")
    return f"{key}: {rule}, received {error['input']!r}" if "received" not in rule else f"{key}: {rule}"


def _all_keys(section: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in section.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _all_keys(field.annotation, f"{prefix}{name}.")
    return keys
