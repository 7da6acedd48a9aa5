"""Sentences with a tag a word, in every form that people have them in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.tasks.tagging import PartsOfSpeech, Tagging
from tests.conftest import Cli, write_csv
from tests.stages.conftest import Gather, Notebook, assert_refused, laid, put, refusing, tagged

ROME = [("Anna", "B-PER"), ("Bell", "I-PER"), ("left", "O"), ("Rome", "B-LOC"), (".", "O")]
BONN = [("Bonn", "B-LOC"), ("slept", "O")]
WORDS = [[word for word, _ in ROME], [word for word, _ in BONN]]
TAGS = [[tag for _, tag in ROME], [tag for _, tag in BONN]]
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
NUMBERS = [[NAMES.index(tag) for tag in tags] for tags in TAGS]
TEXTS = ["Anna Bell left Rome.", "Bonn slept"]


def rows(*names: str, values: tuple[list[Any], ...]) -> list[dict[str, Any]]:
    return [dict(zip(names, pair, strict=True)) for pair in zip(*values, strict=True)]


def spans(start: str, end: str, label: str, *, listed: bool = False) -> list[list[dict[str, Any]]]:
    """The entities of both sentences as objects."""
    found = [[(0, 9, "PER"), (15, 19, "LOC")], [(0, 4, "LOC")]]
    return [[{start: b, end: e, label: [kind] if listed else kind} for b, e, kind in each] for each in found]


SHAPES: dict[str, list[dict[str, Any]]] = {
    "words and tags": rows("words", "tags", values=(WORDS, TAGS)),
    "tokens and ner_tags": rows("tokens", "ner_tags", values=(WORDS, TAGS)),
    "tokens and labels": rows("tokens", "labels", values=(WORDS, TAGS)),
    "Label Studio": rows("text", "label", values=(TEXTS, spans("start", "end", "labels", listed=True))),
    "doccano": rows("text", "label", values=(TEXTS, [[[0, 9, "PER"], [15, 19, "LOC"]], [[0, 4, "LOC"]]])),
    "newer doccano": rows("text", "entities", values=(TEXTS, spans("start_offset", "end_offset", "label"))),
    "spaCy": rows("text", "entities", values=(TEXTS, [[(0, 9, "PER"), (15, 19, "LOC")], [(0, 4, "LOC")]])),
    "spaCy's Doc.to_json": rows(
        "text", "ents", "tokens", values=(TEXTS, spans("start", "end", "label"), [[{"id": 0, "start": 0}], []])
    ),
    "Prodigy": rows("text", "tokens", "spans", values=(TEXTS, [[{"text": "Anna"}]] * 2, spans("start", "end", "label"))),
    "spans of characters": rows("text", "spans", values=(TEXTS, spans("start", "end", "label"))),
    "text beside words": [
        {"text": "ignored", **row} for row in rows("words", "tags", values=(WORDS, TAGS))
    ],
    "IOB1": rows("words", "tags", values=(WORDS, [["I-PER", "I-PER", "O", "I-LOC", "O"], ["I-LOC", "O"]])),
    "BIOES": rows("words", "tags", values=(WORDS, [["B-PER", "E-PER", "O", "S-LOC", "O"], ["S-LOC", "O"]])),
    "BILOU": rows("words", "tags", values=(WORDS, [["B-PER", "L-PER", "O", "U-LOC", "O"], ["U-LOC", "O"]])),
    "letters behind": rows("words", "tags", values=(WORDS, [["PER-B", "PER-I", "O", "LOC-B", "O"], ["LOC-B", "O"]])),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_means_the_same_spans(tmp_path: Path, gather: Gather, shape: str) -> None:
    corpus = gather(laid(tmp_path / "data", SHAPES[shape]), Tagging())
    bare = [[(word, tag) for word, tag in sentence] for sentence in tagged(corpus)]
    assert bare == [ROME, BONN]
    assert corpus.read("labels.json") == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    assert corpus.read("data.json")["splits"]["train"]["per_label"] == {"LOC": 2, "PER": 1}


def labelled(text: str, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A task of Label Studio with one annotation."""
    return {"id": 1, "data": {"text": text}, "annotations": [{"result": list(results), **more}]}


