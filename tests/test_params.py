from __future__ import annotations

import copy
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from hypothesis import given
from hypothesis import strategies as st

from imageset.errors import UserError
from imageset.params import Params, load_params

OURS = Path(__file__).parents[1] / "params.yaml"
PLAIN: dict[str, Any] = yaml.safe_load(OURS.read_text(encoding="utf-8"))


def changed(key: str, value: Any) -> dict[str, Any]:
    raw = copy.deepcopy(PLAIN)
    *sections, name = key.split(".")
    section = raw
    for each in sections:
        section = section[each]
    section[name] = value
    return raw


def without(key: str) -> dict[str, Any]:
    raw = changed(key, None)
    *sections, name = key.split(".")
    section = raw
    for each in sections:
        section = section[each]
    del section[name]
    return raw


def load(folder: Path, raw: Any) -> Params:
    path = folder / "params.yaml"
    path.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw), encoding="utf-8")
    return load_params(path)


def refusal(folder: Path, raw: Any) -> str:
    with pytest.raises(UserError) as refused:
        load(folder, raw)
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 600
    assert message.startswith(str(folder / "params.yaml"))
    return message


def test_the_file_of_the_repository_is_valid() -> None:
    params = load_params(OURS)
    assert params.model_dump() == PLAIN


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("train.learning_rat", "train.learning_rate"),
        ("crop.sise", "crop.size"),
        ("trian", "train"),
        ("metadata.openimages.verson", "metadata.openimages.version"),
        ("split.fractions.vall", "split.fractions.val"),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path: Path, key: str, near: str) -> None:
    message = refusal(tmp_path, changed(key, 1))
    assert f"unknown parameter {key}; the nearest: {near}" in message


def test_a_misspelt_key_is_called_unknown_not_missing(tmp_path: Path) -> None:
    raw = without("train.learning_rate")
    raw["train"]["learning_rat"] = 0.1
    assert "unknown parameter train.learning_rat; the nearest: train.learning_rate" in refusal(tmp_path, raw)


@pytest.mark.parametrize("key", ["seed", "crop.size", "split.fractions.test", "train.augment", "publish"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    assert f"parameter {key} is missing" in refusal(tmp_path, without(key))


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("seed", -1, "greater than or equal to 0"),
        ("seed", 1.5, "integer"),
        ("metadata.source", "google", "'sample' or 'openimages'"),
        ("metadata.max_per_class", "many", "integer"),
        ("metadata.max_per_class", 0, "greater than 0"),
        ("metadata.openimages.version", "v3", "'v4', 'v5', 'v6' or 'v7'"),
        ("metadata.openimages.subsets", [], "at least 1"),
        ("metadata.openimages.subsets", "train", "list"),
        ("download.retries", True, "integer"),
        ("download.concurrency", "64", "integer"),
        ("download.min_success", 1.01, "less than or equal to 1"),
        ("download.timeout_s", 0, "greater than 0"),
        ("download.timeout_s", float("inf"), "finite"),
        ("download.user_agent", "two\nlines", "pattern"),
        ("crop.size", 7, "greater than or equal to 8"),
        ("crop.size", 64.5, "integer"),
        ("train.threads", 257, "less than or equal to 256"),
        ("crop.resize", "squash", "'stretch', 'pad' or 'crop'"),
        ("crop", None, "a section of parameters"),
        ("crop", [1], "a section of parameters"),
        ("split.fractions.val", 0, "greater than 0"),
        ("train.learning_rate", "fast", "number"),
        ("train.learning_rate", True, "number"),
        ("train.learning_rate", float("nan"), "finite"),
        ("train.augment.flip", "yes", "boolean"),
        ("publish.package", "a/b/c", "pattern"),
    ],
)
def test_a_wrong_value_gives_key_rule_and_value(tmp_path: Path, key: str, value: Any, rule: str) -> None:
    message = refusal(tmp_path, changed(key, value))
    assert f"{key}: " in message
    assert rule in message
    assert message.endswith(f"received {value!r}")


def test_a_wrong_item_of_a_list_is_named(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed("crop.exclude", ["is_inside", "is_group"]))
    assert "crop.exclude.1: " in message
    assert "'is_group_of'" in message


