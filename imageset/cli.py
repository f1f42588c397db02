"""The `imageset` command: search classes, look at pictures, predict, and pull or verify published packages.

It runs in the root of a clone, next to `params.yaml`. The stages of the pipeline are run by DVC, not from here.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imageset import records
from imageset.errors import UserError, one_line_errors
from imageset.params import load_params
from imageset.quiet import importing_tensorflow

if TYPE_CHECKING:
    import quilt3

# What only one command needs is imported there: TensorFlow and Quilt take seconds.
# ruff: noqa: PLC0415

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)

_PARAMS = Path("params.yaml")
_MODEL = Path("models/model.keras")
_REGISTRY = Path("registry")


class What(StrEnum):
    """What `export` writes."""

    crops = "crops"
    images = "images"


Package = Annotated[str, typer.Argument(metavar="NS/NAME", help="The package: namespace/name.")]
Registry = Annotated[Path, typer.Option(help="Folder that the package was built in or copied to.")]
TopHash = Annotated[str | None, typer.Option(help="The version; the latest when left out.")]
TopHashHere = Annotated[
    str | None,
    typer.Option(help="The version; when left out, the one built here (reports/package.json), or the latest."),
]


@app.command()
def classes(query: Annotated[str, typer.Argument(help="Part of a class's name or id.")] = "") -> None:
    """Search the class tree of the configured source; counts are boxes and images."""
    from imageset.caches import cache_root
    from imageset.classes import search
    from imageset.sources import open_source

    with one_line_errors():
        params = load_params(_PARAMS)
        source = open_source(params.metadata, params.seed, Path("data/metadata/sample"), cache_root() / "metadata")
        for line in search(source.tree(), query):
            typer.echo(line)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to; must not exist, or be empty.")],
    what: Annotated[What, typer.Option(help="The crops, or the pictures that they were cut from.")] = What.crops,
) -> None:
    """Write class folders of the crops or the pictures."""
    from imageset.export import export_pictures

    with one_line_errors():
        crops = records.read(Path("data/crops.parquet"), records.CROPS).query("status == 'ok'")
        key = "crop_id" if what is What.crops else "image_id"
        labels_of = {str(name): list(rows["label"]) for name, rows in crops.groupby(key)}
        written = export_pictures(Path("data") / what.value, labels_of, folder)
        typer.echo(f"{written} files in {folder}")


@app.command()
def predict(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Picture files.")],
    model: Annotated[Path, typer.Option(help="The trained model.")] = _MODEL,
) -> None:
    """Print file, label and probability of each picture, taken as a whole; exit code 1 when one could not be read."""
    with importing_tensorflow():
        from imageset.model_files import load_model
        from imageset.prediction import predict_files

    with one_line_errors():
        bad = []
        for prediction in predict_files(load_model(model), images):
            if prediction.reason is None:
                typer.echo(f"{prediction.path}\t{prediction.label}\t{prediction.probability:.4f}")
            else:
                bad.append(f"{prediction.path} ({prediction.reason})")
        if bad:
            raise UserError(f"{len(bad)} of {len(images)} are no usable picture files: {', '.join(bad)}")


@app.command()
def pull(
    package: Package,
    registry: Registry = _REGISTRY,
    top_hash: TopHash = None,
    force: Annotated[bool, typer.Option("--force", help="Take the package's version of files changed here.")] = False,
) -> None:
    """Install a published package into the workspace; every byte is checked before anything is put in place."""
    from imageset.workspace import built_here, install, require_clone

    with one_line_errors():
        require_clone(Path())
        opened = _opened(package, registry, top_hash)
        reported = built_here(package, Path())
        installed = install(opened, Path(), force=force)
        typer.echo(f"{package}: {installed.files} files, every byte as published ({opened.top_hash})")
        for name in installed.kept:
            why = "it is code, which no package replaces" if name == "dvc.yaml" else "--force takes the package's"
            typer.echo(f"kept your {name}, which differs from the package's; {why}")
        for name in installed.unlike_lock:
            typer.echo(
                f"{name} is not what dvc.lock here has, so DVC would make it anew; is this the package's commit?"
            )
        if reported not in (None, opened.top_hash):
            typer.echo(f"reports/package.json here names another version; to verify: --top-hash {opened.top_hash}")
        typer.echo(f"next: dvc repro{' --allow-missing' if installed.missing else ''}")


@app.command()
def verify(package: Package, registry: Registry = _REGISTRY, top_hash: TopHashHere = None) -> None:
    """Compare every byte of the workspace with a package; exit code 1 and the names of what differs."""
    from imageset.workspace import built_here, changed_files, require_clone

    with one_line_errors():
        require_clone(Path())
        opened = _opened(package, registry, built_here(package, Path()) if top_hash is None else top_hash)
        if wrong := changed_files(opened, Path()):
            raise UserError(f"{len(wrong)} files differ from {package} ({opened.top_hash}): {', '.join(wrong)}")
        typer.echo(f"{package}: all files here are as published ({opened.top_hash})")


def _opened(name: str, registry: Path, top_hash: str | None) -> quilt3.Package:
    from imageset.packages import NotInRegistryError, open_package
    from imageset.workspace import built_here

    try:
        return open_package(name, registry, top_hash)
    except NotInRegistryError as error:
        built = built_here(name, Path())
        if not top_hash or built is None or not built.startswith(top_hash):
            raise
        raise UserError(
            f"{error}; reports/package.json here names this version: build it with `dvc repro -f -s publish`, or "
            "choose another with --top-hash"
        ) from error
