from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imageset import packages
from imageset.errors import UserError
from imageset.packages import (
    BuiltPackage,
    NotInRegistryError,
    build_package,
    checked_object,
    differing,
    fetch_files,
    open_package,
)
from tests.drawn import contents

NAME = "demo/sandwiches"
META = {"data_fingerprint": "abc", "n": 3}
FILES = {
    "params.yaml": b"seed: 20\n",
    "data/crops/00000.tar": bytes(range(256)) * 40,
    "data/empty": b"",
    "reports/evaluation/page one.html": "<p>三明治</p>".encode(),
}

# Builds a package, but stays for ever in the copy of the second object, or before the manifest gets its place.
STOPS = """
import sys, time
from pathlib import Path
from imageset import packages
def stop(*_):
    print("stopped", flush=True)
    time.sleep(60)
where, registry, *files = sys.argv[1:]
if where == "objects":
    copy, count = packages.shutil.copyfile, iter([packages.shutil.copyfile, stop])
    packages.shutil.copyfile = lambda *paths: next(count)(*paths)
else:
    packages._publish_manifest = stop
packages.build_package({name: Path(name) for name in files}, {"n": 4}, "demo/sandwiches", Path(registry))
"""

# Says so when anything is looked up or connected to.
TALKS = """
import socket, sys
from pathlib import Path
def say(*arguments, **_):
    print("NETWORK", arguments, flush=True)
    raise OSError("no network")
socket.getaddrinfo = socket.socket.connect = socket.socket.connect_ex = say
from imageset.packages import build_package, differing, fetch_files, open_package
registry, folder = Path(sys.argv[1]), Path(sys.argv[2])
build_package({"a": Path(__file__)} if "__file__" in globals() else {"a": folder / "a"}, {}, "demo/x", registry)
package = open_package("demo/x", registry)
fetch_files(package, folder / "out")
print(differing(package, folder / "out"))
"""


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return write(FILES, tmp_path / "files")


def write(of: dict[str, bytes], folder: Path) -> dict[str, Path]:
    for name, data in of.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return {name: folder / name for name in of}


def build(files: dict[str, Path], registry: Path, name: str = NAME, meta: dict[str, Any] = META) -> BuiltPackage:
    return build_package(files, meta, name, registry)


def objects(registry: Path) -> list[Path]:
    return sorted(path for path in (registry / "objects").rglob("*") if path.is_file())


def rewrite_manifest(registry: Path, change: Any, built: BuiltPackage) -> None:
    path = registry / ".quilt" / "packages" / built.top_hash
    head, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in (head, *lines)))


def test_what_was_built_comes_back(tmp_path: Path, files: dict[str, Path]) -> None:
    built = build(files, tmp_path / "registry")
    assert (built.files, built.bytes) == (4, sum(map(len, FILES.values())))
    package = open_package(NAME, tmp_path / "registry")
    fetch_files(package, tmp_path / "out")
    assert contents(tmp_path / "out") == FILES
    assert differing(package, tmp_path / "out") == []
    assert package.meta == META


def test_the_same_content_has_the_same_top_hash_anywhere(tmp_path: Path, files: dict[str, Path]) -> None:
    moved = write(FILES, tmp_path / "elsewhere with #1 and %20")
    first = build(files, tmp_path / "one")
    assert first == build(dict(reversed(moved.items())), tmp_path / "two with #1 and %20", "other/name")
    assert first == build(files, tmp_path / "one"), "again"
    assert len(objects(tmp_path / "one")) == 4


@pytest.mark.parametrize("change", ["content", "name", "meta", "more"])
def test_any_change_has_another_top_hash(tmp_path: Path, files: dict[str, Path], change: str) -> None:
    first = build(files, tmp_path / "one")
    meta = {**META, "n": 4} if change == "meta" else META
    if change == "content":
        files["params.yaml"].write_bytes(b"seed: 21\n")
    if change == "name":
        files["params.yml"] = files.pop("params.yaml")
    if change == "more":
        files["more"] = files["params.yaml"]
    assert build(files, tmp_path / "one", meta=meta).top_hash != first.top_hash


