"""Which of our own files a module imports, directly or through others: read from the sources, nothing is run."""

from __future__ import annotations

import ast
from pathlib import Path


def files_imported_by(path: Path, root: Path) -> set[str]:
    """Relative POSIX paths of the module itself, of what it imports, and of the packages these lie in."""
    found: set[str] = set()
    queue = [path]
    while queue:
        current = queue.pop()
        name = current.relative_to(root).as_posix()
        if name in found:
            continue
        found.add(name)
        queue += [file for module in _modules(current) for file in _files(module, root)]
    return found


def _modules(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _files(module: str, root: Path) -> list[Path]:
    """The file of a module, and the `__init__` of each package above it; none for modules of others."""
    parts = module.split(".")
    files = []
    for depth in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:depth])
        files += [file for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file()]
    return files
