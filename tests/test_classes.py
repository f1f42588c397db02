from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageset.classes import ClassNode, ClassTree, Labelling, resolve, search
from imageset.errors import UserError

# A toy is both a tool and fun; T-shirt and St. Bernard have signs that expressions use, or could.
TREE = ClassTree(
    (
        ClassNode("/m/entity", "Entity", ("/m/food", "/m/dog", "/m/shirt", "/m/tool", "/m/fun"), 0, 0),
        ClassNode("/m/food", "Food", ("/m/sandwich", "/m/hotdog", "/m/apple"), 1, 1),
        ClassNode("/m/sandwich", "Sandwich", ("/m/hamburger", "/m/sub"), 2, 2),
        ClassNode("/m/hamburger", "Hamburger", (), 1000, 3),
        ClassNode("/m/sub", "Submarine sandwich", (), 4, 4),
        ClassNode("/m/hotdog", "Hot dog", (), 5, 5),
        ClassNode("/m/apple", "Apple", (), 6, 6),
        ClassNode("/m/dog", "St. Bernard"),
        ClassNode("/m/shirt", "T-shirt"),
        ClassNode("/m/tool", "Tool", ("/m/toy",)),
        ClassNode("/m/fun", "Fun", ("/m/toy",)),
        ClassNode("/m/toy", "Toy", ("/m/yoyo",)),
        ClassNode("/m/yoyo", "Yo-yo"),
        ClassNode("n1", "hotdog"),
        ClassNode("n2", "hotdog"),
    )
)


def test_nodes_are_sorted_and_found_by_id_and_by_name_in_any_case():
    assert [node.id for node in TREE.nodes] == sorted(node.id for node in TREE.nodes)
    assert TREE.node("/m/sub").name == "Submarine sandwich"
    assert TREE.ids("submarine SANDWICH") == ("/m/sub",)
    assert TREE.ids("/m/sub") == ("/m/sub",)
    assert TREE.ids("Hotdog") == ("n1", "n2")
    assert TREE.ids("Sub") == ()


def test_descendants_come_nearest_first():
    assert TREE.descendants("/m/food") == {
        "/m/food": 0,
        "/m/sandwich": 1,
        "/m/hotdog": 1,
        "/m/apple": 1,
        "/m/hamburger": 2,
        "/m/sub": 2,
    }
    assert next(iter(TREE.descendants("/m/food"))) == "/m/food"


def test_a_tree_goes_through_json_unchanged():
    assert ClassTree.from_json(json.loads(json.dumps(TREE.to_json()))) == TREE


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((ClassNode("a", "A"), ClassNode("a", "B")), "a stands there several times"),
        ((ClassNode("a", "A", ("b",)),), "child b, which is no class"),
    ],
)
def test_a_broken_tree_is_refused(nodes: tuple[ClassNode, ...], message: str):
    with pytest.raises(UserError, match=message):
        ClassTree(nodes)


def test_a_class_means_itself_and_what_is_below_it():
    labelling = resolve(["sandwich", "/m/apple"], TREE)
    assert labelling == Labelling(
        {"/m/sandwich": "Sandwich", "/m/hamburger": "Sandwich", "/m/sub": "Sandwich", "/m/apple": "Apple"}, None
    )
    assert labelling.label("/m/hotdog") is None
    assert labelling.labels == ("Apple", "Sandwich")


def test_the_most_specific_expression_gets_a_class():
    labelling = resolve(["Food", "Hamburger", "Sandwich"], TREE)
    assert labelling.label("/m/hamburger") == "Hamburger"
    assert labelling.label("/m/sub") == "Sandwich"
    assert labelling.label("/m/apple") == "Food"
    assert resolve(["Sandwich", "Hamburger", "Food"], TREE).label_of == labelling.label_of


def test_a_subtree_can_be_taken_away():
    labelling = resolve(["Sandwich - Hamburger", "Hot dog"], TREE)
    assert labelling.label_of == {"/m/sandwich": "Sandwich", "/m/sub": "Sandwich", "/m/hotdog": "Hot dog"}


def test_expressions_are_read_from_left_to_right():
    labelling = resolve({"meal": "Food - Sandwich + Hamburger", "rest": "*"}, TREE)
    assert set(labelling.label_of) == {"/m/food", "/m/hotdog", "/m/apple", "/m/hamburger"}
    labelling = resolve({"meal": "Hamburger + Food - Sandwich", "rest": "*"}, TREE)
    assert set(labelling.label_of) == {"/m/food", "/m/hotdog", "/m/apple"}


def test_the_rest_is_every_class_that_no_other_wants():
    labelling = resolve({"not": "*", "sandwich": "Sandwich - Hamburger"}, TREE)
    assert labelling.label("/m/sandwich") == "sandwich"
    assert labelling.label("/m/hamburger") == "not"
    assert labelling.label("a class that the tree does not know") == "not"
    assert labelling.labels == ("not", "sandwich")
    assert resolve(["Apple", "*"], TREE).labels == ("Apple", "other")


def test_names_may_have_hyphens_and_dots():
    assert resolve(["T-shirt", "St. Bernard - Apple", "Yo-yo"], TREE).labels == ("St. Bernard", "T-shirt", "Yo-yo")