def test_the_full_json_of_label_studio_means_what_its_short_form_does(tmp_path: Path, gather: Gather) -> None:
    marked = [
        [{"from_name": "label", "type": "labels", "value": span} for span in each]
        for each in spans("start", "end", "labels", listed=True)
    ]
    tasks = [labelled(text, {"type": "relation"}, *each) for text, each in zip(TEXTS, marked, strict=True)]
    tasks[1]["annotations"].insert(0, {"was_cancelled": True, "result": marked[0]})
    tasks += [labelled("Nobody left."), {"data": {"text": "Nor I."}, "annotations": []}]
    for split in ("train", "validation"):
        put(tmp_path / "data" / f"{split}.json", json.dumps(tasks))
    found = tagged(gather(tmp_path / "data", Tagging()))
    assert found[:2] == [ROME, BONN]
    assert {tag for sentence in found[2:] for _, tag in sentence} == {"O"}


def test_choices_in_label_studio_are_labels(tmp_path: Path, gather: Gather) -> None:
    choices = [("neg", "Bad."), ("pos", "Good."), ("pos", "Fine.")]
    tasks = [
        labelled(text, {"from_name": "label", "type": "choices", "value": {"choices": [label]}})
        for label, text in choices
    ]
    for split in ("train", "validation"):
        put(tmp_path / "data" / f"{split}.json", json.dumps(tasks))
    assert gather(tmp_path / "data").table("train")["label"].to_pylist() == [0, 1, 1]


@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_a_record_without_spans_has_none_where_others_have_some(tmp_path: Path, gather: Gather, ending: str) -> None:
    records = [{"text": "Nobody left."}, *SHAPES["Label Studio"], {"text": "Nor I."}]
    text = json.dumps(records) if ending == "json" else "\n".join(map(json.dumps, records))
    for split in ("train", "validation"):
        put(tmp_path / "data" / f"{split}.{ending}", text)
    found = tagged(gather(tmp_path / "data", Tagging()))
    assert found[1:3] == [ROME, BONN]
    assert {tag for sentence in (found[0], found[3]) for _, tag in sentence} == {"O"}


def test_spans_that_no_record_has_and_tags_that_one_lacks_are_refused(tmp_path: Path, gather: Gather) -> None:
    with refusing("line 1: no column 'spans'; there are 'text'", "task.spans=NAME"):
        gather(laid(tmp_path / "none", [{"text": "Nobody left."}]), Tagging())
    with refusing("line 3: no 'tags', which rows before it have; add it, or set task.invalid=skip"):
        gather(laid(tmp_path / "one", [*SHAPES["tokens and labels"], {"tokens": ["a"]}]), Tagging())


def test_words_become_a_text_with_the_place_of_each(tmp_path: Path, gather: Gather) -> None:
    corpus = gather(laid(tmp_path / "data", SHAPES["words and tags"]), Tagging())
    row = corpus.table("train").to_pylist()[0]
    assert row["text"] == "Anna Bell left Rome ." and row["row"] == 1
    assert (row["begins"], row["ends"]) == ([0, 5, 10, 15, 20], [4, 9, 14, 19, 21])
    kinds = {field.name: str(field.type) for field in corpus.table("train").schema}
    assert kinds["label"] == kinds["begins"] == "list<item: int32>"


def test_conll_files_are_splits(tmp_path: Path, gather: Gather) -> None:
    text = "-DOCSTART- -X- O O\n\n" + "\n\n".join(
        "\n".join(f"{word} X Y {tag}" for word, tag in sentence) for sentence in (ROME, BONN)
    )
    for split in ("train", "validation"):
        put(tmp_path / "data" / f"{split}.conll", text)
    corpus = gather(tmp_path / "data", Tagging())
    assert tagged(corpus) == tagged(corpus, "validation") == [ROME, BONN]


