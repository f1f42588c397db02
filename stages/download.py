"""Stage download: a checked picture for each image whose links still answer, and a status for every image."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from imageset import records
from imageset.caches import cache_root
from imageset.download_report import check_success, summarise
from imageset.downloads import FetchRules, Outcome, PictureRequest
from imageset.fetch import fetch
from imageset.files import write_json
from imageset.layout import lay_out
from imageset.params import Params
from imageset.store import Store
from stages import run

IMAGES = Path("data/metadata/images.parquet")
FOLDER = Path("data/images")
TABLE = Path("data/images.parquet")
REPORT = Path("reports/download.json")
ROOT = Path()


def main(params: Params) -> None:
    """Fetch what is not in the store yet, and lay everything out in shards."""
    images = records.read(IMAGES, records.IMAGES)
    md5s = images["md5"].astype(object).where(images["md5"].notna(), None)
    requests = [
        PictureRequest(image_id, tuple(urls), md5)
        for image_id, urls, md5 in zip(images["image_id"], images["urls"], md5s, strict=True)
    ]
    outcomes: list[Outcome] = []
    with Store(cache_root() / "pictures") as store:
        fetch(requests, _rules(params), store, outcomes.append)
        outcomes.sort(key=lambda outcome: outcome.image_id)
        write_json(summarise(requests, outcomes), REPORT)
        check_success(outcomes, params.download.min_success)
        shards = lay_out(outcomes, store, ROOT, FOLDER)
    table = pd.DataFrame([asdict(outcome) for outcome in outcomes])
    records.write(table.assign(shard=table["image_id"].map(shards)), TABLE, records.DOWNLOADS)


def _rules(params: Params) -> FetchRules:
    named = (params.metadata.openimages.base_url, params.metadata.openimages.images_url)
    return FetchRules(
        concurrency=params.download.concurrency,
        per_host=params.download.per_host,
        timeout_s=params.download.timeout_s,
        max_bytes=params.download.max_bytes,
        retries=params.download.retries,
        # A host that stands in the params was named by the user.
        allow_hosts=frozenset(params.download.allow_hosts) | {urlsplit(url).hostname or "" for url in named},
        user_agent=params.download.user_agent,
        root=ROOT,
    )


if __name__ == "__main__":
    run(main)
