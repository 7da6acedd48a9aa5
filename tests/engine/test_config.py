"""Settings from the command line and from TOML: how they are read, and every way to get them wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest

from pipeline.config import ConfigError, changes, explanations, override, settings, written
from pipeline.fields import require


@dataclass(frozen=True)
class Optimizer:
    learning_rate: float = 0.1
    """how far a step goes"""
    name: Literal["adam", "sgd"] = "adam"
    decay: float | None = None
    betas: tuple[float, float] = (0.9, 0.999)


@dataclass(frozen=True)
class Training:
    epochs: int = 3
    """passes over
    the data"""
    warmup: int = 1
    optimizer: Optimizer = Optimizer()

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "epochs must be at least 1")
        require(self.warmup <= self.epochs, "warmup must not be longer than epochs")


@dataclass(frozen=True)
class Config:
    text: str = "text"
    label: str | None = None
    bold: bool = False
    place: Path = Path("here")
    sizes: tuple[int, ...] = (1, 2)
    names: tuple[str, ...] = ()
    level: Literal[1, 2] = 1
    odd: dict[str, int] = field(default_factory=dict)
    training: Training = Training()


def problems(*assignments: str, file: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        override(Config(), assignments, file)
    return list(caught.value.problems)


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    file = tmp_path / "settings.toml"
    file.write_text(
        'text = "body"\nbold = true\nsizes = [3, 4]\nlabel = "none"\n'
        "[training]\nepochs = 5\n[training.optimizer]\nlearning_rate = 1\n",
        encoding="utf-8",
    )
    return file


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("text=a b=c", "a b=c"),
        ("text=", ""),
        ("text=1", "1"),
        ("label=yes", "yes"),
        ("label=none", None),
        ("label=", None),
        ("bold=true", True),
        ("bold=False", False),
        ("place=a/b", Path("a/b")),
        ("sizes=5", (5,)),
        ("sizes=5, 6,7", (5, 6, 7)),
        ("sizes=", ()),
        ("names=a,b", ("a", "b")),
        ("training.epochs=7", 7),
        ("training.optimizer.learning_rate=1e-3", 0.001),
        ("training.optimizer.learning_rate=2", 2.0),
        ("training.optimizer.name=sgd", "sgd"),
        ("training.optimizer.decay=0.5", 0.5),
        ("training.optimizer.decay=none", None),
        ("training.optimizer.betas=0.8,0.9", (0.8, 0.9)),
    ],
)
def test_a_value_is_read_as_its_field_is_typed(assignment: str, value: object) -> None:
    path = assignment.partition("=")[0]
    found = dict(settings(override(Config(), [assignment])))[path]
    assert (found, type(found)) == (value, type(value))


def test_a_choice_among_numbers_can_be_made() -> None:
    assert override(Config(), ["level=2"]).level == 2


def test_nothing_changes_without_assignments() -> None:
    assert override(Config()) == Config()


def test_a_toml_file_is_read_as_its_fields_are_typed(toml: Path) -> None:
    found = override(Config(), file=toml)
    assert (found.text, found.bold, found.sizes, found.label) == ("body", True, (3, 4), None)
    assert (found.training.epochs, found.training.optimizer.learning_rate) == (5, 1.0)


def test_the_command_line_wins_over_the_file(toml: Path) -> None:
    found = override(Config(), ["training.epochs=9", "text=line"], toml)
    assert (found.training.epochs, found.text, found.bold) == (9, "line", True)


def test_names_with_commas_survive_toml(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('names = ["a, b", "c"]\n', encoding="utf-8")
    assert override(Config(), file=file).names == ("a, b", "c")


def test_the_last_of_two_assignments_wins() -> None:
    assert override(Config(), ["text=a", "text=b"]).text == "b"


@pytest.mark.parametrize("order", [1, -1])
def test_settings_that_only_fit_together_may_come_in_any_order(order: int) -> None:
    found = override(Config(), ["training.warmup=5", "training.epochs=8"][::order])
    assert (found.training.warmup, found.training.epochs) == (5, 8)


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("txt=a", "txt=a: no setting 'txt'; did you mean 'text'?"),
        ("training.epoch=1", "training.epoch=1: no setting 'epoch'; did you mean 'epochs'?"),
        ("training.zzz=1", "training.zzz=1: no setting 'zzz'; there are epochs, warmup, optimizer"),
        ("optimizr.name=sgd", "optimizr: no setting 'optimizr'; there are text, label"),
        ("text.x=1", "text: text has no settings of its own"),
        ("training=1", "training=1: training is a group of settings: epochs, warmup, optimizer"),
        ("training.epochs=3.0", "training.epochs=3.0: expected a whole number"),
        ("training.epochs=", "training.epochs=: expected a whole number"),
        ("training.epochs=many", "training.epochs=many: expected a whole number"),
        ("training.optimizer.learning_rate=fast", "expected a number"),
        ("training.optimizer.learning_rate=nan", "training.optimizer.learning_rate=nan: expected a number"),
        ("training.optimizer.learning_rate=inf", "expected a number"),
        ("training.optimizer.decay=x", "training.optimizer.decay=x: expected a number"),
        ("training.optimizer.name=adan", "training.optimizer.name=adan: expected adam or sgd"),
        ("training.optimizer.betas=0.9", "training.optimizer.betas=0.9: expected"),
        ("training.optimizer.betas=0.9,0.9,0.9", "training.optimizer.betas=0.9,0.9,0.9: expected"),
        ("bold=yes", "bold=yes: expected true or false"),
        ("level=3", "level=3: expected 1 or 2"),
        ("sizes=1,two", "sizes=1,two: expected a whole number"),
        ("odd=1", "odd=1: a dict cannot be set from outside the recipe"),
        ("text", "text: expected path=value, such as training.epochs=3"),
        ("=3", "=3: expected path=value"),
        ("training.epochs=0", "training.epochs=0: epochs must be at least 1"),
        ("training.warmup=9", "training.warmup=9: warmup must not be longer than epochs"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_what_can(assignment: str, problem: str) -> None:
    (found,) = problems(assignment)
    assert problem in found


@pytest.mark.parametrize("number", ["training.epochs=", "training.optimizer.learning_rate="])
def test_a_number_beyond_all_bounds_is_no_number(number: str) -> None:
    (found,) = problems(number + "9" * 400)
    assert "expected" in found


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("bald = true\n", encoding="utf-8")
    found = problems("training.epochs=x", "txt=a", "training.optimizer.name=b", "text", file=file)
    assert len(found) == 5
    assert all(any(part in line for line in found) for part in ("bald", "epochs=x", "txt=a", "name=b", "path=value"))


def test_a_refusal_and_a_wrong_type_are_told_together() -> None:
    assert len(problems("training.warmup=9", "training.optimizer.name=b")) == 2


def test_values_that_are_only_wrong_together_are_all_named() -> None:
    (found,) = problems("training.epochs=4", "training.warmup=5")
    assert found == "training.epochs=4, training.warmup=5: warmup must not be longer than epochs"


@pytest.mark.parametrize("order", [1, -1])
def test_a_group_set_as_a_whole_and_in_part_is_refused(order: int) -> None:
    found = problems(*["training=1", "training.epochs=2"][::order])
    assert any("training=1" in line or "training is set as a whole as well" in line for line in found)


def test_a_settings_file_that_is_missing_is_named(tmp_path: Path) -> None:
    (found,) = problems(file=tmp_path / "no.toml")
    assert found.startswith(str(tmp_path / "no.toml"))
    assert found.endswith("cannot be read (No such file or directory); --settings wants a TOML file")


@pytest.mark.parametrize("content", [b"epochs: 3", b"text = \xff"])
def test_a_settings_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "settings.toml").write_bytes(content)
    (found,) = problems(file=tmp_path / "settings.toml")
    assert found.startswith(f"{tmp_path / 'settings.toml'}: not TOML: ")


def test_what_is_written_can_be_read_back() -> None:
    config = override(Config(), ["bold=true", "sizes=7,8", "training.optimizer.decay=0.1", "text=x"])
    again = override(
        Config(), [f"{path}={written(value)}" for path, value in settings(config) if path not in ("odd", "level")]
    )
    assert again == config


def test_what_was_changed_can_be_set_again() -> None:
    changed = override(
        Config(), ["bold=true", "sizes=7,8", "label=b", "training.optimizer.decay=0.1", "training.epochs=9"]
    )
    changed = replace(changed, names=("Smith, J.", "Doe"))
    assert override(Config(), before=changes(changed, Config())) == changed != Config()
    assert changes(Config(), Config()) == {}


def test_every_setting_has_a_path() -> None:
    paths = [path for path, _ in settings(Config())]
    assert paths[:3] == ["text", "label", "bold"]
    assert paths[-1] == "training.optimizer.betas"


def test_a_setting_is_explained_by_the_text_below_it() -> None:
    texts = dict(explanations(Config()))
    assert texts["training.optimizer.learning_rate"] == "how far a step goes"
    assert texts["training.epochs"] == "passes over\nthe data"
    assert texts["text"] == ""