def test_a_conllu_file_gives_parts_of_speech(tmp_path: Path, gather: Gather) -> None:
    sentence = "".join(f"{n}\t{word}\t_\t{tag}" + "\t_" * 6 + "\n" for n, (word, tag) in enumerate(
        [("Dogs", "NOUN"), ("bark", "VERB"), (".", "PUNCT")], 1))  # fmt: skip
    for split in ("train", "dev"):
        put(tmp_path / "data" / f"{split}.conllu", "# text = Dogs bark .\n" + sentence + "\n")
    corpus = gather(tmp_path / "data", PartsOfSpeech())
    assert tagged(corpus) == [[("Dogs", "NOUN"), ("bark", "VERB"), (".", "PUNCT")]]
    assert corpus.read("labels.json") == ["NOUN", "PUNCT", "VERB"]
    with refusing("train.conllu, line 2: no column 'tags'; there are id, form, lemma, upos", "task.tags=NAME"):
        gather(tmp_path / "data", Tagging())


def test_of_a_conll_2003_file_parts_of_speech_or_another_column_can_be_learned(tmp_path: Path, gather: Gather) -> None:
    for split in ("train", "validation"):
        put(tmp_path / "data" / f"{split}.conll", "Ada NNP B-NP B-PER\nsings VBZ B-VP O\n")
    assert tagged(gather(tmp_path / "data", PartsOfSpeech())) == [[("Ada", "NNP"), ("sings", "VBZ")]]
    for name in ("chunk_tags", "3"):
        assert tagged(gather(tmp_path / "data", Tagging(tags=name))) == [[("Ada", "B-NP"), ("sings", "B-VP")]]


def test_tags_of_spans_are_no_parts_of_speech(tmp_path: Path, gather: Gather) -> None:
    with refusing("the tags mark spans, such as LOC", "task.tags=NAME", "the recipe ner"):
        gather(laid(tmp_path / "data", SHAPES["words and tags"]), PartsOfSpeech())


def test_lists_may_stand_as_json_in_the_cells_of_a_table(tmp_path: Path, gather: Gather) -> None:
    for split in ("train", "validation"):
        written = [(json.dumps(words), json.dumps(tags)) for words, tags in zip(WORDS, TAGS, strict=True)]
        write_csv(tmp_path / "data" / f"{split}.csv", written, ("words", "tags"))
    assert tagged(gather(tmp_path / "data", Tagging())) == [ROME, BONN]


@pytest.mark.parametrize("listed", [NAMES, ["O", "B-LOC", "B-PER", "I-LOC", "I-PER"]])
def test_the_order_of_the_label_file_is_kept_where_it_is_bio(tmp_path: Path, gather: Gather, listed: list[str]) -> None:
    numbers = [[listed.index(tag) for tag in tags] for tags in TAGS]
    source = laid(tmp_path / "data", rows("tokens", "ner_tags", values=(WORDS, numbers)), listed)
    corpus = gather(source, Tagging())
    assert corpus.read("labels.json") == listed
    assert corpus.table("train")["label"].to_pylist() == numbers
    assert tagged(corpus) == [ROME, BONN]


def test_names_that_datasets_wrote_into_a_file_are_used(tmp_path: Path, gather: Gather) -> None:
    import datasets

    features = datasets.Features(
        {"tokens": datasets.List(datasets.Value("string")), "ner_tags": datasets.List(datasets.ClassLabel(names=NAMES))}
    )
    for split in ("train", "validation"):
        (tmp_path / "data").mkdir(exist_ok=True)
        made = datasets.Dataset.from_dict({"tokens": WORDS, "ner_tags": NUMBERS}, features=features)
        made.to_parquet(tmp_path / "data" / f"{split}.parquet")
    corpus = gather(tmp_path / "data", Tagging())
    assert corpus.read("labels.json") == NAMES and tagged(corpus) == [ROME, BONN]


def test_kinds_that_are_stated_have_that_order(tmp_path: Path, gather: Gather) -> None:
    source = laid(tmp_path / "data", SHAPES["words and tags"])
    corpus = gather(source, Tagging(), labels=("PER", "LOC", "ORG"))
    assert corpus.read("labels.json") == ["O", *(f"{p}-{kind}" for kind in ("PER", "LOC", "ORG") for p in "BI")]
    assert tagged(corpus) == [ROME, BONN]


