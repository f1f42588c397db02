"""Where the caches are."""

from __future__ import annotations

import pytest

from imageset.caches import cache_root
from imageset.errors import UserError


def test_the_variable_names_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGESET_CACHE", str(tmp_path / "not yet there"))
    assert cache_root() == tmp_path / "not yet there"


def test_a_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("IMAGESET_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="IMAGESET_CACHE names a folder, received the file"):
        cache_root()
