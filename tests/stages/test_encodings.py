"""In which encoding a text file is written."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from pipeline.corpora.encodings import BLOCK, detect
from tests.stages.conftest import Gather, everything, put, refusing

CHINESE = "text,label\n这部电影很好看,good\n服务太差了，再也不来,bad\n"
FRENCH = "text,label\nLa crème brûlée était gâtée,bad\nDéjà vu mais très réussi,good\n"


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("text,label\nplain,good\n", "ascii", "utf-8"),
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-8-sig", "utf-8-sig"),
        (CHINESE, "utf-16", "utf-16"),
        (CHINESE, "utf-16-le", "utf-16-le"),
        (CHINESE, "utf-16-be", "utf-16-be"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE * 200, "gb18030", "gb18030"),
        ("text,label\n好,good\n差,bad\n", "gb18030", "gb18030"),
        ("text,label\n很好看,good\n太差了,bad\n", "gb18030", "gb18030"),
        ("text,label\n很好看😀,good\n太差了😡,bad\n" * 5, "gb18030", "gb18030"),
        ("text,label\n他说“很好”……真的——不错,good\n", "gb18030", "gb18030"),
    ],
)
def test_an_encoding_is_recognized(tmp_path: Path, text: str, encoding: str, expected: str) -> None:
    assert detect(put(tmp_path / "data.csv", text, encoding)) == expected


@pytest.mark.parametrize("shift", [0, 1])
def test_chinese_is_recognized_in_a_file_of_more_than_a_block(tmp_path: Path, shift: int) -> None:
    lines = "这部电影很好看，故事也很感人,good\n服务太差了，再也不来了,bad\n" * 30_000
    file = put(tmp_path / "data.csv", "x" * shift + lines, "gb18030")
    assert file.stat().st_size > BLOCK
    assert detect(file) == "gb18030"


def test_a_big_endian_mark_is_recognized(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(codecs.BOM_UTF16_BE + CHINESE.encode("utf-16-be"))
    assert file.read_text(encoding=detect(file)) == CHINESE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
def test_a_corpus_is_the_same_in_every_encoding(tmp_path: Path, gather: Gather, encoding: str) -> None:
    rows = "".join(f"第{n}部电影很好看 很感人，ｆｕｌｌ,{'good' if n % 2 else 'bad'}\n" for n in range(40))
    plain = gather(put(tmp_path / "plain.csv", f"text,label\n{rows}"))
    other = gather(put(tmp_path / "other.csv", f"text,label\n{rows}", encoding))
    assert everything(other) == everything(plain)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "cp1252"])
def test_a_named_encoding_is_used(tmp_path: Path, gather: Gather, encoding: str) -> None:
    accent = "é" if encoding == "cp1252" else "好"
    rows = "".join(f"{accent} {n},{'good' if n % 2 else 'bad'}\n" for n in range(40))
    corpus = gather(put(tmp_path / "data.csv", f"text,label\n{rows}", encoding), encoding=encoding)
    assert all(text.startswith(accent) for split in everything(corpus).values() for text, _ in split)


def test_naming_utf_8_does_not_make_the_mark_a_part_of_the_first_column(tmp_path: Path, gather: Gather) -> None:
    rows = "".join(f"row {n},{'good' if n % 2 else 'bad'}\n" for n in range(40))
    corpus = gather(put(tmp_path / "data.csv", f"text,label\n{rows}", "utf-8-sig"), encoding="utf-8")
    assert corpus.splits() == ["train", "validation", "test"]


def test_cp1252_is_refused_with_the_byte_and_the_way_out(tmp_path: Path) -> None:
    file = put(tmp_path / "data.csv", FRENCH, "cp1252")
    with refusing(file, "not UTF-8", "byte 0xE8 at position 16", "looks like cp1252", "corpus.encoding=cp1252"):
        detect(file)


def test_a_refused_encoding_names_the_line(tmp_path: Path) -> None:
    file = put(tmp_path / "data.csv", "text,label\nplain,good\n" + FRENCH.partition("\n")[2], "cp1252")
    with refusing(f"{file}, line 3"):
        detect(file)


BIG5 = "text,label\n這部電影很好看，我非常喜歡,good\n服務太差了，我們再也不會來,bad\n"
KOREAN = "text,label\n이 영화는 정말 재미있었어요,good\n서비스가 너무 나빴습니다,bad\n"
JAPANESE = "text,label\nこの映画はとても面白かったです,good\nサービスが悪かった,bad\n"
RUSSIAN = "text,label\nФильм был очень хороший,good\nОбслуживание ужасное,bad\n"


@pytest.mark.parametrize(
    ("text", "encoding"), [(BIG5, "big5"), (KOREAN, "euc_kr"), (JAPANESE, "shift_jis"), (RUSSIAN, "cp1251")]
)
@pytest.mark.parametrize("times", [1, 100])
def test_other_encodings_are_never_taken_for_chinese(tmp_path: Path, text: str, encoding: str, times: int) -> None:
    file = put(tmp_path / "data.csv", text * times, encoding)
    with refusing(file, "not UTF-8", f"corpus.encoding={encoding}", "save it as UTF-8"):
        detect(file)


def test_bytes_in_no_known_encoding_are_refused_without_a_guess(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(bytes(range(1, 256)) * 8)
    with refusing(file, "byte 0x80 at position 127", "no known encoding", "corpus.encoding=NAME"):
        detect(file)


def test_a_wrong_byte_far_inside_a_file_is_found_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    before = ("é" * 10 + "\n").encode() * (2 * BLOCK // 21)
    file.write_bytes(before + b"caf\xe9 au lait,good\n")
    with refusing(file, "byte 0xE9", f"position {len(before) + 3:,}"):
        detect(file)


def test_a_character_across_two_blocks_is_no_error(tmp_path: Path) -> None:
    file = put(tmp_path / "data.csv", "a" * (BLOCK - 1) + "好" * 10)
    assert detect(file) == detect(file, "utf-8") == "utf-8"


def test_an_unknown_name_of_an_encoding_is_refused(tmp_path: Path) -> None:
    with refusing("corpus.encoding=utf-9", "no such encoding", "utf-8, gb18030, cp1252"):
        detect(put(tmp_path / "data.csv", "x"), "utf-9")


def test_a_codec_that_is_not_for_text_is_refused(tmp_path: Path) -> None:
    with refusing("corpus.encoding=base64"):
        detect(put(tmp_path / "data.csv", "text,label\n"), "base64")


@pytest.mark.parametrize("before", ["", "plain ", "plain", "caf\u00e9 ", "很好看"])
@pytest.mark.parametrize("named", ["", "utf-8"])
def test_a_nul_byte_does_not_make_a_file_utf_16(tmp_path: Path, before: str, named: str) -> None:
    for text in (f"text,label\n{before}\0 x,good\n", f"text,label\n{before}\0 x,good.\n"):  # odd and even lengths
        with refusing("data.csv, line 2 (byte 0x00 at position", "a NUL byte, which no text holds; take it out"):
            detect(put(tmp_path / "data.csv", text), named)


def test_a_nul_byte_in_another_encoding_does_not_make_it_utf_16(tmp_path: Path) -> None:
    for end in ("", "."):
        with refusing(f"{tmp_path}"):
            detect(put(tmp_path / "data.csv", FRENCH + "\0" + end, "cp1252"))


def test_a_nul_byte_far_inside_a_file_is_told_as_one(tmp_path: Path) -> None:
    with refusing("line 2", "a NUL byte"):
        detect(put(tmp_path / "data.csv", "a" * BLOCK * 2 + "\n\0"))


SCRIPTS = {
    "Chinese": "这部电影很好看，故事也很感人，我们都非常喜欢，还想再来看一次。" * 3 + "\n",
    "English": "plain words\n",
    "French": "déjà vu\n",
    "Russian": "Фильм был очень хороший\n",
    "Korean": KOREAN,
    "Japanese": JAPANESE,
}


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_utf_16_without_a_mark_is_recognized_however_few_zeros_it_has(tmp_path: Path, order: str, script: str) -> None:
    for times in (1, 50):
        file = put(tmp_path / "texts.txt", SCRIPTS[script] * times, f"utf-16-{order}")
        assert detect(file) == f"utf-16-{order}"


@pytest.mark.parametrize("named", ["utf-16", "UTF16", "utf-32"])
def test_a_named_encoding_whose_mark_is_missing_is_refused(tmp_path: Path, named: str) -> None:
    with refusing(f"corpus.encoding={named}", "data.csv does not begin with the mark", "-le or"):
        detect(put(tmp_path / "data.csv", FRENCH), named)


@pytest.mark.parametrize("named", ["utf-16", "utf-32"])
def test_a_named_encoding_with_its_mark_is_read(tmp_path: Path, named: str) -> None:
    assert detect(put(tmp_path / "data.csv", FRENCH, named), named) == named


def test_an_encoding_that_encodes_nothing_is_refused(tmp_path: Path) -> None:
    with refusing("corpus.encoding=undefined", "no such encoding"):
        detect(put(tmp_path / "data.csv", FRENCH), "undefined")


def test_an_encoding_that_does_not_say_where_it_fails_is_refused(tmp_path: Path) -> None:
    with refusing("data.csv, line 1", "not punycode"):
        detect(put(tmp_path / "data.csv", "a..bb."), "punycode")


def test_a_named_encoding_that_does_not_fit_is_refused_with_the_byte(tmp_path: Path) -> None:
    file = put(tmp_path / "data.csv", FRENCH, "cp1252")
    with refusing(file, "not utf-8", "byte 0xE8 at position 16", "name another corpus.encoding"):
        detect(file, "utf-8")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(codecs.BOM_UTF8 + b"text,label\ncaf\xe9,good\n", id="a wrong byte after a UTF-8 mark"),
        pytest.param("text,label\ngood,bad\n".encode("utf-16") + b"\n", id="half a character at the end of UTF-16"),
        pytest.param(b"text,label\nshort \0 zero,good\n" * 3, id="a zero byte in UTF-8"),
        pytest.param(b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\xd8\xd9" * 9 + b"\0\xd8", id="a workbook called .csv"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, gather: Gather, content: bytes) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(content)
    with refusing(file):
        gather(file)