def test_fractions_add_up(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed("split.fractions", {"train": 0.7, "val": 0.2, "test": 0.2}))
    assert message.endswith("split.fractions: the fractions add up to 1, received 1.1")
    thirds = dict.fromkeys(("train", "val", "test"), 1 / 3)
    assert load(tmp_path, changed("split.fractions", thirds)).split.fractions.val == 1 / 3


@pytest.mark.parametrize("text", ["1e-5", "1e-05", '"1e-05"', "0.00001", "1.0e-5", "1E-5"])
def test_a_small_number_may_be_written_in_any_way(tmp_path: Path, text: str) -> None:
    raw = yaml.safe_dump(changed("train.learning_rate", "HERE")).replace("HERE", text)
    assert load(tmp_path, raw).train.learning_rate == 1e-5


@given(value=st.floats(1e-12, 1e12), key=st.sampled_from(["train.learning_rate", "download.timeout_s"]))
def test_any_number_reads_back_as_python_writes_it(
    tmp_path_factory: pytest.TempPathFactory, value: float, key: str
) -> None:
    section, name = key.split(".")
    raw = yaml.safe_dump(changed(key, "HERE")).replace("HERE", repr(value))
    assert getattr(getattr(load(tmp_path_factory.getbasetemp(), raw), section), name) == value


def test_categories_are_a_list_or_a_mapping(tmp_path: Path) -> None:
    assert load(tmp_path, changed("metadata.categories", ["A", "B - C"])).metadata.categories == ["A", "B - C"]
    mapping = {"bread": "A + B", "no": "*"}
    assert load(tmp_path, changed("metadata.categories", mapping)).metadata.categories == mapping


@pytest.mark.parametrize("value", [3, [], {}, None, "Hamburger", True])
def test_other_kinds_of_categories_get_one_rule(tmp_path: Path, value: Any) -> None:
    message = refusal(tmp_path, changed("metadata.categories", value))
    assert "metadata.categories: a list of class expressions, or a mapping label: expression" in message
    assert message.endswith(f"received {value!r}")
    assert "list[" not in message


@pytest.mark.parametrize("text", ["[no, Yes]", "[on]", "[7]", "[7.5]", "{no: Banana}", "{a: 7}", "[2020-01-01]", "[~]"])
def test_names_that_yaml_takes_for_something_else_ask_for_quotes(tmp_path: Path, text: str) -> None:
    raw = yaml.safe_dump(changed("metadata.categories", "HERE")).replace("HERE", text)
    message = refusal(tmp_path, raw)
    assert "metadata.categories: a class is a text, received " in message
    assert "quotes" in message


@pytest.mark.parametrize(
    "value", ["", "ftp://host/x", "host/x", "http://", "http://h:99999", "http://[x", "http://a b/c", 3]
)
def test_a_bad_url_is_refused(tmp_path: Path, value: Any) -> None:
    message = refusal(tmp_path, changed("metadata.openimages.base_url", value))
    assert "metadata.openimages.base_url: " in message
    assert message.endswith(f"received {value!r}")


@pytest.mark.parametrize("value", ["http://127.0.0.1", "host:80", "[::1]", "a b", "", "host/path"])
def test_a_host_is_a_name_or_an_address(tmp_path: Path, value: str) -> None:
    message = refusal(tmp_path, changed("download.allow_hosts", ["127.0.0.1", value]))
    assert "download.allow_hosts.1: a host is a name or an address" in message


def test_hosts_are_compared_in_lower_case(tmp_path: Path) -> None:
    hosts = load(tmp_path, changed("download.allow_hosts", ["LocalHost", "::1", "127.0.0.1"])).download.allow_hosts
    assert hosts == ["localhost", "::1", "127.0.0.1"]


def test_a_slash_at_the_end_of_a_url_is_dropped(tmp_path: Path) -> None:
    params = load(tmp_path, changed("metadata.openimages.base_url", "http://127.0.0.1:8765/openimages/"))
    assert params.metadata.openimages.base_url == "http://127.0.0.1:8765/openimages"


@pytest.mark.parametrize("text", ["", "# nothing\n", "- seed\n- 3\n", "7\n", "text\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "the whole file: a section of parameters" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "a: [\n",
        "a: b: c\n",
        "\tseed: 3\n",
        "seed: \x00\n",
        "seed: 2001-99-99\n",
        "seed: " + "9" * 5000,
        "? [a]\n: 1\n",
        "[" * 20_000,
        "a: " * 20_000,
        "--- 1\n--- 2\n",
    ],
)
def test_broken_yaml_is_one_line(tmp_path: Path, text: str) -> None:
    assert "is not YAML: " in refusal(tmp_path, text)


def test_other_bytes_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"seed: \xff\xfe\n")
    with pytest.raises(UserError, match="is not YAML"):
        load_params(tmp_path / "params.yaml")


