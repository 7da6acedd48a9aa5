"""Sentences with semantic roles: an example for each predicate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Corpus
from pipeline.corpora.tagging import _marked
from pipeline.tasks.roles import RoleLabelling
from tests.conftest import Cli
from tests.stages.conftest import Gather, assert_refused, laid, put, refusing, tagged

WORDS = ["Anna", "fed", "the", "cat", "and", "slept", "."]
ARGS = {"start": [0, 2], "end": [0, 3], "label": ["ARG0", "ARG1"]}
FED = [("Anna", "B-ARG0"), ("fed", "O"), ("the", "B-ARG1"), ("cat", "I-ARG1"), ("and", "O"), ("slept", "O"), (".", "O")]
SLEPT = [(word, "B-ARG0" if word == "Anna" else "O") for word in WORDS]
FRAMES = [
    {"predicate": 1, "args": [{"start": 0, "end": 0, "label": "ARG0"}, {"start": 2, "end": 3, "label": "ARG1"}]},
    {"predicate": 5, "args": [{"start": 0, "end": 0, "label": "ARG0"}]},
]
TAGS = [["B-ARG0", "B-V", "B-ARG1", "I-ARG1", "O", "O", "O"], ["B-ARG0", "O", "O", "O", "O", "B-V", "O"]]


SHAPES: dict[str, list[dict[str, Any]]] = {
    "frames of objects": [{"words": WORDS, "frames": FRAMES}],
    "frames of lists": [
        {"tokens": WORDS, "frames": [
            {"predicate": 1, "args": ARGS}, {"predicate": 5, "args": {"start": [0], "end": [0], "label": ["ARG0"]}}]}
    ],
    "a predicate and tags": [
        {"words": WORDS, "predicate": p, "tags": tags} for p, tags in zip((1, 5), TAGS, strict=True)
    ],
    "other names": [{"tokens": WORDS, "verb": p, "srl_tags": t} for p, t in zip(("1", 5.0), TAGS, strict=True)],
    "a text besides": [{"text": "no *predicate* here", "words": WORDS, "frames": FRAMES}],
}  # fmt: skip


def predicates(corpus: Corpus) -> list[str]:
    rows = corpus.table("train").to_pylist()
    return [row["text"][row["begins"][row["predicate"]] : row["ends"][row["predicate"]]] for row in rows]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_an_example_a_predicate(tmp_path: Path, gather: Gather, shape: str) -> None:
    corpus = gather(laid(tmp_path / "data", SHAPES[shape]), RoleLabelling())
    assert tagged(corpus) == [FED, SLEPT]
    assert predicates(corpus) == ["fed", "slept"]
    facts = corpus.read("data.json")["splits"]["train"]
    assert facts["per_label"] == {"ARG0": 2, "ARG1": 1}
    assert facts["repeated"] == 0, "another predicate in the same sentence is another example"


def test_examples_of_one_row_have_its_number(tmp_path: Path, gather: Gather) -> None:
    records = [{"words": WORDS, "frames": FRAMES}, {"words": ["Go", "home"], "frames": [{"predicate": 0, "args": []}]}]
    corpus = gather(laid(tmp_path / "data", records), RoleLabelling())
    assert corpus.table("train")["row"].to_pylist() == [1, 1, 2]


def test_a_sentence_without_frames_gives_no_example(tmp_path: Path, gather: Gather) -> None:
    records = [{"words": WORDS, "frames": FRAMES}, {"words": ["Oh", "!"], "frames": []}]
    assert len(tagged(gather(laid(tmp_path / "data", records), RoleLabelling()))) == 2


def test_examples_of_one_sentence_come_into_one_split(tmp_path: Path, gather: Gather) -> None:
    frames = [{"predicate": n, "args": [{"start": 2, "end": 2, "label": "ARG1"}]} for n in range(2)]
    records = [{"words": [f"w{n}", "x", "y"], "frames": frames} for n in range(60)]
    laid(tmp_path / "data", records)
    corpus = gather(tmp_path / "data" / "train.jsonl", RoleLabelling(), validation=0.2, test=0.2)
    splits = [set(corpus.table(split)["text"].to_pylist()) for split in corpus.splits()]
    assert len(splits) == 3 and sum(map(len, splits)) == 60 == len(set.union(*splits))


def test_the_order_of_the_label_file_is_kept_where_it_is_bio(tmp_path: Path, gather: Gather) -> None:
    names = ["O", "B-ARG1", "I-ARG1", "B-ARG0", "I-ARG0", "B-V", "I-V"]
    tags = [[names.index(tag) for tag in each] for each in TAGS]
    records = [{"words": WORDS, "predicate": p, "tags": each} for p, each in zip((1, 5), tags, strict=True)]
    corpus = gather(laid(tmp_path / "data", records, names), RoleLabelling())
    assert corpus.read("labels.json") == names and tagged(corpus) == [FED, SLEPT]


def frame(**changes: Any) -> dict[str, Any]:
    return {"words": WORDS, "frames": [{**FRAMES[0], **changes}]}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a predicate beyond the words": (frame(predicate=7), "predicate 7 is not the number of one of 7 words, from 0"),
    "no predicate": ({"words": WORDS, "frames": [{"args": []}]}, "predicate None is not the number of one of 7 words"),
    "a predicate that is a word": (frame(predicate="fed"), "predicate 'fed' is not the number of one of 7 words"),
    "an argument that ends before it starts": (
        frame(args=[{"start": 3, "end": 2, "label": "ARG1"}]), "ends before it starts, or overlaps another; correct it",
    ),
    "arguments that overlap": (
        frame(args=[{"start": 2, "end": 3, "label": "A"}, {"start": 3, "end": 4, "label": "B"}]), "or overlaps another",
    ),
    "an argument without an end": (frame(args=[{"start": 2, "label": "A"}]), "end None is not the number of one of 7"),
    "an argument without a label": (frame(args=[{"start": 2, "end": 2}]), "has no label"),
    "an argument that is a text": (frame(args=["ARG0"]), "expected"),
    "arguments that are nothing": (frame(args=None), "expected"),
    "lists of other lengths": (frame(args={"start": [0], "end": [0, 1], "label": ["A"]}), "expected"),
    "objects without labels": (frame(args={"start": [0], "end": [0]}), "has no label"),
    "a frame that is a number": ({"words": WORDS, "frames": [1]}, 'a frame is 1; expected {"predicate": 1, "args": '),
    "frames that are text": ({"words": WORDS, "frames": "x"}, "column 'frames' holds text ('x'), not a list"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_frame_is_refused_with_its_line_or_skipped(tmp_path: Path, gather: Gather, case: str) -> None:
    row, said = BAD[case]
    folder = laid(tmp_path / "data", [{"words": WORDS, "frames": FRAMES}, row])
    with refusing(folder / "train.jsonl", ", line 2: ", said):
        gather(folder, RoleLabelling())
    corpus = gather(folder, RoleLabelling(invalid="skip"))
    assert tagged(corpus) == [FED, SLEPT]
    assert len(corpus.read("data.json")["skipped"]) == 2


def test_tags_that_mark_no_spans_are_refused(tmp_path: Path, gather: Gather) -> None:
    tags = ["ARG0", "V", "ARG1", "ARG1", "O", "O", "O"]
    folder = laid(tmp_path / "data", [{"words": WORDS, "predicate": 1, "tags": tags}])
    with refusing(folder / "train.jsonl", "line 1: tag 'ARG0' marks no span; those of roles begin with B- or I-"):
        gather(folder, RoleLabelling())


def test_tags_that_do_not_follow_may_be_repaired(tmp_path: Path, gather: Gather) -> None:
    tags = ["B-ARG0", "B-V", "B-ARG1", "I-ARG1", "O", "O", "O"]
    bad = ["B-ARG0", "B-V", "B-ARG1", "I-ARG2", "O", "O", "O"]
    folder = laid(tmp_path / "data", [{"words": WORDS, "predicate": 1, "tags": each} for each in (tags, bad)])
    with refusing(folder, "line 2: word 4 has the tag I-ARG2 after B-ARG1, which is not BIO"):
        gather(folder, RoleLabelling())
    assert tagged(gather(folder, RoleLabelling(invalid="repair")))[1][3] == ("cat", "B-ARG2")


def test_text_with_a_marked_predicate_is_nothing_to_learn_from(tmp_path: Path, gather: Gather) -> None:
    with refusing("no span is marked anywhere", "check task.frames or task.tags"):
        gather(laid(tmp_path / "data", [{"text": "Anna *fed* the cat."}]), RoleLabelling())


@pytest.mark.parametrize("text", ["Anna fed the cat.", "Anna * fed the cat", "Anna *\u200b* fed"])
def test_a_text_without_a_marked_predicate_is_refused(tmp_path: Path, gather: Gather, text: str) -> None:
    folder = laid(tmp_path / "data", [{"text": text}])
    with refusing(folder / "train.jsonl", "line 1: no predicate; put it between asterisks, as in: The cook *gave*"):
        gather(folder, RoleLabelling())


@pytest.mark.parametrize(
    ("text", "bare", "predicate"),
    [
        ("She **gave** him soup.", "She *gave* him soup.", "gave"),
        ("2 * 3 * 4 *is* 24", "2 * 3 * 4 is 24", "is"),
        ("厨师*给*了客人汤。", "厨师给了客人汤。", "给"),
    ],
)
def test_the_predicate_is_the_word_between_asterisks(text: str, bare: str, predicate: str) -> None:
    found, bounds, place = _marked(text, "")
    assert found == bare and found[slice(*bounds[place])] == predicate


@pytest.mark.parametrize("text", ["*Anna* *fed* the cat.", "2*3*4 is *twelve*"])
def test_two_words_between_asterisks_are_refused(tmp_path: Path, gather: Gather, text: str) -> None:
    folder = laid(tmp_path / "data", [{"text": text}])
    with refusing(folder / "train.jsonl", "line 1: *", "are between asterisks, but a text has one predicate"):
        gather(folder, RoleLabelling())


@pytest.mark.parametrize(
    ("predicate", "tags", "learned"),
    [
        (1, ["B-ARG0", "B-V", "I-V", "B-ARG1"], ["B-ARG0", "O", "O", "B-ARG1"]),
        (2, ["B-ARG0", "B-V", "I-V", "B-ARG1"], ["B-ARG0", "O", "O", "B-ARG1"]),
        (1, ["B-ARG0", "B-V", "B-ARG1", "B-V"], ["B-ARG0", "O", "B-ARG1", "O"]),
    ],
    ids=["the first", "the second", "apart"],
)
def test_a_predicate_of_two_words_is_no_argument(
    tmp_path: Path, gather: Gather, predicate: int, tags: list[str], learned: list[str]
) -> None:
    words = ["She", "looked", "it", "up"]
    corpus = gather(laid(tmp_path / "data", [{"words": words, "predicate": predicate, "tags": tags}]), RoleLabelling())
    assert corpus.read("labels.json") == ["O", "B-ARG0", "I-ARG0", "B-ARG1", "I-ARG1"]
    assert tagged(corpus) == [list(zip(words, learned, strict=True))]


def test_a_conll_file_has_no_predicates(tmp_path: Path, gather: Gather) -> None:
    file = put(tmp_path / "data.conll", "Anna B-ARG0\nfed O\n")
    with refusing(f"{file}: holds words and tags, but this task wants words,frames; give it .csv or .jsonl with these"):
        gather(file, RoleLabelling())


def test_one_column_for_two_things_is_refused() -> None:
    with refusing("words, frames, predicate, tags and text must be five columns"):
        RoleLabelling(predicate="frames")


def test_a_bad_frame_ends_a_run_in_one_line(cli: Cli, tmp_path: Path) -> None:
    folder = laid(tmp_path / "data", [{"words": WORDS, "frames": FRAMES}, frame(predicate=9)])
    done = cli("run", "srl", f"corpus.source={folder}", "--until", "collect")
    assert_refused(done, f"{folder / 'train.jsonl'}, line 2: predicate 9 is not the number of one of 7 words, from 0")
    assert len(done.stderr.splitlines()) == 1
