"""Files of the CoNLL shared tasks: sentences, and which column is which."""

from __future__ import annotations

import pytest

from pipeline.corpora.columns import Column
from pipeline.corpora.conll import sentences, tags, words
from pipeline.errors import UserError

EU = [["EU", "NNP", "I-NP", "B-ORG"], ["rejects", "VBZ", "I-VP", "O"]]
PETER = [["Peter", "NNP", "I-NP", "B-PER"]]


def where(line: int) -> str:
    return f"data/train.conll, line {line}"


def read(text: str) -> list[tuple[int, list[list[str]]]]:
    return list(sentences(text.splitlines(keepends=True), where))


@pytest.mark.parametrize("between", [" ", "   ", "\t", " \t "])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_columns_are_parted_by_tabs_or_by_spaces(between: str, end: str) -> None:
    lines = [between.join(row) for row in EU] + [""] + [between.join(row) for row in PETER]
    assert read(end.join(lines)) == [(1, EU), (4, PETER)]


def test_documents_begin_between_sentences_and_are_no_sentence() -> None:
    text = "-DOCSTART- -X- -X- O\n\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n-DOCSTART- -X- O\nPeter NNP I-NP B-PER\n\n\n"
    assert read(text) == [(3, EU), (6, PETER)]


def test_comments_are_left_out_before_a_sentence_only() -> None:
    text = "# id 7 domain=en\n# O\nEU O\n# O\n\n# note\n# B-X\nPeter O\n\n# O\n"
    assert read(text) == [(3, [["EU", "O"], ["#", "O"]]), (8, [["Peter", "O"]]), (10, [["#", "O"]])]


def test_a_hash_with_columns_is_a_word() -> None:
    assert read("#\tO\n#yolo\tB-TAG\n\n#\tO\n") == [(1, [["#", "O"], ["#yolo", "B-TAG"]]), (4, [["#", "O"]])]
    assert read("#yolo B-TAG\n") == [(1, [["#yolo", "B-TAG"]])]


def test_a_hash_with_other_columns_than_words_have_is_a_comment() -> None:
    assert read("1\tAn\tO\tO\n\n#\thttp://x.org [2009]\n1\tEr\tO\tO\n") == [
        (1, [["1", "An", "O", "O"]]),
        (4, [["1", "Er", "O", "O"]]),
    ]


def test_what_is_no_word_in_conll_u_is_left_out() -> None:
    rest = "\t_" * 6
    [(line, rows), (second, _)] = read(
        f"# sent_id = 1\n# text = zum\tHaus\n1-2\tzum\t_\t_{rest}\n1\tzu\tzu\tADP{rest}\n2\tdem\tder\tDET{rest}\n"
        f"2.1\tleer\t_\t_{rest}\n3\t#\t#\tSYM{rest}\n\n#text=Ja\n1\tJa\tja\tINTJ{rest}\n"
    )
    assert (line, second) == (4, 10)
    assert [(row[1], row[3]) for row in rows] == [("zu", "ADP"), ("dem", "DET"), ("#", "SYM")]


def test_numbers_with_points_are_words_elsewhere() -> None:
    assert read("1.1\tO\n1-2\tB-X\n") == [(1, [["1.1", "O"], ["1-2", "B-X"]])]


def test_a_no_break_space_is_part_of_a_word() -> None:
    assert read("10\u00a0000 O\n") == [(1, [["10\u00a0000", "O"]])]


def test_an_empty_file_has_no_sentence() -> None:
    assert read("") == read("\n \n\t\n") == read("-DOCSTART- O\n\n") == []


def test_another_number_of_columns_is_told_with_both_lines() -> None:
    with pytest.raises(UserError) as caught:
        read("-DOCSTART- -X-\n\nEU NNP B-ORG\nrejects O\n")
    assert str(caught.value) == (
        "data/train.conll, line 4: 2 columns where line 3 has 3; separate them by tabs, or by spaces in a line without a tab"
    )


def test_a_file_with_one_column_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        read("\nEU,B-ORG\n")
    assert str(caught.value) == (
        "data/train.conll, line 2: one column ('EU,B-ORG'); put a tab or a space between a word and its tag"
    )


NER = Column("tags", "tags", ("ner_tags", "labels"))
POS = Column("tags", "tags", ("pos_tags", "upos", "labels"))
BEE = ["1", "EU", "EU", "PROPN", "NNP", "_", "0", "root", "_", "_"]


@pytest.mark.parametrize(
    ("first", "column", "expected"),
    [
        (EU[0], NER, (0, 3)),
        (EU[0], POS, (0, 1)),
        (EU[0], Column("tags", "chunk_tags"), (0, 2)),
        (EU[0], Column("tags", "3"), (0, 2)),
        (["EU", "B-ORG"], NER, (0, 1)),
        (["EU", "NNP"], Column("tags", "kind"), (0, 1)),
        (BEE, POS, (1, 3)),
        (BEE, Column("tags", "xpos"), (1, 4)),
        (["EU", *"abcdefgh", "O"], NER, (0, 9)),
        (["EU", "_", "B-ORG"], NER, (0, 2)),
        (["EU", "NNP", "B-ORG"], Column("tags", "2"), (0, 1)),
    ],
)
def test_word_and_tag_are_found_by_name_or_position(
    first: list[str], column: Column, expected: tuple[int, int]
) -> None:
    assert (words(first), tags(first, column, "")) == expected


@pytest.mark.parametrize(
    ("first", "column"), [(EU[0], Column("tags", "kind")), (EU[0], Column("tags", "5")), (BEE, NER)]
)
def test_a_column_of_tags_that_is_not_there_is_refused_with_those_that_are(first: list[str], column: Column) -> None:
    with pytest.raises(UserError) as caught:
        tags(first, column, where(1))
    assert str(caught.value).startswith(f"data/train.conll, line 1: no column {column.name!r}; there are ")
    assert str(caught.value).endswith("say which with task.tags=NAME, or with its number from 1")


def test_words_to_be_tagged_need_no_column_of_tags() -> None:
    lines = ["Bees\n", "dance\n", "\n", "# a comment\n", "#bees\n", "sing\n"]
    found = list(sentences(lines, str, tagged=False))
    assert found == [(1, [["Bees"], ["dance"]]), (5, [["#bees"], ["sing"]])]