def test_a_registry_can_be_moved(tmp_path: Path, files: dict[str, Path]) -> None:
    built = build(files, tmp_path / "registry")
    shutil.move(tmp_path / "registry", tmp_path / "moved here")
    shutil.rmtree(tmp_path / "files")
    for top_hash in (None, built.top_hash, built.top_hash[:6]):
        out = tmp_path / f"out {top_hash}"
        fetch_files(open_package(NAME, tmp_path / "moved here", top_hash), out)
        assert contents(out) == FILES


def test_older_versions_stay(tmp_path: Path, files: dict[str, Path]) -> None:
    first = build(files, tmp_path / "registry")
    files["params.yaml"].write_bytes(b"seed: 21\n")
    second = build(files, tmp_path / "registry")
    assert open_package(NAME, tmp_path / "registry").top_hash == second.top_hash
    fetch_files(open_package(NAME, tmp_path / "registry", first.top_hash), tmp_path / "out")
    assert contents(tmp_path / "out") == FILES
    assert len(objects(tmp_path / "registry")) == 5, "what both have is stored once"


def test_differing_names_the_file_with_one_flipped_bit_and_the_missing_one(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    build(files, tmp_path / "registry")
    package = open_package(NAME, tmp_path / "registry")
    folder = tmp_path / "files"
    (folder / "a file of my own").write_text("x")
    assert differing(package, folder) == []
    data = bytearray(FILES["data/crops/00000.tar"])
    data[5000] ^= 1
    (folder / "data/crops/00000.tar").write_bytes(data)
    assert differing(package, folder) == ["data/crops/00000.tar"]
    (folder / "params.yaml").unlink()
    (folder / "data/empty").write_bytes(b" ")
    assert differing(package, folder) == ["data/crops/00000.tar", "data/empty", "params.yaml"]
    assert differing(package, tmp_path / "nothing here") == sorted(FILES)


def test_a_large_file_is_hashed_in_parts_and_checked_whole(tmp_path: Path) -> None:
    # Above 8 MiB Quilt hashes a file in chunks.
    files = write({"large": bytes(20 << 20)}, tmp_path / "files")
    build(files, tmp_path / "registry")
    package = open_package(NAME, tmp_path / "registry")
    with files["large"].open("r+b") as file:
        file.seek(19 << 20)
        file.write(b"\1")
    assert differing(package, tmp_path / "files") == ["large"]


@pytest.mark.parametrize("damage", ["flip", "cut", "missing"])
def test_a_damaged_registry_is_refused_by_name_and_put_right_by_building(
    tmp_path: Path, files: dict[str, Path], damage: str
) -> None:
    registry = tmp_path / "registry"
    built = build(files, registry)
    (target,) = [path for path in objects(registry) if path.read_bytes() == FILES["data/crops/00000.tar"]]
    data = target.read_bytes()
    target.unlink()
    if damage != "missing":
        target.write_bytes(data[:-1] if damage == "cut" else b"\xff" + data[1:])
    with pytest.raises(UserError, match=r"data/crops/00000\.tar"):
        fetch_files(open_package(NAME, registry), tmp_path / "out")
    assert build(files, registry) == built
    fetch_files(open_package(NAME, registry), tmp_path / "again")
    assert contents(tmp_path / "again") == FILES


@pytest.mark.parametrize(
    "key",
    [
        "../x",
        "/tmp/x",
        "a/../../x",
        "a//x",
        "./x",
        "a/",
        "..",
        "a\\..\\x",
        "a\0b",
        ".git/hooks/post-checkout",
        "a/.GIT/x",
    ],
)
def test_a_package_that_names_a_path_outside_is_refused(tmp_path: Path, files: dict[str, Path], key: str) -> None:
    built = build(files, tmp_path / "registry")
    rewrite_manifest(tmp_path / "registry", lambda lines: lines[0].update(logical_key=key), built)
    with pytest.raises(UserError, match="refused") as refused:
        open_package(NAME, tmp_path / "registry")
    assert repr(key) in str(refused.value)


@pytest.mark.parametrize("where", [None, "hash"])
def test_a_manifest_that_was_changed_is_refused(tmp_path: Path, files: dict[str, Path], where: str | None) -> None:
    # Somebody puts in another file, and another manifest that vouches for it, under the top hash that people know.
    registry = tmp_path / "registry"
    built = build(files, registry)
    evil = build(write({"params.yaml": b"seed: 666\n"}, tmp_path / "evil"), tmp_path / "other", meta=META)
    shutil.copytree(tmp_path / "other" / "objects", registry / "objects", dirs_exist_ok=True)
    manifests = registry / ".quilt" / "packages"
    shutil.copy(tmp_path / "other" / ".quilt" / "packages" / evil.top_hash, manifests / built.top_hash)
    with pytest.raises(UserError, match="not the one that its top hash was made from"):
        open_package(NAME, registry, built.top_hash if where else None)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[0].pop("hash"),
        lambda lines: lines[0].update(hash=None),
        lambda lines: lines[0].update(hash={"type": "sha2-256-chunked", "value": "../../x"}),
        lambda lines: lines[0].update(size="large"),
        lambda lines: lines[0].pop("logical_key"),
        lambda lines: lines[0].update(logical_key=7),
        lambda lines: lines.append("text"),
        lambda lines: lines.append(dict(lines[0])),
        lambda lines: lines[0].update(physical_keys=["ftp://host/x"]),
    ],
)
def test_a_broken_manifest_is_one_clear_error(tmp_path: Path, files: dict[str, Path], change: Any) -> None:
    built = build(files, tmp_path / "registry")
    rewrite_manifest(tmp_path / "registry", change, built)
    with pytest.raises(UserError, match=NAME) as refused:
        open_package(NAME, tmp_path / "registry")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "no json\n", "[]\n"])
