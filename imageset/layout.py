"""Fetched pictures into image shards, from the store of checked pictures and from local files."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from imageset.causes import FetchError
from imageset.downloads import Outcome
from imageset.errors import UserError
from imageset.files import replacing_folder
from imageset.local_files import is_local, read_local
from imageset.pictures import FORMATS, open_picture
from imageset.progress import tracking
from imageset.shards import Entry, shard_count, shard_name, write_shard
from imageset.store import Store


def lay_out(outcomes: Iterable[Outcome], store: Store, root: Path, folder: Path) -> dict[str, str]:
    """Write the pictures that were fetched as image shards, one picture in memory at a time.

    Parameters
    ----------
    outcomes : iterable of Outcome
        In any order; the failed ones are passed over.
    store : Store
    root : Path
        The folder that file: URLs are relative to.
    folder : Path
        Replaced as a whole, or not at all. A shard without pictures has no file.

    Returns
    -------
    dict of str to str
        Shard file name of each picture, by image_id. The same pictures give the same bytes, wherever they came from.

    Raises
    ------
    UserError
        When a picture was changed or removed after it was fetched.
    """
    good = sorted((each for each in outcomes if each.status == "ok"), key=lambda each: each.image_id)
    count = shard_count(len(good))
    shards: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in good:
        shards[shard_name(outcome.image_id, count)].append(outcome)
    with replacing_folder(folder) as temporary, tracking("lay out", len(good)) as advance:
        for name, members in shards.items():
            write_shard(temporary / name, (_entry(member, store, root) for member in members))
            advance(len(members))
    return {outcome.image_id: name for name, members in shards.items() for outcome in members}


def _entry(outcome: Outcome, store: Store, root: Path) -> Entry:
    data = _unchanged(outcome, root) if is_local(outcome.url or "") else store.read(outcome.sha256 or "")
    # The extension is what the content is, whatever the URL calls it.
    return Entry(outcome.image_id, FORMATS[open_picture(data).format or ""], data)


def _unchanged(outcome: Outcome, root: Path) -> bytes:
    try:
        data = read_local(outcome.url or "", root, outcome.bytes or 0)
    except FetchError as error:
        raise UserError(f"{outcome.url} was changed while it was read ({error.cause}); run again") from error
    if hashlib.sha256(data).hexdigest() != outcome.sha256:
        raise UserError(f"{outcome.url} was changed while it was read (other content); run again")
    return data
