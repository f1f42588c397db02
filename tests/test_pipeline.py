"""dvc.yaml against the code, and the whole pipeline in a clone: run, look, change a parameter, pull, retrain."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from imageset.params import load_params
from tests.imports import files_imported_by

ROOT = Path(__file__).parents[1]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = ("metadata", "download", "crop", "split", "train", "evaluate", "publish")

# As small as it can be and still have every kind of dirt and enough crops of each class to split.
SMALL = {"metadata.sample.images": 90, "train.epochs": 2, "crop.size": 32}


def test_stages_are_the_seven_and_run_their_own_file():
    assert tuple(PIPELINE["stages"]) == STAGES
    for name, stage in PIPELINE["stages"].items():
        assert stage["cmd"] == f"python -m stages.{name}"
        assert stage["desc"]


@pytest.mark.parametrize("name", STAGES[:-1])
def test_deps_are_the_modules_that_the_stage_imports(name):
    listed = {dep for dep in PIPELINE["stages"][name]["deps"] if dep.endswith(".py")}
    assert listed == files_imported_by(ROOT / f"stages/{name}.py", ROOT)


def test_publish_depends_on_all_code_because_the_package_records_it():
    assert {"imageset", "stages"} <= set(PIPELINE["stages"]["publish"]["deps"])


@pytest.mark.parametrize("name", STAGES)
def test_params_of_a_stage_are_leaves_that_exist(name):
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    load_params(ROOT / "params.yaml")
    for key in PIPELINE["stages"][name].get("params", []):
        value = raw
        for part in key.split("."):
            value = value[part]
        assert not isinstance(value, dict) or key in ("metadata.categories", "split.fractions"), key


def test_no_dep_lies_inside_an_out():
    """DVC skips a stage whose dep lies inside a directory out that is missing (`--allow-missing`)."""
    outs = [out for stage in PIPELINE["stages"].values() for out in stage.get("outs", [])]
    deps = {dep for stage in PIPELINE["stages"].values() for dep in stage["deps"]}
    assert not [(dep, out) for dep in deps for out in outs if dep.startswith(f"{out}/")]


class Clone:
    """A git clone of this working tree in a folder of its own, with its own picture store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("DVC", "GIT"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "IMAGESET_CACHE": str(folder.parent / f"{folder.name}-cache"),
            "DVC_SITE_CACHE_DIR": str(folder.parent / f"{folder.name}-dvc"),
            "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org",
            "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
        }  # fmt: skip

    def run(self, *command: str, ok: bool = True) -> str:
        done = subprocess.run(
            command, check=False, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
        )  # fmt: skip
        assert (done.returncode == 0) == ok, done.stdout[-4000:]
        return done.stdout

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", "a step")

    def lock(self) -> dict:
        return yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]

    def report(self, name: str) -> dict:
        return json.loads((self.folder / "reports" / name).read_text())

    def latest(self) -> str:
        return (self.folder / "registry/.quilt/named_packages/demo/sandwiches/latest").read_text()

    def ran(self, output: str) -> set[str]:
        return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Clone:
    """A clone where the small pipeline has been run and committed."""
    clone = Clone(tmp_path_factory.mktemp("pipeline") / "clone")
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in files:
        if (ROOT / name).is_file() and not name.startswith("reports/") and name != "dvc.lock":
            (clone.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone.folder / name)
    clone.run("git", "init", "-q")
    params = clone.folder / "params.yaml"
    edited = yaml.safe_load(params.read_text())
    for key, value in SMALL.items():
        *sections, leaf = key.split(".")
        target = edited
        for section in sections:
            target = target[section]
        target[leaf] = value
    params.write_text(yaml.safe_dump(edited))
    clone.run(sys.executable, "-m", "imageset.plot_page", ".dvc/plots/page.html")
    clone.commit()
    clone.run("dvc", "repro")
    clone.commit()
    return clone


