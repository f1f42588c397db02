"""pyproject.toml, requirements.lock and environment.yml say the same."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
DIRECT = RUNTIME + [Requirement(text) for text in PROJECT["dependency-groups"]["dev"]]
LOCK_TEXT = (ROOT / "requirements.lock").read_text()
CONDA: dict[str, Any] = yaml.safe_load((ROOT / "environment.yml").read_text())
PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = ("linux", "darwin")


def entries() -> list[tuple[Requirement, list[str]]]:
    """Requirements of the lock, each with its hashes."""
    found: list[tuple[Requirement, list[str]]] = []
    for line in LOCK_TEXT.replace("\\\n", "\n").splitlines():
        text = line.strip()
        if text.startswith("--hash="):
            found[-1][1].append(text.removeprefix("--hash="))
        elif text and not text.startswith("#"):
            found.append((Requirement(text), []))
    return found


LOCK = {canonicalize_name(requirement.name): requirement for requirement, _ in entries()}


def locked_version(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def test_the_lock_is_not_empty() -> None:
    assert len(LOCK) > 100


def test_every_entry_is_pinned_and_has_hashes() -> None:
    for requirement, hashes in entries():
        assert locked_version(requirement)
        assert requirement.url is None
        assert hashes, requirement.name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), requirement.name


def test_every_package_has_one_version_whatever_the_python() -> None:
    names = Counter(canonicalize_name(requirement.name) for requirement, _ in entries())
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize(("python", "system"), product(PYTHONS, SYSTEMS))
def test_every_direct_dependency_is_locked_for_every_python(python: str, system: str) -> None:
    environment = {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.5",
        "sys_platform": system,
    }
    for requirement in DIRECT:
        locked = LOCK[canonicalize_name(requirement.name)]
        assert locked.marker is None or locked.marker.evaluate(environment), requirement.name


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_every_direct_dependency_is_locked_within_its_range(requirement: Requirement) -> None:
    locked = locked_version(LOCK[canonicalize_name(requirement.name)])
    assert requirement.specifier.contains(locked)


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_what_is_installed_is_what_is_locked(requirement: Requirement) -> None:
    assert version(requirement.name) == locked_version(LOCK[canonicalize_name(requirement.name)])


def test_conda_names_the_direct_dependencies_under_the_lock() -> None:
    (pip,) = [each["pip"] for each in CONDA["dependencies"] if isinstance(each, dict)]
    assert pip[0] == "-c requirements.lock"
    assert pip[1:] == sorted(requirement.name for requirement in RUNTIME)


def test_conda_names_the_project_and_a_python_that_it_supports() -> None:
    assert CONDA["name"] == PROJECT["project"]["name"]
    (python,) = [each for each in CONDA["dependencies"] if str(each).startswith("python=")]
    wanted = PROJECT["project"]["requires-python"]
    assert Requirement(f"python{wanted}").specifier.contains(python.removeprefix("python=") + ".0")


def test_the_pythons_are_the_same_everywhere() -> None:
    specifier = Requirement(f"python{PROJECT['project']['requires-python']}").specifier
    supported = [f"3.{minor}" for minor in range(8, 20) if specifier.contains(f"3.{minor}.1")]
    assert tuple(supported) == PYTHONS
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + PYTHONS[0].replace(".", "")
    makefile = (ROOT / "Makefile").read_text()
    assert f"({PYTHONS[0].replace('.', ', ')}) <= v <= ({PYTHONS[-1].replace('.', ', ')})" in makefile


def test_no_file_says_where_packages_come_from() -> None:
    for name in ("requirements.lock", "pyproject.toml", "environment.yml", "Makefile"):
        text = (ROOT / name).read_text()
        assert not re.search(
            r"https?://|--(extra-)?index-url|--find-links|--trusted-host",
            text.replace("--no-emit-index-url", "").replace("--no-emit-find-links", ""),
        ), name