def test_a_name_with_an_operator_in_it_is_a_name_first():
    tree = ClassTree((ClassNode("a", "Salt - pepper"), ClassNode("b", "Salt"), ClassNode("c", "pepper")))
    assert resolve(["Salt - pepper", "Salt"], tree).label_of == {"a": "Salt - pepper", "b": "Salt"}


def test_of_two_parents_the_nearer_gets_the_class():
    assert resolve({"deep": "Toy", "wide": "Tool"}, TREE).label("/m/yoyo") == "deep"
    tree = ClassTree(
        (
            ClassNode("far", "Far", ("step",)),
            ClassNode("near", "Near", ("leaf",)),
            ClassNode("step", "Step", ("leaf",)),
            ClassNode("leaf", "Leaf"),
        )
    )
    assert resolve(["Far", "Near"], tree).label("leaf") == "Near"


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        (["Tool", "Fun"], r"Toy \(/m/toy\) is wanted by Fun and by Tool"),
        ({"a": "Apple", "b": "Apple + Hot dog"}, r"Apple \(/m/apple\) is wanted by a and by b.*\.\.\. - Apple"),
        (["Apple", "hotdog"], "several classes; write one of their ids: n1, n2"),
        (["Appel", "Hot dog"], "unknown class 'Appel'; the nearest: Apple"),
        (["Sandwich-Hamburger", "Apple"], "unknown class 'Sandwich-Hamburger'; the nearest: .*Hamburger"),
        (["Apple", "Sandwich", "Sandwich - Hamburger"], "both Sandwich: write categories as a mapping"),
        (["Apple", "apple"], "each label is given once"),
        (["Apple"], "two categories or more, received Apple"),
        ({"all": "*"}, "two categories or more, received all"),
        ({"a": "*", "b": " * "}, r"only one category can be \*, received a and b"),
        ({"a": "* - Apple", "b": "Hot dog"}, r"\* stands alone"),
        ({"a": "Apple - Food", "b": "Hot dog"}, "no class is left of 'Apple - Food'"),
        (["N1", "Apple"], "unknown class 'N1'; the nearest: n1"),
        (["", "Apple"], "unknown class ''"),
        (["- Apple", "Hot dog"], "unknown class '- Apple'"),
        (["Apple -", "Hot dog"], "unknown class 'Apple -'"),
    ],
)
def test_what_cannot_be_resolved_is_said(categories: list[str] | dict[str, str], message: str):
    with pytest.raises(UserError, match=message):
        resolve(categories, TREE)


def test_cycles_do_no_harm():
    tree = ClassTree((ClassNode("a", "A", ("b",)), ClassNode("b", "B", ("a",)), ClassNode("c", "C")))
    assert resolve(["A - B", "C"], ClassTree((ClassNode("a", "A"), ClassNode("b", "B"), ClassNode("c", "C"))))
    assert resolve(["A", "B"], tree).label_of == {"a": "A", "b": "B"}
    assert search(tree) == ["C  c", "A  a", "  B  b", "    A  a (see above)"]


def test_search_shows_what_is_above_and_below_with_counts():
    assert search(TREE, "sandWICH") == [
        "Entity  /m/entity  0 boxes on 0 images, 1,018 with all below",
        "  Food  /m/food  1 boxes on 1 images, 1,018 with all below",
        "    Sandwich  /m/sandwich  2 boxes on 2 images, 1,006 with all below",
        "      Hamburger  /m/hamburger  1,000 boxes on 3 images",
        "      Submarine sandwich  /m/sub  4 boxes on 4 images",
    ]


def test_search_without_a_match_names_the_nearest():
    assert search(TREE, "hamburgr") == ["no class has 'hamburgr' in its name; the nearest: Hamburger"]


def test_search_unfolds_a_class_with_two_parents_once():
    lines = search(TREE, "yo-yo")
    assert [line.strip() for line in lines if "Yo-yo" in line] == ["Yo-yo  /m/yoyo"]
    assert [line.strip() for line in lines if "Toy" in line] == ["Toy  /m/toy", "Toy  /m/toy (see above)"]
    assert len(search(TREE)) == len(TREE.nodes) + 1


@st.composite
def trees(draw: st.DrawFn) -> ClassTree:
    """Any graph: several parents, several tops, cycles."""
    ids = [f"c{number}" for number in range(draw(st.integers(2, 8)))]
    below = st.lists(st.sampled_from(ids), max_size=3, unique=True)
    return ClassTree(tuple(ClassNode(class_id, f"name {class_id}", tuple(draw(below))) for class_id in ids))


@given(trees())
def test_two_classes_are_resolved_by_rule_or_refused(tree: ClassTree):
    first, second = tree.nodes[0], tree.nodes[1]
    below = {node.id: tree.descendants(node.id) for node in (first, second)}
    try:
        labelling = resolve([first.name, second.name], tree)
    except UserError as error:
        assert "neither is more specific" in str(error)  # noqa: PT017 (some trees are refused, some are not)
        return
    assert set(labelling.label_of) == set(below[first.id]) | set(below[second.id])
    assert labelling.label(first.id) == first.name
    assert labelling.label(second.id) == second.name
    for class_id, label in labelling.label_of.items():
        assert class_id in below[first.id if label == first.name else second.id]


@given(trees())
def test_search_names_every_class_unfolded_once(tree: ClassTree):
    unfolded = [line for line in search(tree) if not line.endswith("(see above)")]
    assert sorted(line.split("  ")[-1] for line in unfolded) == [node.id for node in tree.nodes]