def test_a_sentence_without_any_span_is_kept(tmp_path: Path, gather: Gather) -> None:
    source = laid(tmp_path / "data", [*SHAPES["spaCy"], {"text": "Nobody here", "entities": []}])
    assert tagged(gather(source, Tagging()))[2] == [("Nobody", "O"), ("here", "O")]


@pytest.mark.parametrize("tags", [["O", "PER", "PER"], ["O", "B", "I"]])
def test_tags_that_mark_no_spans_are_said_to_where_spans_may_be_meant(
    tmp_path: Path, gather: Gather, heard: Notebook, tags: list[str]
) -> None:
    folder = laid(tmp_path / "data", [{"words": ["Ms", "Anna", "Odell"], "tags": tags}])
    gather(folder, Tagging())
    assert sum("tags mark no spans" in line for line in heard.lines) == 1
    heard.lines.clear()
    gather(folder, PartsOfSpeech())
    assert not any("spans" in line for line in heard.lines)


def test_another_scheme_is_said(tmp_path: Path, gather: Gather, heard: Notebook) -> None:
    gather(laid(tmp_path / "data", SHAPES["BILOU"]), Tagging())
    assert "tags are in BIOES; read as BIO" in heard.lines


def test_chinese_emoji_and_wide_forms_keep_their_places(tmp_path: Path, gather: Gather) -> None:
    text = "我在👨‍👩‍👧北京，见ＡＢＣ公司。"
    entities = [{"start": text.index(s), "end": text.index(s) + len(s), "label": k} for s, k in (
        ("北京", "LOC"), ("ＡＢＣ公司", "ORG"))]  # fmt: skip
    found = tagged(gather(laid(tmp_path / "data", [{"text": text, "spans": entities}]), Tagging()))[0]
    assert found == [
        ("我", "O"), ("在", "O"), ("👨‍👩‍👧", "O"), ("北", "B-LOC"), ("京", "I-LOC"), ("，", "O"), ("见", "O"),
        ("ＡＢＣ", "B-ORG"), ("公", "I-ORG"), ("司", "I-ORG"), ("。", "O"),
    ]  # fmt: skip


