"""The parameters of the pipeline: their names, types and ranges, checked as a whole.

Nothing here has a default: `params.yaml` is the one owner of every value.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from imageset.errors import UserError, nearest

Attribute = Literal["is_occluded", "is_truncated", "is_group_of", "is_depiction", "is_inside"]

# The smallest crops, in pixels, that an architecture of `imageset.models` can pool; here, because the params are read
# long before Keras is.
SMALLEST_CROP = {"plain_cnn": 22}

_SHOWN = 80
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _number(value: Any) -> Any:
    """YAML 1.1 takes 1e-5 for a text, YAML 1.2 (and so DVC) for a number."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _categories(value: Any) -> Any:
    names = [*value, *value.values()] if isinstance(value, dict) else value
    if not isinstance(names, list) or not names:
        raise ValueError("a list of class expressions, or a mapping label: expression, with at least one in it")
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"a class is a text, received {_show(name)}; names like 'no' and '7' stand in quotes")
        # They would break a line of a report, and a lone surrogate cannot be written at all.
        if any(unicodedata.category(letter) in _UNPRINTABLE for letter in name):
            raise ValueError(f"a class has no control characters in it, received {_show(name)}")
    return value


def _web_url(value: str) -> str:
    parts = urlsplit(value)
    # Asking for the port checks it.
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or len(value.split()) != 1:
        raise ValueError("a URL starts with http:// or https://, names a host and has no spaces")
    return value.rstrip("/")


def _each_once(value: list[Any]) -> list[Any]:
    if twice := sorted({each for each in value if value.count(each) > 1}):
        raise ValueError(f"each is named once, received {', '.join(twice)} several times")
    return value


Number = Annotated[float, BeforeValidator(_number)]
Resize = Literal["stretch", "pad", "crop"]
Colour = Literal["rgb", "grey"]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Categories = Annotated[list[str] | dict[str, str], BeforeValidator(_categories)]
WebUrl = Annotated[str, AfterValidator(_web_url)]


def _host(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9a-fA-F:]+", value):
        raise ValueError(f"a host is a name or an address without scheme, port or brackets, received {value!r}")
    return value.lower()


Host = Annotated[str, AfterValidator(_host)]


class _Section(BaseModel):
    # Strict: without it True would be a number of retries, and the text "64" a size.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SampleParams(_Section):
    """`metadata.sample`."""

    images: Positive


class OpenImagesParams(_Section):
    """`metadata.openimages`."""

    base_url: WebUrl
    images_url: WebUrl
    version: Literal["v4", "v5", "v6", "v7"]
    subsets: Annotated[list[Literal["train", "validation", "test"]], Field(min_length=1), AfterValidator(_each_once)]


class MetadataParams(_Section):
    """`metadata`: which labels from which source."""

    source: Literal["sample", "openimages"]
    categories: Categories
    max_per_class: Positive | None
    min_per_class: Annotated[int, Field(ge=0)]
    sample: SampleParams
    openimages: OpenImagesParams


class DownloadParams(_Section):
    """`download`: how the pictures are fetched."""

    concurrency: Positive
    per_host: Positive
    timeout_s: Annotated[Number, Field(gt=0)]
    max_bytes: Positive
    retries: Annotated[int, Field(ge=0)]
    min_success: Fraction
    allow_hosts: list[Host]
    user_agent: Annotated[str, StringConstraints(min_length=1, pattern=r"^[\x20-\x7e]+$")]


class CropParams(_Section):
    """`crop`: what a box becomes."""

    size: Annotated[int, Field(ge=8, le=2048)]
    resize: Resize
    colour: Colour
    min_box_px: Positive
    exclude: Annotated[list[Attribute], AfterValidator(_each_once)]


class FractionParams(_Section):
    """`split.fractions`: the shares of the crops; they add up to 1."""

    train: Annotated[Number, Field(gt=0, le=1)]
    val: Annotated[Number, Field(gt=0, le=1)]
    test: Annotated[Number, Field(gt=0, le=1)]

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
    rotation: Annotated[Number, Field(ge=0, le=180)]
    shift: Annotated[Number, Field(ge=0, lt=1)]
    shear: Annotated[Number, Field(ge=0, lt=1)]
    zoom: Annotated[Number, Field(ge=0, lt=1)]


class TrainParams(_Section):
    """`train`: the model and how it is fitted."""

    architecture: Literal["plain_cnn"]
    epochs: Positive
    patience: Positive
    batch_size: Positive
    learning_rate: Annotated[Number, Field(gt=0)]
    threads: Annotated[int, Field(gt=0, le=256)]  # TensorFlow hangs or crashes with thousands
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

    @model_validator(mode="after")
    def _crops_are_large_enough(self) -> Params:
        smallest = SMALLEST_CROP[self.train.architecture]
        if self.crop.size < smallest:
            raise ValueError(
                f"crop.size: {self.train.architecture} needs {smallest} pixels or more, received {self.crop.size}"
            )
        return self


def load_params(path: Path) -> Params:
    """Read and check a params file.

    Raises
    ------
    UserError
        For a file that is missing or no YAML, an unknown or missing key, a wrong type or a value out of range;
        the message has the key, the rule, the value and, for an unknown key, the nearest ones.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a kind of SafeLoader
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; the commands run in the root of the project") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        # A misspelt key is both missing and unknown; the latter says more.
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        raise UserError(f"{path}: {_explain(first)}") from error


class _Loader(yaml.SafeLoader):
    """Plain YAML without aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose the next node, unless it is an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not taken; write the value out")
        return super().compose_node(parent, index)


def _explain(error: Any) -> str:
    """Say in one line what is wrong: the key, the rule and the value received."""
    key = ".".join(map(str, error["loc"])) or "the whole file"
    if error["type"] == "extra_forbidden":
        return f"unknown parameter {key}{nearest(key, _all_keys(Params))}"
    if error["type"] == "missing":
        return f"parameter {key} is missing"
    if error["type"] == "value_error" and not error["loc"]:
        return str(error["msg"]).removeprefix("Value error, ")  # a rule on several keys names them itself
    rule = "a section of parameters" if error["type"] == "model_type" else error["msg"].removeprefix("Value error, ")
    return f"{key}: {rule}" if "received" in rule else f"{key}: {rule}, received {_show(error['input'])}"


def _all_keys(section: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in section.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _all_keys(field.annotation, f"{prefix}{name}.")
    return keys