def test_a_manifest_that_is_none_is_one_clear_error(tmp_path: Path, files: dict[str, Path], text: str) -> None:
    built = build(files, tmp_path / "registry")
    (tmp_path / "registry" / ".quilt" / "packages" / built.top_hash).write_text(text)
    with pytest.raises(UserError, match=f"{NAME}.*damaged"):
        open_package(NAME, tmp_path / "registry")


def test_unknown_names_and_versions_say_what_there_is(tmp_path: Path, files: dict[str, Path]) -> None:
    registry = tmp_path / "registry"
    built = build(files, registry)
    for name in ("demo/sandwich", "bad name", "../x", "a/b/c"):
        with pytest.raises(UserError, match=f"has no package {name}; it has: {NAME}$"):
            open_package(name, registry)
    with pytest.raises(UserError, match="has no package demo/other"):
        open_package("demo/other", registry, built.top_hash)
    for version in ("0" * 64, "abcdef", "a", "..", "'", "../packages/x", built.top_hash[:5], f"{built.top_hash}0"):
        with pytest.raises(UserError, match=f"no version {version} of {NAME}; .*it has: {built.top_hash[:12]}$"):
            open_package(NAME, registry, version)
    with pytest.raises(UserError, match="there is no registry at"):
        open_package(NAME, tmp_path / "nowhere")
    with pytest.raises(NotInRegistryError, match=f"no version '' of {NAME}"):
        open_package(NAME, registry, "")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="it has: none"):
        open_package(NAME, tmp_path / "empty")


@pytest.mark.parametrize("latest", [b"", b"..", b"../../../params.yaml", b"zz", b"\xff\0", None, "folder"])
def test_a_latest_that_names_no_version_is_one_clear_error(
    tmp_path: Path, files: dict[str, Path], latest: bytes | str | None
) -> None:
    built = build(files, tmp_path / "registry")
    pointer = tmp_path / "registry" / ".quilt" / "named_packages" / NAME / "latest"
    pointer.unlink()
    if isinstance(latest, bytes):
        pointer.write_bytes(latest)
    elif latest:
        pointer.mkdir()
    (pointer.parents[2] / ".DS_Store").write_text("a stray file")
    (pointer.parents[1] / ".DS_Store").write_text("a stray file")
    with pytest.raises(NotInRegistryError, match=f"no version named latest of {NAME}; .*has: {built.top_hash[:12]}$"):
        open_package(NAME, tmp_path / "registry")
    assert open_package(NAME, tmp_path / "registry", built.top_hash).top_hash == built.top_hash


