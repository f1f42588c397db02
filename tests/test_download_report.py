from __future__ import annotations

import pytest

from imageset.download_report import check_success, summarise
from imageset.downloads import Outcome, PictureRequest
from imageset.errors import UserError


def ok(image_id: str, url: str, *causes: str) -> Outcome:
    return Outcome(image_id, "ok", None, causes, url, 200, 10, "0" * 64)


def failed(image_id: str, *causes: str) -> Outcome:
    return Outcome(image_id, "failed", causes[-1] if causes else "no_url", causes, None, None, None, None)


REQUESTS = [
    PictureRequest("a", ("http://one.example/a",), None),
    PictureRequest("b", ("http://one.example/b", "https://TWO.example:8080/b"), None),
    PictureRequest("c", ("http://[::1/", "https://two.example/c"), None),
    PictureRequest("d", ("file:d.jpg",), None),
    PictureRequest("e", (), None),
]
OUTCOMES = [
    ok("d", "file:d.jpg"),
    ok("a", "http://one.example/a"),
    ok("b", "https://TWO.example:8080/b", "http_404"),
    failed("c", "bad_url", "timeout"),
    failed("e"),
]


def test_counts_by_status_reason_cause_and_host():
    assert summarise(REQUESTS, OUTCOMES) == {
        "images": 5,
        "bytes": 30,
        "status": {"ok": 3, "failed": 2},
        "reasons": {"no_url": 1, "timeout": 1},
        "causes": {"bad_url": 1, "http_404": 1, "timeout": 1},
        "hosts": [
            {"host": "file", "ok": 1, "failed": 0},
            {"host": "none", "ok": 0, "failed": 1},
            {"host": "one.example", "ok": 1, "failed": 1},
            {"host": "two.example", "ok": 1, "failed": 1},
        ],
    }


def test_order_does_not_matter():
    assert summarise(REQUESTS[::-1], OUTCOMES[::-1]) == summarise(REQUESTS, OUTCOMES)


def test_the_floor_is_reached_or_the_line_says_why_not():
    check_success(OUTCOMES, 0.6)
    check_success([], 1.0)
    with pytest.raises(UserError) as error:
        check_success([*OUTCOMES, failed("f", "timeout")], 0.6)
    assert "60%" in str(error.value)
    assert "received 3 of 6 (50%); failed: timeout 2, no_url 1" in str(error.value)
