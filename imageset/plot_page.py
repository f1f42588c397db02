"""The page that `dvc plots show` fills, with Vega inside: plots show without a network.

`python -m imageset.plot_page FILE` writes it; `make environment` does so. DVC's own page loads Vega from the web.
"""

from __future__ import annotations

import sys
from pathlib import Path

import vl_convert

from imageset.files import replacing

# What the scripts that DVC puts into the page call by name.
_GLOBALS = "window.vegaEmbed = vegaEmbed; window.vegaLite = vegaLite; window.vega = vega;"

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    {{refresh_tag}}
    <title>Plots</title>
    <script>{vega}</script>
    <style>body {{ font-family: sans-serif; margin: 1.5rem; }} img {{ max-width: 100%; }}</style>
</head>
<body>
    {{plot_divs}}
</body>
</html>
"""


def write_plot_page(path: Path) -> None:
    """Write the page template, with Vega, Vega-Lite and Vega-Embed from the installed vl-convert package."""
    with replacing(path) as temporary:
        temporary.write_text(_PAGE.format(vega=vl_convert.javascript_bundle(_GLOBALS)), encoding="utf-8")


if __name__ == "__main__":
    write_plot_page(Path(sys.argv[1]))
