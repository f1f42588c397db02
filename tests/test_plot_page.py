from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from imageset.plot_page import write_plot_page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("plots") / "page.html"
    subprocess.run([sys.executable, "-m", "imageset.plot_page", str(path)], check=True)
    return path.read_text(encoding="utf-8")


def test_the_same_page_each_time(page: str, tmp_path: Path) -> None:
    write_plot_page(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page


def test_nothing_is_loaded_from_the_web(page: str) -> None:
    assert "<script src" not in page
    assert "<link" not in page
    assert not re.search(r"import\s*\(?[\"']https?:", page)


def test_the_script_is_one_element_and_has_vega(page: str) -> None:
    assert page.count("<script>") == page.count("</script>") == 1
    script = page[page.index("<script>") : page.index("</script>")]
    assert all(f"window.{name}=" in script for name in ("vega", "vegaLite", "vegaEmbed"))
    assert len(script) > 500_000


def test_dvc_fills_the_page(page: str) -> None:
    from dvc_render.html import HTML

    filled = HTML(template=page).with_element('<div id="loss">vegaEmbed("#loss", spec)</div>').embed()
    assert '<div id="loss">' in filled
    assert "{plot_divs}" not in filled
    assert "{refresh_tag}" not in filled
