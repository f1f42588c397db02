"""The sources of labels and links; each yields the same two tables."""

from __future__ import annotations

from pathlib import Path

from imageset.params import MetadataParams
from imageset.sources.base import Source
from imageset.sources.openimages import OpenImagesSource
from imageset.sources.sample import SampleSource


def open_source(metadata: MetadataParams, seed: int, folder: Path, cache: Path) -> Source:
    """The source that `metadata.source` names.

    Parameters
    ----------
    metadata : MetadataParams
    seed : int
        Draws the sample.
    folder : Path
        Where the sample draws its pictures; other sources leave it alone.
    cache : Path
        Where metadata files of the web are kept, outside the outs.
    """
    if metadata.source == "sample":
        return SampleSource(metadata.sample.images, seed, folder)
    return OpenImagesSource(metadata.openimages, cache)
