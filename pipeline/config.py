"""Settings: frozen dataclasses, changed by ``path.to.field=value``."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pipeline.errors import UserError, nearest

T = TypeVar("T")
LARGEST = 1e300  # what a setting can be

Text = str | list[str]  # of one value, or of several
Tree = dict[str, Any]  # field: Text to be read as the field is typed, or a Tree


class ConfigError(UserError):
    """Settings that cannot be used, all problems at once."""


def override(
    config: T, assignments: Sequence[str] = (), file: Path | None = None, before: Mapping[str, Text] | None = None
) -> T:
    """``config`` with the settings of ``before``, then of a TOML file, then each ``path=value``, read as their fields are
    typed.

    Everything is set before anything is checked, so the order does not matter.

    Raises:
        ConfigError: with every problem found, each with its path, what was received and what is possible.
    """
    problems: list[str] = []
    changes: Tree = {}
    for path, value in [*(before or {}).items(), *(_toml(file) if file else []), *_assigned(assignments, problems)]:
        _plant(changes, path, value, problems)
    changed: T = _replace(config, changes, "", problems)
    if problems:
        raise ConfigError(*problems)
    return changed


def settings(config: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting with its dotted path."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        dotted = f"{path}.{field.name}".lstrip(".")
        if dataclasses.is_dataclass(value):
            yield from settings(value, dotted)
        else:
            yield dotted, value


def changes(config: Any, default: Any) -> dict[str, Text]:
    """The settings that differ from ``default``, as :func:`override` takes them."""
    before = dict(settings(default))
    return {
        path: [written(item) for item in value] if isinstance(value, tuple | list) else written(value)
        for path, value in settings(config)
        if path not in before or value != before[path]
    }


def explanations(config: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every setting's dotted path with the text that stands below its field in the source."""
    texts = _field_texts(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        dotted = f"{path}.{field.name}".lstrip(".")
        if dataclasses.is_dataclass(value):
            yield from explanations(value, dotted)
        else:
            yield dotted, texts.get(field.name, "")


def written(value: Any) -> str:
    """A setting's value as it would be typed after ``path=``."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(written, value))
    return str(value)


def _field_texts(kind: type) -> dict[str, str]:
    """Of all fields, those of a dataclass that ``kind`` adds to included."""
    above = [base for base in reversed(kind.__mro__) if dataclasses.is_dataclass(base)]
    return {name: text for base in above for name, text in _own_texts(base).items()}


def _own_texts(kind: type) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    texts = {}
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = inspect.cleandoc(text)
    return texts


def _assigned(assignments: Sequence[str], problems: list[str]) -> Iterator[tuple[str, str]]:
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if equals and path:
            yield path.strip(), text
        else:
            problems.append(f"{assignment}: expected path=value, such as training.epochs=3")


def _toml(file: Path) -> Iterator[tuple[str, Text]]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}); --settings wants a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML: {error}") from None
    yield from _leaves(table, "")


def _leaves(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, Text]]:
    for name, value in table.items():
        dotted = f"{path}.{name}".lstrip(".")
        if isinstance(value, dict):
            yield from _leaves(value, dotted)
        else:
            yield dotted, [written(item) for item in value] if isinstance(value, list) else written(value)


def _plant(changes: Tree, path: str, value: Text, problems: list[str]) -> None:
    *groups, name = path.split(".")
    for group in groups:
        changes = changes.setdefault(group, {})
        if not isinstance(changes, dict):
            problems.append(f"{path}={value}: {group} is set as a whole as well")
            return
    changes[name] = value


def _replace(config: Any, changes: Tree, path: str, problems: list[str]) -> Any:
    """``config`` with ``changes``; what cannot be set is said in ``problems`` and left as it is."""
    hints = get_type_hints(type(config)) if changes else {}
    new = {}
    for name, change in changes.items():
        dotted = f"{path}.{name}".lstrip(".")
        shown = dotted if isinstance(change, dict) else f"{dotted}={change}"
        try:
            new[name] = _changed(config, hints, name, change, dotted, problems)
        except ValueError as problem:
            problems.append(f"{shown}: {problem}")
    try:
        return dataclasses.replace(config, **new) if new else config
    except ValueError as problem:
        values = {name: written(value) for name, value in new.items() if not dataclasses.is_dataclass(value)}
        given, told = ", ".join(f"{path}.{name}={value}".lstrip(".") for name, value in values.items()), str(problem)
        for name, value in values.items():
            told = told.removeprefix(f"{name}={value}: ")  # it is said with its whole path
        problems.append(f"{given}: {told}" if len(values) == len(new) else str(problem))
        return config


def _changed(config: Any, hints: Mapping[str, Any], name: str, change: Any, path: str, problems: list[str]) -> Any:
    if name not in hints:
        raise ValueError(f"no setting {name!r}; {nearest(name, hints)}")
    value = getattr(config, name)
    group = dataclasses.is_dataclass(value)
    if isinstance(change, dict):
        if not group:
            raise ValueError(f"{name} has no settings of its own")
        return _replace(value, change, path, problems)
    if group:
        names = ", ".join(f.name for f in dataclasses.fields(value))
        raise ValueError(f"{name} is a group of settings: {names}")
    return _parse(change, hints[name])


def _parse(text: Text, kind: Any) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if NoneType in args and text in ("", "none"):
            return None
        return _first_that_fits(text, [a for a in args if a is not NoneType])
    if origin is tuple:
        return _several(text, args)
    if isinstance(text, list):
        raise ValueError("expected one value, not a list")
    if origin is Literal:
        return {written(choice): choice for choice in args}[_choice(text, list(map(written, args)))]
    if kind is bool:
        return _choice(text.lower(), ["true", "false"]) == "true"
    if kind is int:
        return _number(text, int, "a whole number")
    if kind is float:
        return _number(text, float, "a number")
    if kind in (str, Path):
        return kind(text)
    raise ValueError(f"a {getattr(kind, '__name__', kind)} cannot be set from outside the recipe")


def _several(text: Text, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values for ``tuple[kind, ...]`` or ``tuple[kind, kind]``: a list, or text with commas."""
    items = text if isinstance(text, list) else [item.strip() for item in text.split(",") if item.strip()]
    if kinds[-1:] == (...,):
        kinds = kinds[:1] * len(items)
    if len(items) != len(kinds):
        raise ValueError(f"expected {len(kinds)} values with commas between them")
    return tuple(_parse(item, kind) for item, kind in zip(items, kinds, strict=True))


def _first_that_fits(text: Text, kinds: Sequence[Any]) -> Any:
    problems = []
    for kind in kinds:
        try:
            return _parse(text, kind)
        except ValueError as problem:
            problems.append(str(problem))
    raise ValueError(" or ".join(problems))


def _choice(text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        raise ValueError(f"expected {' or '.join(choices)}")
    return text


def _number(text: str, kind: type, name: str) -> Any:
    try:
        number = kind(text)
    except ValueError:
        raise ValueError(f"expected {name}") from None
    if not abs(number) < LARGEST:
        raise ValueError(f"expected {name}")
    return number