GOOD = SHAPES["words and tags"]
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "fewer tags than words": (
        {"words": ["a", "b"], "tags": ["O"]}, "2 words in 'words', but 1 tags in 'tags'; give each word one",
    ),
    "a word that is a number": ({"words": ["a", 5], "tags": ["O", "O"]}, "column 'words' holds a list (['a', 5]), not a list of texts"),
    "an empty word": ({"words": ["a", " "], "tags": ["O", "O"]}, "word 2 is only white space; take it out, and its tag"),
    "words that are text": ({"words": "a b", "tags": ["O", "O"]}, "column 'words' holds text ('a b'), not a list; name the column of the words with task.words=NAME"),
    "tags that are nothing": ({"words": ["a"], "tags": None}, "column 'tags' holds nothing (None), not a list"),
    "a tag of another scheme": ({"words": ["a"], "tags": ["LOC"]}, "word 1 has the tag 'LOC', which is not BIO"),
    "a tag that is nothing": ({"words": ["a", "b"], "tags": ["O", None]}, "word 2 has the tag '', which is not BIO"),
    "a span that goes on from nothing": (
        {"words": ["a", "b"], "tags": ["B-LOC", "I-PER"]},
        "word 2 has the tag I-PER after B-LOC, which is not BIO; correct it, or set task.invalid=repair",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_sentence_is_refused_with_its_line(tmp_path: Path, gather: Gather, case: str) -> None:
    row, said = BAD[case]
    folder = laid(tmp_path / "data", [*GOOD, row])
    with refusing(folder / "train.jsonl", ", line 3: ", said):
        gather(folder, Tagging())


@pytest.mark.parametrize("case", BAD)
def test_a_bad_sentence_may_be_skipped_and_is_counted_and_listed(
    tmp_path: Path, gather: Gather, heard: Notebook, case: str
) -> None:
    row, said = BAD[case]
    corpus = gather(laid(tmp_path / "data", [GOOD[0], row, GOOD[1]]), Tagging(invalid="skip"))
    assert tagged(corpus) == [ROME, BONN]
    assert corpus.table("train")["row"].to_pylist() == [1, 3]
    report = corpus.read("data.json")
    assert len(report["skipped"]) == 2 and all("line 2: " in each and said in each for each in report["skipped"])
    assert heard.lines[-1].startswith("2 bad rows were left out; data.json lists them, the first is ")


def test_tags_that_do_not_follow_may_be_repaired(tmp_path: Path, gather: Gather) -> None:
    bad = [{"words": ["a", "b", "c"], "tags": ["I-LOC", "I-PER", "I-PER"]}, {"words": ["d"], "tags": ["LOC"]}]
    corpus = gather(laid(tmp_path / "data", [*GOOD, *bad]), Tagging(invalid="repair"))
    assert [tag for _, tag in tagged(corpus)[2]] == ["B-LOC", "B-PER", "I-PER"]
    assert tagged(corpus)[3] == [("d", "B-LOC")]


BAD_SPANS: dict[str, tuple[Any, str]] = {
    "beyond the end": ([[0, 99, "LOC"]], "entity 1 is from 0 to 99, outside of the text, which has 10 characters"),
    "without a character": ([[3, 3, "LOC"]], "entity 1 is from 3 to 3, which is no character"),
    "without a label": ([{"start": 0, "end": 4}], "entity 1 (0 to 4) has no label"),
    "with two labels": ([{"start": 0, "end": 4, "labels": ["A", "B"]}], "has several labels, A, B"),
    "overlapping": ([[0, 4, "A"], [2, 6, "B"]], "entity 1 (0 to 4, A) and entity 2 (2 to 6, B) overlap"),
    "of white space": ([[4, 5, "A"]], "entity 1 (4 to 5, A) is only white space"),
    "with half numbers": ([[0.5, 4, "A"]], "which must be whole numbers"),
    "a text": (["Bonn"], 'entity 1 is \'Bonn\'; expected {"start": 4, "end": 9, "label": "person"} or [4, 9, "person"]'),
    "no list": ({"start": 0}, "column 'spans' holds an object ({'start': 0}), not a list; name the column of the spans with task.spans=NAME"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_SPANS)
def test_a_bad_span_is_refused_with_its_line_or_skipped(tmp_path: Path, gather: Gather, case: str) -> None:
    value, said = BAD_SPANS[case]
    good = {"text": "Bonn slept", "spans": [[0, 4, "LOC"]]}
    folder = laid(tmp_path / "data", [good, {"text": "Bonn slept", "spans": value}])
    with refusing(folder / "train.jsonl", ", line 2: ", said):
        gather(folder, Tagging())
    corpus = gather(folder, Tagging(invalid="skip"))
    assert tagged(corpus) == [BONN] and len(corpus.read("data.json")["skipped"]) == 2


def test_a_plain_tag_that_is_missing_is_refused_with_its_line(tmp_path: Path, gather: Gather) -> None:
    records = [{"words": ["a", "b"], "tags": ["X", "Y"]}, {"words": ["a", "b"], "tags": ["X", ""]}]
    folder = laid(tmp_path / "data", records)
    with refusing(folder / "train.jsonl", ", line 2: ", "word 2 has no tag; fill it in, or set task.invalid=skip"):
        gather(folder, Tagging())
    assert len(tagged(gather(folder, Tagging(invalid="skip")))) == 1


@pytest.mark.parametrize("invalid", ["refuse", "skip"])
def test_numbers_without_names_are_refused_with_the_way_to_give_them(
    tmp_path: Path, gather: Gather, invalid: Any
) -> None:
    folder = laid(tmp_path / "data", rows("words", "tags", values=(WORDS, NUMBERS)))
    with refusing(
        folder, "line 1: label 1 is a number, and nothing says of what; put labels.json beside the data",
        '["O", "B-PER", "I-PER"]',
    ):  # fmt: skip
        gather(folder, Tagging(invalid=invalid))


def test_a_number_beyond_the_names_is_refused(tmp_path: Path, gather: Gather) -> None:
    folder = laid(tmp_path / "data", rows("words", "tags", values=(WORDS, NUMBERS)), NAMES[:3])
    with refusing(folder, "line 1: label 3 is beyond the 3 names in labels.json; correct one of them"):
        gather(folder, Tagging())


def test_a_kind_that_is_not_named_is_refused_with_its_line(tmp_path: Path, gather: Gather) -> None:
    folder = laid(tmp_path / "data", GOOD)
    with refusing(folder, "line 1: label 'LOC' is not one of O, B-PER, I-PER"):
        gather(folder, Tagging(), labels=("PER",))


def test_spans_nowhere_are_refused(tmp_path: Path, gather: Gather) -> None:
    folder = laid(tmp_path / "data", [{"text": "Bonn", "spans": []}])
    with refusing(folder, "no span is marked anywhere, so there is nothing to learn; check task.tags or task.spans"):
        gather(folder, Tagging())


def test_a_table_without_words_or_spans_names_both_columns_that_it_lacks(tmp_path: Path, gather: Gather) -> None:
    with refusing("no column 'words'", "no column 'tags'", "task.words=NAME", "task.tags=NAME"):
        gather(laid(tmp_path / "data", [{"a": 1}]), Tagging())
    with refusing("no column 'spans'", "there are 'text', 'notes'", "task.spans=NAME"):
        gather(laid(tmp_path / "other", [{"text": "a", "notes": 1}]), Tagging())


def test_lists_of_parquet_are_lists(tmp_path: Path, gather: Gather) -> None:
    (tmp_path / "data").mkdir()
    for split in ("train", "validation"):
        pq.write_table(pa.table({"tokens": WORDS, "tags": TAGS}), tmp_path / "data" / f"{split}.parquet")
    assert tagged(gather(tmp_path / "data", Tagging())) == [ROME, BONN]


def test_one_column_for_two_things_is_refused() -> None:
    with refusing("words and tags are both the column 'tags'"):
        Tagging(words="tags")
    with refusing("text and spans are both the column 'text'"):
        Tagging(spans="text")


MISTAKES = {
    "a bad tag": ({"words": ["a", "b"], "tags": ["O", "I-LOC"]}, "word 2 has the tag I-LOC after O, which is not BIO"),
    "a bad span": ({"text": "a", "spans": [[0, 2, "X"]]}, "outside of the text, which has 1 characters"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_bad_sentence_ends_a_run_in_one_line(cli: Cli, tmp_path: Path, case: str) -> None:
    row, said = MISTAKES[case]
    good = GOOD if "words" in row else SHAPES["spaCy"]
    good = [{"text": each["text"], "spans": each["entities"]} for each in good] if good is not GOOD else good
    folder = laid(tmp_path / "data", [*good, row])
    done = cli("run", "ner", f"corpus.source={folder}", "--until", "collect")
    assert_refused(done, f"{folder / 'train.jsonl'}, line 3: ", said)
    assert len(done.stderr.splitlines()) == 1
    done = cli("run", "ner", f"corpus.source={folder}", "task.invalid=skip", "--until", "collect")
    assert done.returncode == 0 and "2 bad rows were left out" in done.stdout


def test_numbered_tags_of_other_schemes_have_their_kinds_alone(tmp_path: Path, gather: Gather) -> None:
    names = ["O", "B-PER", "I-PER", "E-PER", "S-PER"]
    rows = [{"words": ["Ann", "Lee", "ran", "Bo"], "tags": [1, 3, 0, 4]}, {"words": ["a", "b", "c"], "tags": [1, 2, 3]}]
    corpus = gather(laid(tmp_path / "data", rows, names), Tagging())
    assert corpus.read("labels.json") == ["O", "B-PER", "I-PER"]
    assert corpus.read("data.json")["labels"] == ["PER"]
