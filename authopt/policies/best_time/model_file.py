"""The file of a best-time model: its features and its trees, as JSON."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from authopt.features.tabular import CategoryFeature, Feature, Features, NumberFeature
from authopt.policies.best_time.trees import Tree


class CategoryRecord(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="category"
):
    """A column of strings, with the values that have a code of their own."""

    name: str
    levels: tuple[str, ...]

    def feature(self) -> Feature:
        """As the features hold it."""
        return CategoryFeature(self.name, self.levels)


class NumberRecord(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="number"
):
    """A column of numbers, and its scale."""

    name: str
    log_scaled: bool
    edges: tuple[float, ...]
    low: float
    high: float

    def feature(self) -> Feature:
        """As the features hold it."""
        return NumberFeature(self.name, self.log_scaled, self.edges, self.low, self.high)


Record: TypeAlias = CategoryRecord | NumberRecord


class TreeRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tree, node by node, as ``Tree`` holds it."""

    column: tuple[int, ...]
    threshold: tuple[float, ...]
    codes: tuple[tuple[int, ...] | None, ...]
    missing_left: tuple[bool, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    def tree(self) -> Tree:
        """The tree; ValueError if it is none."""
        return Tree(**{name: getattr(self, name) for name in self.__struct_fields__})


class BestTimeFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="policy", tag="best-time"
):
    """The whole file."""

    rows: int
    mean_approval: float
    decision_features: tuple[Record, ...]
    attempt_features: tuple[Record, ...]
    baseline: float
    trees: tuple[TreeRecord, ...]
    version: Literal[1] = 1


def records(features: Features) -> tuple[Record, ...]:
    """Features as the file holds them."""
    return tuple(
        CategoryRecord(each.name, each.levels)
        if isinstance(each, CategoryFeature)
        else NumberRecord(each.name, each.log_scaled, each.edges, each.low, each.high)
        for each in features.features
    )


def tree_record(tree: Tree) -> TreeRecord:
    """A tree as the file holds it."""
    return TreeRecord(**{name: getattr(tree, name) for name in TreeRecord.__struct_fields__})
