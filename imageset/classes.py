"""The tree of classes, and class expressions: which class ids are wanted, and what each is called in this dataset.

Knows nothing of boxes or files; where a tree comes from is the business of `imageset.sources`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from imageset.errors import UserError, nearest

REST = "*"
REST_LABEL = "other"
_OPERATOR = re.compile(r"\s+([+-])\s+")


@dataclass(frozen=True)
class ClassNode:
    """One class.

    Attributes
    ----------
    id : str
        Such as ``/m/0cdn1``.
    name : str
        Such as ``Hamburger``.
    children : tuple of str
        Ids of the classes directly below it.
    boxes, images : int or None
        How many boxes of this class itself the source has, and on how many images; None where nobody counted.
    """

    id: str
    name: str
    children: tuple[str, ...] = ()
    boxes: int | None = None
    images: int | None = None


@dataclass(frozen=True)
class ClassTree:
    """All classes of a source. A class may have several parents; a cycle does no harm.

    Attributes
    ----------
    nodes : tuple of ClassNode
        Sorted by id, whatever their order when the tree is made.

    Raises
    ------
    UserError
        When two nodes have one id, or a child is no node.
    """

    nodes: tuple[ClassNode, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(sorted(self.nodes, key=lambda node: node.id)))
        twice = [class_id for class_id, count in Counter(node.id for node in self.nodes).items() if count > 1]
        if twice:
            raise UserError(f"a class tree names each id once; {twice[0]} stands there several times")
        for node in self.nodes:
            for child in node.children:
                if child not in self._by_id:
                    raise UserError(f"class {node.id} ({node.name}) has the child {child}, which is no class")

    @cached_property
    def _by_id(self) -> dict[str, ClassNode]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def _ids_by_name(self) -> dict[str, list[str]]:
        ids: dict[str, list[str]] = {}
        for node in self.nodes:
            ids.setdefault(node.name.casefold(), []).append(node.id)
        return ids

    def node(self, class_id: str) -> ClassNode:
        """The node of an id; `KeyError` when there is none."""
        return self._by_id[class_id]

    def ids(self, name: str) -> tuple[str, ...]:
        """The ids that a name or id stands for, sorted; letter case of names is ignored; empty when unknown."""
        if name in self._by_id:
            return (name,)
        return tuple(self._ids_by_name.get(name.casefold(), ()))

    def descendants(self, class_id: str) -> dict[str, int]:
        """The class itself and every class below it, with the number of steps down to each.

        Returns
        -------
        dict of str to int
            Nearest first; the class itself comes first, with 0.
        """
        steps = {class_id: 0}
        queue = [class_id]
        for current in queue:
            for child in self._by_id[current].children:
                if child not in steps:
                    steps[child] = steps[current] + 1
                    queue.append(child)
        return steps

    def to_json(self) -> dict[str, Any]:
        """The tree as plain values, for `classes.json`."""
        return {"classes": [{**asdict(node), "children": list(node.children)} for node in self.nodes]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ClassTree:
        """The tree that `to_json` wrote."""
        return cls(
            tuple(ClassNode(**{**row, "children": tuple(row["children"])}) for row in value["classes"]),
        )


@dataclass(frozen=True)
class Labelling:
    """What each class id is called in this dataset.

    Attributes
    ----------
    label_of : dict of str to str
        Class id to label, of every class that an expression names.
    rest : str or None
        Label of all other classes, or None when they are not wanted.
    """

    label_of: dict[str, str]
    rest: str | None

    def label(self, class_id: str) -> str | None:
        """The label of a class id, or None when the class is not wanted."""
        return self.label_of.get(class_id, self.rest)

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, sorted."""
        return tuple(sorted({*self.label_of.values(), *([self.rest] if self.rest is not None else [])}))


def resolve(categories: list[str] | dict[str, str], tree: ClassTree) -> Labelling:
    """Give every class id that is wanted its label.

    Parameters
    ----------
    categories : list of str or dict of str to str
        Class expressions, or label -> expression. ``Sandwich`` (a name, in any letter case, or an id) means the
        class and all its descendants, ``A - B`` takes B's away, ``A + B`` joins, read from left to right; ``*`` alone
        is every class that no other expression wants. In a list the label is the name of the class that the
        expression starts with, and ``other`` for ``*``.
    tree : ClassTree
        The classes of the source.

    Returns
    -------
    Labelling
        A class that several expressions want goes to the one that names it most specifically: that names a class
        below the one that the other names or, where neither is below the other, fewer steps up the tree.

    Raises
    ------
    UserError
        For an unknown name (with the nearest ones), a name of several ids, an expression that is none or leaves no
        class, a label given twice, fewer than two labels, and a class that two expressions want equally.
    """
    expressions = categories if isinstance(categories, dict) else _labelled(categories, tree)
    rest = [label for label, expression in expressions.items() if expression.strip() == REST]
    if len(rest) > 1:
        raise UserError(f"only one category can be {REST}, received {' and '.join(rest)}")
    if len(expressions) < 2:
        received = ", ".join(expressions) or "none"
        raise UserError(f"a classifier needs two categories or more, received {received}; {REST} is the rest")
    claims: dict[str, set[tuple[str, str]]] = {}
    for label, expression in expressions.items():
        for class_id, named in _evaluate(expression, tree).items() if label not in rest else ():
            claims.setdefault(class_id, set()).update((label, root) for root in named)
    below = {root: tree.descendants(root) for root in {root for claim in claims.values() for _, root in claim}}
    label_of = {class_id: _most_specific(class_id, claims[class_id], below, tree) for class_id in sorted(claims)}
    return Labelling(label_of, rest[0] if rest else None)


