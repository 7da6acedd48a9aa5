"""Files that are no plain text: what is read of them before they are published, and what is refused unread."""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.privacy import strings
from pipeline.privacy.scan import check, scan
from tests.privacy.test_scan import EMAIL, PHONE, TOKEN, one
from tests.stages.conftest import refusing

FORMS = ["a.bin", "a.pb", "a.tflite", "a.index", "a.onnx.data", "a.data-00000-of-00001", "tokenizer.model"]


def written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def headed(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header


@pytest.mark.parametrize("name", ["notes.md", "chat_template.jinja", "LICENSE", "config.json", "test.jsonl"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_text_is_read_in_its_own_encoding(tmp_path: Path, encoding: str, name: str) -> None:
    text = json.dumps({"a": "\uff11\uff13812345678"}) if name.endswith(("json", "jsonl")) else f"一\n二 {PHONE}"
    place = one(written(tmp_path / name, text.encode(encoding)))
    assert (place.name.partition(":")[0], place.shown[-2:]) == ("phone", "78")


def test_chinese_characters_of_another_encoding_are_read(tmp_path: Path) -> None:
    text = "我的电话是１３８１２３４５６７８，这个人不在，有事请说。"
    assert one(written(tmp_path / "LICENSE", text.encode("gb18030"))).shown == "１…７８"


def test_a_text_with_a_few_bytes_that_are_none_of_its_encoding_is_read(tmp_path: Path) -> None:
    assert one(written(tmp_path / "LICENSE", b"caf\xe9 \x97 " + EMAIL.encode())).line == 1


def test_both_values_of_a_name_that_stands_twice_in_json_are_read(tmp_path: Path) -> None:
    file = written(tmp_path / "a.json", f'{{"x":\n"{EMAIL}", "x": "none", "x": {{"y": 1}}, "x": ["{PHONE}"]}}'.encode())
    assert [(place.line, place.key) for place in scan({"a.json": file})] == [(2, "x"), (2, "x[0]")]


def test_json_that_is_too_deep_is_read_as_a_text(tmp_path: Path) -> None:
    assert one(written(tmp_path / "a.json", b"[" * 100_000 + EMAIL.encode())).line == 1


@pytest.mark.parametrize(
    "header",
    [
        {EMAIL: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}},
        {"__metadata__": {EMAIL: "x"}},
        {"w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0], "by": EMAIL}},
    ],
)
def test_all_that_the_header_of_a_safetensors_file_says_is_read(tmp_path: Path, header: dict[str, object]) -> None:
    assert one(written(tmp_path / "a.safetensors", headed(json.dumps(header).encode()))).shown == "z…@example.com"


def test_a_header_that_says_a_thing_twice_is_read_whole(tmp_path: Path) -> None:
    header = f'{{"__metadata__": {{"a": "{EMAIL}", "a": "x"}}, "__metadata__": {{}}}}'
    assert one(written(tmp_path / "a.safetensors", headed(header.encode()))).key == "__metadata__.a"


@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors"])
@pytest.mark.parametrize("content", [b"%b", b"\x32\x7f%b", b"\xff\xff\xff\xff\0\0\0\0{'%b'", b"x\x01%b"])
def test_a_damaged_head_is_looked_through_like_other_bytes(tmp_path: Path, name: str, content: bytes) -> None:
    place = one(written(tmp_path / name, content % EMAIL.encode()))
    assert place.shown == "z…@example.com" and (place.key.startswith("byte ") or place.key == "doc_string")


@pytest.mark.parametrize("name", FORMS)
def test_addresses_and_secrets_among_bytes_are_found(tmp_path: Path, name: str) -> None:
    content = (
        b"\0" * 5_000 + f"key {EMAIL}\0".encode() + b"\xff\x08" + f"https://me:hunter22@host.example\0{TOKEN}".encode()
    )
    found = scan({name: written(tmp_path / name, content)})
    assert [str(place).rpartition(":")[0] for place in found] == [
        f"{name}, byte 5,005: z…@example.com (email", f"{name}, byte 5,040: hu… (secret",
        f"{name}, byte 5,062: hf_a… (secret",
    ]  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_what_has_the_name_of_weights_and_is_a_text_is_read_as_one(tmp_path: Path, name: str) -> None:
    assert one(written(tmp_path / name, f"Call {PHONE}".encode())).shown == "1…78"


@pytest.mark.parametrize("text", ["bob@example.com", "Bob.Smith@Example.COM", "13812345678@qq.com", "sk-" + "aB3" * 16])
@pytest.mark.parametrize("before", [b"\x0a", b"\x32", b"B"])
@pytest.mark.parametrize("behind", [b"2\x01", b"0\x01", b"B\x01", b"b\x01", b"\x1a\x01"])
def test_what_protobuf_writes_around_a_string_hides_nothing(
    tmp_path: Path, text: str, before: bytes, behind: bytes
) -> None:
    content = b"\0" + before + bytes([len(text)]) + text.encode() + behind
    assert one(written(tmp_path / "a.pb", content)).name.startswith(("email", "secret"))


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_of_a_saved_model_the_texts_are_found_and_nothing_else(tmp_path: Path) -> None:
    from pipeline.backends.tensorflow import framework

    tf = framework.tensorflow()
    key = "sk-" + "aB3" * 16  # 51 characters: protobuf writes a 3 before it

    def save(*texts: str) -> dict[str, Path]:
        served = tf.Module()
        served.weights = tf.Variable(np.random.default_rng(17).normal(0, 0.05, (1_000, 384)).astype(np.float32))
        served.run = tf.function(lambda ids: (tf.gather(served.weights, ids), *map(tf.constant, texts)))
        served.run.get_concrete_function(tf.TensorSpec([None], tf.int32))
        tf.saved_model.save(served, str(tmp_path / "made"))
        return {file.name: file for file in (tmp_path / "made").rglob("*") if file.is_file()}

    assert scan(save("nobody")) == []
    found = scan(save(f"Ask {EMAIL}.", key))
    assert {(place.file, place.shown) for place in found} == {
        ("saved_model.pb", "z…@example.com"), ("saved_model.pb", "sk-a…"),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["bytes", "float32", "float16", "bfloat16", "int8", "uint8"])
def test_weights_look_like_nobodys_address(tmp_path: Path, kind: str) -> None:
    draw, size = np.random.default_rng(17), 10_000_000
    match kind:
        case "bytes":
            content = draw.bytes(size)
        case "int8" | "uint8":
            content = (draw.normal(0, 32, size).clip(-127, 127) + 128 * (kind == "uint8")).astype(kind).tobytes()
        case "bfloat16":
            content = (draw.normal(0, 0.05, size // 2).astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
        case _:
            content = draw.normal(0, 0.05, size // np.dtype(kind).itemsize).astype(kind).tobytes()
    file = written(tmp_path / "model.bin", content)
    begun = time.process_time()
    assert scan({"model.bin": file}) == []
    assert time.process_time() - begun < 5  # about 0.3 s


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert list(strings.found(written(tmp_path / "a.pb", b""))) == []
    assert scan(dict.fromkeys(FORMS, tmp_path / "a.pb")) == []


@pytest.mark.parametrize(
    "content", [b"a\0b", bytes(range(256)), b"PK\x03\x04" + b"x" * 99, b"BZh9\x01\x02\xff", "wide".encode("utf-32")]
)
def test_what_is_no_text_and_of_no_known_form_is_refused(tmp_path: Path, content: bytes) -> None:
    files = {"LICENSE.pdf": written(tmp_path / "LICENSE.pdf", content)}
    mark = one(files["LICENSE.pdf"]).name
    with refusing(
        "publication: 1 file is neither text nor of a form that is looked through, so nothing was uploaded; take it out of",
        f"publication.allow={mark},…",
        f"LICENSE.pdf: {len(content)} bytes ({mark})",
    ):
        check(files, ["email"])
    check(files, [mark])
    check(files, ["unread"])


def test_what_is_personal_and_what_cannot_be_read_are_told_at_once(tmp_path: Path) -> None:
    files = {f"{number}.dat": written(tmp_path / f"{number}.dat", b"\0\0%d" % number) for number in range(12)}
    files["README.md"] = written(tmp_path / "README.md", EMAIL.encode())
    with pytest.raises(UserError) as caught:
        check(files, [])
    first, place, second, *places, last = caught.value.problems
    assert first.startswith("publication: 1 place looks") and "(corpus.mask=email does)" in first
    assert place.startswith("README.md, line 1")
    assert second.startswith("publication: 12 files are neither") and len(places) == 10 and last == "and 2 more"


def test_bytes_that_could_be_characters_of_two_bytes_are_read_both_ways(tmp_path: Path) -> None:
    content = ("的一是在不了有和人这\n" * 100).encode("utf-16-be") + EMAIL.encode()
    assert one(written(tmp_path / "a.dat", content + b"\0" * (len(content) % 2))).key == "byte 2,201"