def test_a_missing_file_and_a_folder_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing; the commands run in the root"):
        load_params(tmp_path / "params.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        load_params(tmp_path)


def test_tags_that_make_objects_are_refused(tmp_path: Path) -> None:
    made = tmp_path / "made"
    message = refusal(
        tmp_path, f"seed: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{made}]]"
    )
    assert "is not YAML" in message
    assert not made.exists()


BOMBS = {
    "lists": "\n".join(["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]),
    "merges": "\n".join(
        ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    ),
    "itself": "a: &a [*a]",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_aliases_are_refused_before_they_grow(tmp_path: Path, bomb: str) -> None:
    assert "aliases (*name) are not taken" in refusal(tmp_path, bomb + "\n")


def test_a_large_file_stays_small_in_the_message(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed("seed", ["x" * 100] * 1000))
    assert "seed: " in message


def test_the_bombs_take_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(BOMBS["merges"] + "\n", encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from imageset.params import load_params; load_params(Path(sys.argv[1]))"
    )
    limit = 2 << 30

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=20,
        preexec_fn=limited,
        check=False,
    )
    assert "UserError" in done.stderr


@pytest.mark.parametrize(
    ("key", "value"), [("metadata.openimages.subsets", ["train", "train"]), ("crop.exclude", ["is_inside"] * 3)]
)
def test_a_choice_is_made_once(tmp_path: Path, key: str, value: list[str]) -> None:
    assert refusal(tmp_path, changed(key, value)).endswith(f"each is named once, received {value[0]} several times")


def test_crops_are_as_large_as_the_architecture_needs(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed("crop.size", 21))
    assert message.endswith("params.yaml: crop.size: plain_cnn needs 22 pixels or more, received 21")
    assert load(tmp_path, changed("crop.size", 22)).crop.size == 22


@pytest.mark.parametrize("text", [r"a\nb", r"a\0b", r"a\x1b[31m", r"\ud800", r"a\u2028b"])
@pytest.mark.parametrize("form", ['["{}", Apple]', '{{"{}": Apple, b: Banana}}', '{{a: "{}", b: Banana}}'])
def test_categories_have_no_control_characters(tmp_path: Path, form: str, text: str) -> None:
    raw = yaml.safe_dump(changed("metadata.categories", "HERE")).replace("HERE", form.format(text))
    assert "metadata.categories: a class has no control characters" in refusal(tmp_path, raw)


def test_categories_may_be_in_any_script(tmp_path: Path) -> None:
    mapping = {"B\u0153uf \u6f22\u5821 \U0001f354": "A", "no": "*"}
    assert load(tmp_path, changed("metadata.categories", mapping)).metadata.categories == mapping


def lists(section: dict[str, Any], prefix: str = "") -> dict[str, list[Any]]:
    found = {prefix + name: value for name, value in section.items() if isinstance(value, list)}
    for name, value in section.items():
        if isinstance(value, dict):
            found |= lists(value, f"{prefix}{name}.")
    return found


@pytest.mark.parametrize("key", lists(PLAIN))
def test_dvc_can_set_every_list_again_and_again(tmp_path: Path, key: str) -> None:
    """DVC writes lists as blocks; a comment that trails one would end up where YAML takes none."""
    path = tmp_path / "params.yaml"
    path.write_text(OURS.read_text(encoding="utf-8"), encoding="utf-8")
    for text, value in (("[]", []), ("[a,b c]", ["a", "b c"]), ("[]", []), ("[c]", ["c"])):
        apply_overrides(path, ["train.learning_rate=1e-3"])
        apply_overrides(path, [f"{key}={text}"])
        assert yaml.safe_load(path.read_text(encoding="utf-8")) == changed(key, value) | {
            "train": PLAIN["train"] | {"learning_rate": 0.001}
        }


def test_no_comment_trails_a_list_or_a_mapping() -> None:
    lines = OURS.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if re.search(r"(:|[]}])\s+#", line)]