def search(tree: ClassTree, query: str = "") -> list[str]:
    """The classes whose name or id contains a text, as lines of an indented tree with counts.

    Parameters
    ----------
    tree : ClassTree
    query : str, default=""
        Letter case is ignored. Empty: all classes.

    Returns
    -------
    list of str
        The classes that match, what is above and below them, parents before children, siblings by name; a class with
        several parents is unfolded once. When nothing matches, one line with the nearest names.
    """
    text = query.casefold()
    found = [node.id for node in tree.nodes if text in node.name.casefold() or text == node.id.casefold()]
    if not found:
        return [f"no class has {query!r} in its name{nearest(query, (node.name for node in tree.nodes))}"]
    shown = {class_id for match in found for class_id in tree.descendants(match)} | _ancestors(found, tree)
    return _draw(tree, shown)


def _labelled(expressions: list[str], tree: ClassTree) -> dict[str, str]:
    labelled: dict[str, str] = {}
    for expression in expressions:
        if expression.strip() == REST:
            label = REST_LABEL
        else:
            label = tree.node(_class_id(_terms(expression, tree)[0][1], tree)).name
        if label in labelled:
            other = labelled[label]
            raise UserError(
                f"each label is given once; {expression!r} and {other!r} are both {label}: "
                "write categories as a mapping, label: expression"
            )
        labelled[label] = expression
    return labelled


def _terms(expression: str, tree: ClassTree) -> list[tuple[str, str]]:
    """Take an expression apart: operator and class of each term, the first with a plus."""
    if tree.ids(expression.strip()):
        return [("+", expression.strip())]
    parts = ["+", *_OPERATOR.split(expression.strip())]
    return list(zip(parts[::2], parts[1::2], strict=True))


def _class_id(name: str, tree: ClassTree) -> str:
    ids = tree.ids(name)
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise UserError(f"{name!r} is the name of several classes; write one of their ids: {', '.join(ids)}")
    if name == REST:
        raise UserError(f"{REST} stands alone: it is every class that no other category wants")
    near = nearest(name, (node.name for node in tree.nodes)) or nearest(name, (node.id for node in tree.nodes))
    raise UserError(f"unknown class {name!r}{near}")


def _evaluate(expression: str, tree: ClassTree) -> dict[str, set[str]]:
    """The class ids of an expression, each with the classes named in it that it was reached from."""
    roots: dict[str, set[str]] = {}
    for operator, name in _terms(expression, tree):
        named = _class_id(name, tree)
        for class_id in tree.descendants(named):
            if operator == "+":
                roots.setdefault(class_id, set()).add(named)
            else:
                roots.pop(class_id, None)
    if not roots:
        raise UserError(f"no class is left of {expression!r}; what it takes away holds all that it names")
    return roots


def _most_specific(
    class_id: str, claims: set[tuple[str, str]], below: dict[str, dict[str, int]], tree: ClassTree
) -> str:
    """Choose among the labels that want a class, each by a class that its expression names.

    `below` has the descendants of every named class, and the steps down to each.
    """
    named = {root for _, root in claims}
    deepest = {root for root in named if not any(other in below[root] and root not in below[other] for other in named)}
    fewest = min(below[root][class_id] for root in deepest)
    best = sorted({label for label, root in claims if root in deepest and below[root][class_id] == fewest})
    if len(best) > 1:
        name = tree.node(class_id).name
        raise UserError(
            f"{name} ({class_id}) is wanted by {best[0]} and by {best[1]}, and neither is more specific; "
            f"take it away from one of them: ... - {name}"
        )
    return best[0]


def _ancestors(class_ids: Iterable[str], tree: ClassTree) -> set[str]:
    parents: dict[str, list[str]] = {}
    for node in tree.nodes:
        for child in node.children:
            parents.setdefault(child, []).append(node.id)
    found: set[str] = set()
    queue = list(class_ids)
    while queue:
        new = set(parents.get(queue.pop(), ())) - found
        found |= new
        queue += new
    return found


def _draw(tree: ClassTree, shown: set[str]) -> list[str]:
    """Lines of the classes in `shown`, from the tops of the tree downwards."""
    children = {child for node in tree.nodes for child in node.children}
    by_name = sorted(shown, key=lambda class_id: (tree.node(class_id).name.casefold(), class_id))
    place = {class_id: number for number, class_id in enumerate(by_name)}
    # After the tops every class once more, so that one in a cycle without a top is not left out.
    tops = [class_id for class_id in by_name if class_id not in children] + by_name
    lines: list[str] = []
    unfolded: set[str] = set()
    for top in tops:
        stack = [] if top in unfolded else [(0, top)]
        while stack:
            depth, class_id = stack.pop()
            again = class_id in unfolded
            lines.append("  " * depth + _line(tree, class_id) + (" (see above)" if again else ""))
            if not again:
                unfolded.add(class_id)
                below = sorted(set(tree.node(class_id).children) & shown, key=place.__getitem__, reverse=True)
                stack += [(depth + 1, child) for child in below]
    return lines


def _line(tree: ClassTree, class_id: str) -> str:
    node = tree.node(class_id)
    line = f"{node.name}  {node.id}"
    if node.boxes is None:
        return line
    line += f"  {node.boxes:,} boxes" + (f" on {node.images:,} images" if node.images is not None else "")
    if node.children:
        line += f", {sum(tree.node(below).boxes or 0 for below in tree.descendants(class_id)):,} with all below"
    return line
