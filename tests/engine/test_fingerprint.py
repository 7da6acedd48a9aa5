"""Settings that differ get different keys, equal ones the same, and what cannot be told apart is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from pipeline.fingerprint import NoFingerprint, dependencies, key
from pipeline.memo import Memo
from pipeline.step import Step
from tests.engine.resources import others, settings
from tests.engine.resources.settings import Box, Colour, Crate, Standing, stage

Key = Callable[[Any], str]


@pytest.fixture
def of(tmp_path: Path) -> Key:
    """The key of a step with this value among its settings."""
    memo = Memo(tmp_path / "memo.json")
    return lambda value: key(dependencies(Step(stage, Box(value)), {}, memo))


def test_values_that_differ_in_type_only_have_different_keys(of: Key) -> None:
    values = [1, "1", True, 1.0, None, "none", "", [1], [], {}, {"1": 1}, 0, 0.0, -0.0, False]
    for one, other in combinations(values, 2):
        assert of(one) != of(other), f"{one!r} and {other!r}"


def test_equal_values_have_equal_keys(of: Key) -> None:
    assert of({"a": 1, "b": [2, None]}) == of({"b": [2, None], "a": 1})
    assert of(Crate((1, 2))) == of(Crate((1, 2)))
    assert of("é") == of("é")


def test_values_inside_values_count(of: Key) -> None:
    assert of(Crate([{"a": 1}])) != of(Crate([{"a": 1.0}]))
    assert of([[1], 2]) != of([1, [2]])
    assert of({"a": {"b": 1}}) != of({"a": 1, "b": 1})


def test_the_kind_of_settings_counts(of: Key) -> None:
    assert of(Crate(1)) != of(Box(1))


def test_a_neutral_setting_does_not_count(of: Key) -> None:
    assert of(Box(1, idle=1)) == of(Box(1, idle=2))


def test_a_neutral_setting_may_be_anything(of: Key) -> None:
    assert of(Standing("x", 1, idle={1, 2})) == of(Standing("x", 1, idle=math.nan))


@pytest.mark.parametrize(
    "value",
    [{1, 2}, frozenset(), object(), b"bytes", 1j, math.nan, math.inf, range(3), len, {1: 2}, Box().__init__],
    ids=lambda value: type(value).__name__,
)
def test_a_value_without_a_stable_identity_is_refused_by_its_place(of: Key, value: Any) -> None:
    with pytest.raises(NoFingerprint, match=r"Box\.value\.value = .* has no fingerprint, being of type \w+; use plain"):
        of(Crate(value))
    with pytest.raises(NoFingerprint, match=r"Box\.value\[1\]\.name = "):
        of([1, {"name": value}])


@pytest.mark.parametrize(
    "value",
    [lambda x: x, settings.made_inside(), settings.local_class(), settings.local_class()()],
    ids=["lambda", "function", "class", "value"],
)
def test_what_is_defined_inside_a_function_is_refused(of: Key, value: Any) -> None:
    with pytest.raises(NoFingerprint, match=r"Box\.value"):
        of(value)


def test_a_stage_must_be_at_the_top_of_a_module(tmp_path: Path) -> None:
    for each in (settings.stage_inside(), settings.Machine().stage):
        step = Step(each, None, name="work")
        with pytest.raises(NoFingerprint, match="the stage of work must be a function at the top of a module"):
            dependencies(step, {}, Memo(tmp_path / "memo.json"))


def test_a_path_counts_by_content_not_by_place(of: Key, tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("same", encoding="utf-8")
    other.write_text("same", encoding="utf-8")
    before = of(one)
    assert before == of(other)
    one.write_text("else", encoding="utf-8")
    assert of(one) != before
    assert of(one) != of(str(one))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("one", encoding="utf-8")
    (folder / "deep" / "b.txt").write_text("two", encoding="utf-8")
    return folder


def test_a_folder_counts_by_the_names_and_content_in_it(of: Key, tree: Path) -> None:
    before = of(tree)
    assert of(tree.rename(tree.with_name("moved"))) == before
    tree.with_name("moved").rename(tree)
    (tree / "a.txt").rename(tree / "c.txt")
    assert of(tree) != before
    (tree / "c.txt").rename(tree / "a.txt")
    assert of(tree) == before
    (tree / "deep" / "b.txt").write_text("TWO", encoding="utf-8")
    assert of(tree) != before


def test_a_file_moved_into_a_subfolder_changes_a_folder(of: Key, tree: Path) -> None:
    before = of(tree)
    (tree / "a.txt").rename(tree / "deep" / "a.txt")
    assert of(tree) != before


def test_a_file_more_changes_a_folder(of: Key, tree: Path) -> None:
    before = of(tree)
    (tree / "empty").touch()
    assert of(tree) != before


def test_a_path_where_nothing_is_is_refused(of: Key, tmp_path: Path) -> None:
    with pytest.raises(NoFingerprint, match=r"Box\.value.*missing\.csv"):
        of(tmp_path / "missing.csv")


def test_settings_may_say_what_stands_for_them(of: Key) -> None:
    assert of(Standing("here", 1)) == of(Standing("there", 1))
    assert of(Standing("here", 1)) != of(Standing("here", 2))


def test_what_stands_for_a_setting_may_be_a_path(of: Key, tree: Path) -> None:
    before = of(Standing("here", tree / "a.txt"))
    (tree / "a.txt").write_text("changed", encoding="utf-8")
    assert of(Standing("here", tree / "a.txt")) != before


def test_members_of_an_enum_count_by_name(of: Key) -> None:
    assert len({of(Colour.RED), of(Colour.ROUGE), of(1), of("red"), of("RED")}) == 5


def test_a_member_of_an_enum_of_numbers_is_no_number(of: Key) -> None:
    assert of(settings.Level.LOW) != of(1)


def test_functions_and_classes_count_by_name_and_code(of: Key) -> None:
    assert len({of(settings.plus), of(settings.minus), of(Box), of(Crate), of("plus"), of(int)}) == 6


def test_the_code_of_a_function_among_the_settings_counts(tmp_path: Path) -> None:
    found = dependencies(Step(stage, Box(settings.plus)), {}, Memo(tmp_path / "memo.json"))
    names = {name.partition(":")[2] for name in found["code"]}
    assert {"stage", "Box", "plus"} <= names
    assert "minus" not in names


def test_the_content_of_inputs_counts(tmp_path: Path) -> None:
    memo = Memo(tmp_path / "memo.json")
    one, other = (key(dependencies(Step(stage, None), {"data": digest}, memo)) for digest in ("aa", "bb"))
    assert one != other


def test_where_code_is_written_is_no_part_of_the_key() -> None:
    depends = {"stage": "s", "code": {"a:f": "1", "a:g": "2"}, "imports": {}}
    assert key(depends) == key({**depends, "code": {"b:g": "2", "b:f": "1"}})
    assert key(depends) != key({**depends, "code": {"a:f": "1"}})


def test_functions_of_one_name_are_told_apart_by_their_modules(of: Key) -> None:
    pairs = [[settings.plus, others.plus], [others.plus, settings.plus], [settings.plus] * 2, [others.plus] * 2]
    assert len({of(pair) for pair in pairs}) == 4


def test_a_linked_folder_counts_by_the_files_in_it(of: Key, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "c.txt").write_text("three", encoding="utf-8")
    (tree / "linked").symlink_to(tmp_path / "far")
    (tree / "deep" / "itself").symlink_to(tree)
    before = of(tree)
    (tmp_path / "far" / "c.txt").write_text("THREE", encoding="utf-8")
    assert of(tree) != before