def test_every_stage_left_what_it_promises(built):
    for stage in PIPELINE["stages"].values():
        entries = [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
        for entry in entries:
            path = entry if isinstance(entry, str) else next(iter(entry))
            assert (built.folder / path).exists(), path


def test_nothing_of_the_data_enters_git(built):
    tracked = built.run("git", "ls-files").splitlines()
    assert not [name for name in tracked if name.startswith(("data/", "models/", "registry/", "reports/evaluation/"))]


def test_a_second_run_does_nothing_and_status_is_clean(built):
    assert built.ran(built.run("dvc", "repro")) == set()
    assert "up to date" in built.run("dvc", "status")


def test_forced_run_gives_the_same_bytes(built):
    before = (built.folder / "dvc.lock").read_bytes()
    built.env["PYTHONHASHSEED"], built.env["TZ"] = "7", "Asia/Tokyo"
    built.run("dvc", "repro", "--force")
    assert (built.folder / "dvc.lock").read_bytes() == before
    assert "as published" in built.run("imageset", "verify", "demo/sandwiches")
    assert built.run("git", "status", "--porcelain") == ""


def test_metrics_and_plots_are_shown_without_a_network(built):
    shown = built.run("dvc", "metrics", "show")
    assert "accuracy" in shown
    built.run("dvc", "plots", "show", "-o", "shown")
    page = (built.folder / "shown/index.html").read_text()
    shutil.rmtree(built.folder / "shown")
    for plot in ("Confusion", "ROC", "mistakes.png", "loss"):
        assert plot in page
    assert "<script src" not in page


def test_an_experiment_runs_only_what_its_parameter_touches(built):
    output = built.run("dvc", "exp", "run", "-n", "slow", "-S", "train.learning_rate=1e-4")
    assert built.ran(output) == {"train", "evaluate", "publish"}
    assert "slow" in built.run("dvc", "exp", "show", "--csv")
    assert built.report("package.json")["top_hash"] == built.latest()
    built.run("git", "checkout", "-q", "params.yaml")
    output = built.run("dvc", "repro")
    assert built.ran(output) == {"publish"}, "the run cache has the others, but no registry"
    assert built.report("package.json")["top_hash"] == built.latest()
    assert built.run("git", "status", "--porcelain") == ""


def test_queued_and_temporary_experiments(built):
    built.run("dvc", "exp", "run", "--temp", "-n", "temporary", "-S", "train.epochs=1")
    built.run("dvc", "exp", "run", "--queue", "-S", "train.learning_rate=1e-3,2e-3", "-S", "train.epochs=1")
    built.run("dvc", "exp", "run", "--run-all")
    shown = built.run("dvc", "exp", "show", "--csv")
    assert "temporary" in shown
    assert "0.002" in shown
    assert "Failed" not in shown


def test_the_package_of_a_temporary_experiment_is_built_on_demand(built):
    committed = built.report("package.json")["top_hash"]
    built.run("dvc", "exp", "apply", "temporary")
    top_hash = built.report("package.json")["top_hash"]
    assert built.ran(built.run("dvc", "repro")) == set()
    told = built.run("imageset", "verify", "demo/sandwiches", ok=False)
    assert f"has no version {top_hash}" in told
    assert "dvc repro -f -s publish" in told
    assert built.ran(built.run("dvc", "repro", "-f", "-s", "publish")) == {"publish"}
    assert top_hash == built.report("package.json")["top_hash"] == built.latest()
    assert top_hash in built.run("imageset", "verify", "demo/sandwiches")
    built.run("git", "checkout", "-q", ".")
    built.run("dvc", "checkout", "-q")
    assert committed in built.run("imageset", "verify", "demo/sandwiches"), "which is not the latest"


@pytest.mark.parametrize("lock", [b"", b"\x00\xff", b"stages: 3", b"stages: {train: 3}", None])
def test_publish_says_what_is_wrong_with_a_lock(built, lock):
    path = built.folder / "dvc.lock"
    whole = path.read_bytes()
    path.unlink()
    if lock is None:
        path.mkdir()
    else:
        path.write_bytes(lock)
    output = built.run(sys.executable, "-m", "stages.publish", ok=False)
    if lock is None:
        path.rmdir()
    path.write_bytes(whole)
    assert output.startswith("error: dvc.lock is not a lock file of DVC"), output


@pytest.fixture(scope="module")
def pulled(built) -> Clone:
    """Another clone with nothing but the commit and the pulled package."""
    clone = Clone(built.folder.parent / "pulled")
    built.run("git", "clone", "-q", str(built.folder), str(clone.folder))
    registry = built.folder.parent / "moved-registry"
    shutil.copytree(built.folder / "registry", registry)
    clone.env["REGISTRY"] = str(registry)
    package = built.report("package.json")
    output = clone.run(
        "imageset", "pull", package["name"], "--registry", str(registry), "--top-hash", package["top_hash"]
    )
    assert "dvc repro --allow-missing" in output
    return clone


def test_a_pulled_package_is_verified_and_runs_nothing(built, pulled):
    name = built.report("package.json")["name"]
    top_hash = built.report("package.json")["top_hash"]
    for options in ((), ("--top-hash", top_hash)):
        assert top_hash in pulled.run("imageset", "verify", name, "--registry", pulled.env["REGISTRY"], *options)
    assert pulled.ran(pulled.run("dvc", "repro", "--allow-missing")) == set()
    assert pulled.run("git", "status", "--porcelain") == ""


def test_one_flipped_bit_is_named(built, pulled):
    path = pulled.folder / "data/split.parquet"
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    output = pulled.run(
        "imageset", "verify", "demo/sandwiches", "--registry", pulled.env["REGISTRY"],
        "--top-hash", built.report("package.json")["top_hash"], ok=False,
    )  # fmt: skip
    path.write_bytes(whole)
    assert output.startswith("error: 1 files differ")
    assert "data/split.parquet" in output


def test_a_pulled_package_is_retrained_without_the_stages_before(pulled):
    output = pulled.run("dvc", "exp", "run", "--allow-missing", "-S", "train.learning_rate=2e-4")
    assert pulled.ran(output) == {"train", "evaluate", "publish"}


def test_predict_and_export(built):
    output = built.run("imageset", "export", "looked-at")
    folders = sorted(path.name for path in (built.folder / "looked-at").iterdir())
    assert folders == ["hamburger", "hot-dog", "sandwich"]
    picture = next((built.folder / "looked-at/hot-dog").glob("*.jpg"))
    label = built.run("imageset", "predict", str(picture)).splitlines()[-1].split("\t")[1]
    assert label in ("Hamburger", "Hot dog", "Sandwich"), output
    shutil.rmtree(built.folder / "looked-at")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("metadata.categories=[Hamburger,Hot dgo]", ("Hot dgo", "Hot dog")),
        ("train.epochs=many", ("train.epochs", "many")),
        ("split.fractions.train=0.9", ("add up to 1",)),
    ],
)
def test_bad_parameters_give_one_line_and_leave_everything(built, override, words):
    before = (built.folder / "dvc.lock").read_bytes()
    output = built.run("dvc", "exp", "run", "-S", override, ok=False)
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert all(word in errors[0] for word in words)
    assert "Traceback" not in output
    built.run("git", "checkout", "-q", ".")
    built.run("dvc", "checkout", "-q")
    assert (built.folder / "dvc.lock").read_bytes() == before
    assert "up to date" in built.run("dvc", "status")


def test_unknown_parameter_names_the_nearest(built):
    params = built.folder / "params.yaml"
    whole = params.read_text()
    params.write_text(whole.replace("learning_rate", "learning_rat"))
    done = subprocess.run(
        [sys.executable, "-m", "stages.split"],
        check=False,
        cwd=built.folder,
        env=built.env,
        capture_output=True,
        text=True,
    )
    params.write_text(whole)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "train.learning_rate" in done.stderr
