"""What is kept from being published, and what a refusal tells of it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from pipeline.artifacts import Bundle, Card, Scores
from pipeline.errors import UserError
from pipeline.privacy.scan import Place, check, scan
from pipeline.stages.publish import Publication, Publishing, publish
from tests.stages.conftest import put, refusing

EMAIL, PHONE, TOKEN = "zhang.san@example.com", "13812345678", "hf_" + "aB" * 17


def one(file: Path) -> Place:
    (found,) = scan({file.name: file})
    return found


def test_a_text_is_read_line_by_line(tmp_path: Path) -> None:
    place = one(put(tmp_path / "README.md", f"# A model\n\nMade by {EMAIL}.\n"))
    assert (place.file, place.line, place.shown) == ("README.md", 3, "z…@example.com")
    assert str(place).startswith("README.md, line 3: z…@example.com (email:")


def test_json_is_read_by_its_texts_and_names(tmp_path: Path) -> None:
    config = {"id2label": {"0": "ham", "1": PHONE}, "label2id": {EMAIL: 1}, "layers": [1, {"a": TOKEN}]}
    file = put(tmp_path / "config.json", json.dumps(config, indent=1, ensure_ascii=False))
    found = {(place.line, place.key, place.name.partition(":")[0]) for place in scan({"config.json": file})}
    assert found == {
        (4, "id2label.1", "phone"), (7, "label2id (a key)", "email"), (12, "layers[1].a", "secret"),
    }  # fmt: skip


def test_what_json_writes_in_other_characters_is_read_as_it_is_meant(tmp_path: Path) -> None:
    place = one(put(tmp_path / "a.json", '{\n"a": "\\uff11\\uff13812345678"}'))
    assert (place.line, place.shown) == (2, "１…78")


def test_each_line_of_json_lines_is_told_with_its_number(tmp_path: Path) -> None:
    rows = [{"text": "nobody"}, {"text": f"联系我{EMAIL}谢谢", "score": 0.13812345678}, {"text": "a\u2028b"}]
    file = put(tmp_path / "test.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    assert (one(file).line, one(file).key) == (2, "text")


@pytest.mark.parametrize(
    "name", ["broken.json", "broken.jsonl", "vocab.txt", "LICENSE", "chat_template.jinja", "a.csv"]
)
def test_whatever_is_text_is_read(tmp_path: Path, name: str) -> None:
    assert one(put(tmp_path / name, f"a\n{{ {EMAIL}")).line == 2


def test_the_names_of_places_hide_what_is_found_in_them_too(tmp_path: Path) -> None:
    file = put(tmp_path / "a.json", json.dumps({EMAIL: PHONE}))
    assert {place.key for place in scan({"a.json": file})} == {"a key", "z…@example.com"}


def test_words_that_a_tokenizer_learned_are_read(tmp_path: Path) -> None:
    vocabulary = {"model": {"type": "BPE", "vocab": {"<pad>": 0, "Ġhe": 1, f"Ġ{PHONE}": 2}, "merges": [["h", "e"]]}}
    place = one(put(tmp_path / "tokenizer.json", json.dumps(vocabulary)))
    assert (place.key, place.shown) == ("model.vocab (a key)", "1…78")


def test_headers_of_weights_are_read_and_the_weights_are_not(tmp_path: Path) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper
    from safetensors.numpy import save_file

    weights = np.frombuffer(f"{EMAIL}".encode() * 8, np.uint8)
    save_file({"w": weights}, tmp_path / "model.safetensors", {"format": "pt", "author": EMAIL})
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "g",
        *([helper.make_tensor_value_info(name, TensorProto.UINT8, [None])] for name in "xy"),
        initializer=[helper.make_tensor("w", TensorProto.UINT8, weights.shape, weights.tobytes(), raw=True)],
    )  # fmt: skip
    made = helper.make_model(graph, doc_string=f"by {PHONE}", producer_name="a", producer_version="1" * 200)
    helper.set_model_props(made, {"mail": EMAIL, "name": "x"})
    onnx.save(made, tmp_path / "model.onnx")
    found = scan({file.name: file for file in tmp_path.iterdir()})
    assert [(place.file, place.key, place.shown) for place in found] == [
        ("model.onnx", "doc_string", "1…78"), ("model.onnx", "metadata_props.mail", "z…@example.com"),
        ("model.safetensors", "__metadata__.author", "z…@example.com"),
    ]  # fmt: skip


def test_what_is_allowed_is_passed_over(tmp_path: Path) -> None:
    file = put(tmp_path / "README.md", f"{EMAIL} {PHONE} {EMAIL} other@example.com")
    found = scan({"README.md": file})
    assert len(found) == 4
    assert [place.shown for place in scan({"README.md": file}, [found[0].name])] == ["1…78", "o…@example.com"]
    assert [place.shown for place in scan({"README.md": file}, ["email"])] == ["1…78"]
    check({"README.md": file}, ["email", found[1].name])


def test_a_refusal_lists_the_first_places_and_says_what_to_do(tmp_path: Path) -> None:
    lines = "".join(f"{PHONE[:-2]}{number}\n" for number in range(10, 22)) + f"\n{TOKEN}\n"
    file = put(tmp_path / "README.md", lines)
    with pytest.raises(UserError) as caught:
        check({"README.md": file}, [])
    first, *places, last = caught.value.problems
    name = scan({"README.md": file})[0].name
    assert first.startswith("publication: 13 places look personal or secret, so nothing was uploaded; take it out of")
    assert "(corpus.mask=phone,secret does)" in first and f"publication.allow={name},… or with a kind alone" in first
    assert len(places) == 10 and places[1].startswith("README.md, line 2: 1…11 (phone:")
    assert last == "and 3 more"


def test_a_single_place_is_told_as_one(tmp_path: Path) -> None:
    with refusing("publication: 1 place looks personal", "README.md, line 1: hf_a… (secret:"):
        check({"README.md": put(tmp_path / "README.md", TOKEN)}, [])


def test_no_message_holds_what_was_found(tmp_path: Path) -> None:
    whole = [
        EMAIL,
        PHONE,
        TOKEN,
        "11010519491231002X",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "hunter22",
    ]
    text = " ".join(whole[:-1]) + " https://me:hunter22@host.example"
    file = put(tmp_path / "a.json", json.dumps({text: [text]}))
    with pytest.raises(UserError) as caught:
        check({"a.json": file}, [])
    message = str(caught.value)
    assert [each for each in whole if each in message] == []
    assert "13812345" not in message and "zhang" not in message and "1231002" not in message


@pytest.mark.parametrize(
    "content", [b"x", b"x" * 5_000, bytes(range(256)) * 20, b"\x72\xff\xff\xff\x7f" + b"\x0a\x01" * 9]
)
def test_a_damaged_head_says_nothing_and_takes_no_time(tmp_path: Path, content: bytes) -> None:
    for name in ("model.onnx", "model.safetensors"):
        (tmp_path / name).write_bytes(content)
        assert scan({name: tmp_path / name}) == []


def test_nothing_is_uploaded_that_was_not_looked_at(tmp_path: Path) -> None:
    files = {"bundle/model/config.json": "{}", "scores/scores.json": "{}", "card/README.md": f"Ask {EMAIL}."}
    for name, text in files.items():
        put(tmp_path / name, text)
    made = {
        "bundle": Bundle(tmp_path / "bundle"),
        "scores": Scores(tmp_path / "scores"),
        "card": Card(tmp_path / "card"),
    }
    with refusing("publication: 1 place looks personal", "README.md, line 1: z…@example.com"):
        publish(Publishing(Publication("me/model")), tmp_path, **made)


@pytest.mark.parametrize("allow", ["me@example.com", "mail", "email:", "email:12", "phone:ABCDEF", "email:1f2e3d4"])
def test_what_allows_nothing_is_refused(allow: str) -> None:
    with refusing(f"allow={allow}: expected KIND:MARK as a refusal names it, such as email:1f2e3d", "or one of email"):
        Publication(allow=(allow,))
    assert Publication(allow=("email", "phone:0123af")).allow


def test_a_vocabulary_and_thousands_of_answers_take_a_few_seconds(tmp_path: Path) -> None:
    vocab = {f"token{number}": number for number in range(30_000)}
    merges = [[f"to{number}", "ken"] for number in range(30_000)]
    row = {
        "text": "On 2024-05-06 the price was 1,234.50 for 12 of them, he said. " * 4,
        "probabilities": {"a": 0.060433},
    }
    files = {
        "tokenizer.json": put(tmp_path / "tokenizer.json", json.dumps({"model": {"vocab": vocab, "merges": merges}})),
        "test.jsonl": put(tmp_path / "test.jsonl", (json.dumps(row) + "\n") * 10_000),
    }
    begun = time.process_time()
    assert scan(files) == []
    assert time.process_time() - begun < 10  # about 1 s