def test_quilts_own_install_finds_the_files_while_the_registry_stays(tmp_path: Path) -> None:
    one = build(write(FILES, tmp_path / "in"), tmp_path / "one")
    registry = str(tmp_path / "one")
    installed = tmp_path / "installed"
    packages.quilt3.Package.install(
        NAME, registry=registry, top_hash=one.top_hash, dest=str(installed), dest_registry=registry
    )
    assert packages.quilt3.Package.browse(NAME, registry=registry, top_hash=one.top_hash).verify(str(installed))


@pytest.mark.parametrize("damage", ["altered", "missing", "folder"])
def test_an_object_is_checked_before_it_is_read(tmp_path: Path, files: dict[str, Path], damage: str) -> None:
    build(files, tmp_path / "registry")
    package = open_package(NAME, tmp_path / "registry")
    stored = checked_object(package, "params.yaml")
    assert stored.read_bytes() == FILES["params.yaml"]
    stored.unlink()
    if damage == "altered":
        stored.write_text("seed: 21\n")
    elif damage == "folder":
        stored.mkdir()
    with pytest.raises(UserError, match=r"registry is damaged: its params\.yaml"):
        checked_object(package, "params.yaml")


def test_a_registry_that_is_a_file_is_one_clear_error(tmp_path: Path, files: dict[str, Path]) -> None:
    (tmp_path / "registry").write_text("mine")
    with pytest.raises(UserError, match=r"registry .* cannot be written: .*a folder.*move away"):
        build(files, tmp_path / "registry")
    with pytest.raises(UserError, match="there is no registry at"):
        open_package(NAME, tmp_path / "registry")
    assert (tmp_path / "registry").read_text() == "mine"


def test_a_registry_that_cannot_take_objects_is_unchanged(tmp_path: Path, files: dict[str, Path]) -> None:
    # Also for root, who may write into any folder, but not into a file as if it were one.
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "objects").write_text("mine")
    before = contents(tmp_path / "registry")
    with pytest.raises(UserError, match="cannot be written"):
        build(files, tmp_path / "registry")
    assert contents(tmp_path / "registry") == before


def test_a_registry_that_is_read_only_is_unchanged(tmp_path: Path, files: dict[str, Path]) -> None:
    build(files, tmp_path / "registry")
    before = contents(tmp_path / "registry")
    files["params.yaml"].write_bytes(b"seed: 21\n")
    (tmp_path / "registry").chmod(0o555)
    if os.access(tmp_path / "registry", os.W_OK):
        pytest.skip("root may write everywhere")
    try:
        with pytest.raises(UserError, match="cannot be written: Permission denied"):
            build(files, tmp_path / "registry")
    finally:
        (tmp_path / "registry").chmod(0o755)
    assert contents(tmp_path / "registry") == before


@pytest.mark.parametrize("where", ["objects", "manifest"])
def test_a_build_that_is_killed_is_not_seen(tmp_path: Path, where: str) -> None:
    registry = tmp_path / "registry"
    first = build(write(FILES, tmp_path / "files"), registry)
    new = {f"new{number}": str(number).encode() for number in range(3)}
    files = write(new, tmp_path / "files")
    child = subprocess.Popen(
        [sys.executable, "-c", STOPS, where, str(registry), *new],
        cwd=tmp_path / "files",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "stopped\n"
        child.send_signal(signal.SIGKILL)
    assert open_package(NAME, registry).top_hash == first.top_hash
    fetch_files(open_package(NAME, registry), tmp_path / "out")
    assert contents(tmp_path / "out") == FILES
    second = build(files, registry, meta={"n": 4})
    assert second == build(files, tmp_path / "clean", meta={"n": 4})
    fetch_files(open_package(NAME, registry), tmp_path / "new")
    assert contents(tmp_path / "new") == new


def test_nothing_is_said_to_any_other_machine(tmp_path: Path) -> None:
    write({"a": b"x"}, tmp_path)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("QUILT_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", TALKS, str(tmp_path / "registry"), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
    assert "NETWORK" not in done.stderr
