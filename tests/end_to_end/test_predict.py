"""Answers to new texts by the real command line, and as a function."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import inference
from pipeline.errors import UserError
from pipeline.inference import Model
from pipeline.tasks.classification import KIND, Classification
from pipeline.tasks.tagging import KIND as TAGGING_KIND
from pipeline.tasks.tagging import Tagging
from tests.conftest import ROOT, Cli, read_json, surroundings, write_csv
from tests.end_to_end.conftest import Command, Done, Finish, commanded, lines, write_lines

pytestmark = pytest.mark.slow
KEEPER = "The keeper saved two penalties."
PASSAGE = "Ms Odell keeps bees. In Harrow Lane nobody minds."
SENTENCE = "Ms Odell keeps bees in Harrow Lane."
PAIR = ("The river burst its banks.", "Nobody drowned.")


def test_a_text_is_answered_with_its_label(finish: Finish) -> None:
    (row,) = finish("topics").predict("--text", KEEPER).rows()
    assert row["text"] == KEEPER
    assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)
    assert set(row["probabilities"]) == {"business", "culture", "science", "sport"}


def test_new_texts_are_answered_as_the_run_answered_them(finish: Finish, tmp_path: Path) -> None:
    for recipe in ("topics", "rating", "emotions"):
        told = finish(recipe).answers()
        file = write_lines(tmp_path / f"{recipe}.jsonl", *({"text": row["text"]} for row in told))
        for row, found in zip(told, finish(recipe).predict("--file", file).rows(), strict=True):
            assert similar(found, {name: row[name] for name in found})


def similar(one: Any, other: Any) -> bool:
    """Equal, but for what single precision and batches of other sizes round otherwise."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(similar(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(similar, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, abs=2e-4)
    return bool(one == other)


def test_two_texts_are_typed_in_their_order(finish: Finish) -> None:
    (row,) = finish("nli").predict("--text", PAIR[0], "--text", PAIR[1]).rows()
    assert (row["first"], row["second"]) == PAIR
    assert row["label"] in ("contradiction", "entailment", "neutral")


def test_a_question_is_typed_before_its_passage(finish: Finish) -> None:
    (row,) = finish("qa").predict("--text", "Who keeps bees?", "--text", PASSAGE).rows()
    assert (row["question"], row["context"]) == ("Who keeps bees?", PASSAGE)
    for found in (row, *row["candidates"]):
        assert not found["answer"] or PASSAGE[found["start"] : found["end"]] == found["answer"]


def test_choices_are_typed_behind_their_question_however_many(finish: Finish) -> None:
    for choices in (["warm", "cold"], ["warm", "cold", "blue", "loud", "late"]):
        typed = [word for text in ["Ice is", *choices] for word in ("--text", text)]
        (row,) = finish("choice").predict(*typed).rows()
        assert row["choices"] == choices and row["choice"] == choices[row["answer"]]
        assert len(row["probabilities"]) == len(choices)


def test_a_predicate_stands_between_asterisks(finish: Finish) -> None:
    (row,) = finish("srl").predict("--text", "The cook *gave* the guests soup.").rows()
    assert row["text"] == "The cook gave the guests soup."
    assert row["predicate"] == {"text": "gave", "start": 9, "end": 13}
    for found in row["arguments"]:
        assert row["text"][found["start"] : found["end"]] == found["text"]


def test_frames_of_a_file_are_answered_one_by_one(finish: Finish, tmp_path: Path) -> None:
    words = ["Bees", "dance", "and", "sing"]
    row = {"tokens": words, "frames": [{"predicate": 1}, {"predicate": 3}]}
    found = finish("srl").predict("--file", write_lines(tmp_path / "a.jsonl", row)).rows()
    assert [each["predicate"]["text"] for each in found] == ["dance", "sing"]


def test_spans_quote_the_text_as_it_was_typed(finish: Finish) -> None:
    (row,) = finish("ner").predict("--text", f"  {SENTENCE} ").rows()
    for found in row["entities"]:
        assert row["text"][found["start"] : found["end"]] == found["text"]


TEXTS = [KEEPER, "A comet was seen, twice.", 'Shares "fell".', "Ein Käfer — blau."]


def test_files_of_every_ending_give_the_same_answers(finish: Finish, tmp_path: Path) -> None:
    topics = finish("topics")
    files = [
        write_lines(tmp_path / "a.jsonl", *({"text": text} for text in TEXTS)),
        write_csv(tmp_path / "a.csv", [(text,) for text in TEXTS], header=("text",)),
        tmp_path / "a.txt",
        tmp_path / "a.json",
    ]
    files[2].write_text("\n\n".join(TEXTS) + "\n", encoding="utf-8")
    files[3].write_text(json.dumps([{"text": text} for text in TEXTS]), encoding="utf-8")
    answers = [topics.predict("--file", file).rows() for file in files]
    assert [row["text"] for row in answers[0]] == TEXTS
    assert all(found == answers[0] for found in answers)


def test_a_file_with_labels_is_answered_as_one_without(finish: Finish, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", [(text, "unheard of") for text in TEXTS])
    assert [row["text"] for row in finish("topics").predict("--file", file).rows()] == TEXTS


def test_a_column_of_another_name_is_named(finish: Finish, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", [(KEEPER,)], header=("headline",))
    assert refused(finish("topics").predict("--file", file), str(file), "no column 'text'", "task.text=NAME")
    (row,) = finish("topics").predict("task.text=headline", "--file", file).rows()
    assert row["text"] == KEEPER


def test_a_file_of_squad_is_answered_question_by_question(finish: Finish, tmp_path: Path) -> None:
    questions = [{"id": str(n), "question": text} for n, text in enumerate(["Who keeps bees?", "Where?"])]
    document = {"version": "2.0", "data": [{"title": "Bees", "paragraphs": [{"context": PASSAGE, "qas": questions}]}]}
    file = tmp_path / "squad.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    rows = finish("qa").predict("--file", file).rows()
    assert [row["question"] for row in rows] == ["Who keeps bees?", "Where?"]
    assert all(row["context"] == PASSAGE and "answer" in row for row in rows)


@pytest.mark.parametrize("tags", ["\tX", ""], ids=["with tags", "without tags"])
def test_a_conll_file_is_answered_sentence_by_sentence(finish: Finish, tmp_path: Path, tags: str) -> None:
    sentences = [["Bees", "dance", "."], ["Nobody", "minds", "."]]
    file = tmp_path / "a.conll"
    text = "\n".join("".join(f"{word}{tags}\n" for word in words) for words in sentences)
    file.write_text(text, encoding="utf-8")
    rows = finish("pos").predict("--file", file).rows()
    assert [[tag["text"] for tag in row["tags"]] for row in rows] == sentences


def test_answers_are_written_to_a_file(finish: Finish, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a.jsonl", *({"text": text} for text in TEXTS))
    out = tmp_path / "new" / "answers.jsonl"
    done = finish("topics").predict("--file", file, "--out", out)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == f"{out}: written"
    assert lines(out) == finish("topics").predict("--file", file).rows()


def test_a_prediction_that_fails_leaves_the_file_of_answers_as_it_was(
    finish: Finish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "CHUNK", 1)  # so that the first rows are answered before the bad one is read
    file = write_lines(tmp_path / "a.jsonl", {"text": KEEPER}, {"text": "Fine."}, {"text": " "})
    out = tmp_path / "answers.jsonl"
    out.write_text("as it was\n", encoding="utf-8")
    assert refused(finish("topics").predict("--file", file, "--out", out), f"{file}, line 3: no text")
    assert out.read_text(encoding="utf-8") == "as it was\n"
    assert sorted(tmp_path.iterdir()) == [file, out]


def test_what_cannot_be_written_is_refused_before_a_model_is_loaded(
    finish: Finish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "Model", None)
    file = write_lines(tmp_path / "a.jsonl", {"text": KEEPER})
    for out in (tmp_path, file, file / "x"):
        assert refused(finish("topics").predict("--file", file, "--out", out), f"--out {out}: ")


def test_answers_to_the_output_of_the_command_are_answers_alone(finish: Finish, cli: Cli, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a.jsonl", {"text": KEEPER})
    done = cli("predict", "topics", "--file", file, "--out", "/dev/stdout", PIPELINE_HOME=finish("topics").home)
    assert [row["text"] for row in map(json.loads, done.stdout.splitlines())] == [KEEPER]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_answers_keep_the_order_of_the_rows(
    finish: Finish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(inference, "CHUNK", size)
    texts = [f"{'very ' * (7 * number % 11)}late {number}" for number in range(10)]
    for recipe in ("topics", "ner"):
        file = write_lines(tmp_path / f"{recipe}.jsonl", *({"text": text} for text in texts))
        rows = finish(recipe).predict("--file", file).rows()
        assert [row["text"] for row in rows] == texts
        for text, row in zip(texts[:2], rows[:2], strict=True):
            assert similar(row, finish(recipe).predict("--text", text).rows()[0])


ASKED: dict[str, list[str]] = {
    "topics": [KEEPER],
    "emotions": ["I could cry."],
    "nli": list(PAIR),
    "similarity": list(PAIR),
    "ner": [SENTENCE],
    "srl": ["The cook *gave* the guests soup."],
    "qa": ["Who keeps bees?", PASSAGE],
    "choice": ["Ice is", "warm", "cold"],
}


@pytest.mark.parametrize("recipe", ASKED)
def test_onnx_gives_the_answers_of_the_model(finish: Finish, recipe: str) -> None:
    typed = [word for text in ASKED[recipe] for word in ("--text", text)]
    (default,) = finish(recipe).predict(*typed).rows()
    (found,) = finish(recipe).predict(*typed, "--format", "onnx").rows()
    assert similar(found, default)


@pytest.mark.parametrize(
    ("recipe", "form"), [("topics", "onnx"), ("ner", "onnx"), ("qa", "onnx"), ("topics", "onnx-int8")]
)
def test_onnx_runs_without_any_framework(finish: Finish, recipe: str, form: str) -> None:
    finished = finish(recipe, *([f"export.formats=safetensors,{form}"] if form != "onnx" else []))
    typed = [word for text in ASKED[recipe] for word in ("--text", text)]
    script = f"""
import sys
from pipeline.cli import main
code = main(["predict", {recipe!r}, *{typed!r}, "--format", {form!r}])
heavy = {{"torch", "transformers", "tensorflow", "keras", "datasets", "evaluate", "accelerate", "sklearn"}}
print("heavy:", sorted(heavy & set(sys.modules)))
sys.exit(code)
"""
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, env=surroundings(finished.home), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    answer, heavy = found.stdout.splitlines()
    assert heavy == "heavy: []" and json.loads(answer)
    assert not found.stderr.strip()


def refused(done: Done, *parts: str) -> bool:
    """A user's mistake, told in one line that holds every one of ``parts``."""
    assert done.code == 2, done.out + done.err
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in done.err
    assert [part for part in parts if part not in line] == [], line
    return True


def test_a_recipe_that_was_never_run_has_no_model(command: Command, home: Path) -> None:
    done = command("predict", "topics", "--text", KEEPER)
    assert refused(done, str(home / "results" / "topics"), "no results yet", "make finetune RECIPE=topics")


def test_what_to_answer_is_given_once(finish: Finish, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a.jsonl", {"text": KEEPER})
    assert refused(finish("topics").predict(), '--text "…"', "--file FILE")
    assert refused(finish("topics").predict("--text", KEEPER, "--file", file), '--text "…"', "--file FILE")
    assert refused(finish("topics").predict("--text", KEEPER, "--out", file), "--out")


def test_a_format_that_there_is_not_is_refused(finish: Finish) -> None:
    done = finish("topics").predict("--text", KEEPER, "--format", "onx")
    assert refused(done, "--format onx: no such format", "onnx")


def test_a_format_that_was_not_exported_is_refused(finish: Finish) -> None:
    done = finish("topics").predict("--text", KEEPER, "--format", "litert")
    assert refused(done, str(finish("topics").results), "litert")


@pytest.mark.parametrize(
    ("recipe", "texts", "wanted"),
    [
        ("topics", ["a", "b"], '--text "TEXT"'),
        ("nli", ["a"], '--text "FIRST", --text "SECOND"'),
        ("nli", ["a", "b", "c"], '--text "FIRST", --text "SECOND"'),
        ("qa", ["a"], '--text "QUESTION", --text "CONTEXT"'),
        ("choice", ["a"], '--text "QUESTION", --text "CHOICES" …'),
    ],
)
def test_another_number_of_texts_is_refused(finish: Finish, recipe: str, texts: list[str], wanted: str) -> None:
    done = finish(recipe).predict(*[word for text in texts for word in ("--text", text)])
    assert refused(done, f"--text is given {len(texts)} times", wanted)


def test_one_choice_is_none(finish: Finish) -> None:
    assert refused(finish("choice").predict("--text", "Ice is", "--text", "cold"), "--text: 1 choices")


def test_a_text_without_a_predicate_is_refused(finish: Finish) -> None:
    done = finish("srl").predict("--text", "The cook gave the guests soup.")
    assert refused(done, "--text: no predicate", "asterisks")


def test_files_that_cannot_be_read_are_refused(finish: Finish, tmp_path: Path) -> None:
    missing, odd, plain = tmp_path / "missing.csv", tmp_path / "a.docx", tmp_path / "a.txt"
    odd.write_text("x", encoding="utf-8")
    plain.write_text("x\n", encoding="utf-8")
    assert refused(finish("topics").predict("--file", missing), f"--file {missing}: no such file")
    assert refused(finish("topics").predict("--file", tmp_path), f"--file {tmp_path}: a folder; it wants a file")
    assert refused(finish("topics").predict("--file", odd), f"--file {odd}", ".csv", ".txt")
    assert refused(finish("nli").predict("--file", plain), f"--file {plain}", "first, second", ".jsonl or .csv")


def test_an_empty_text_names_its_row(finish: Finish, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", [(KEEPER,), ("  ",)], header=("text",))
    assert refused(finish("topics").predict("--file", file), f"{file}, line 3: no text")
    pairs = write_lines(tmp_path / "a.jsonl", {"first": "a", "second": "b"}, {"first": "a", "second": ""})
    assert refused(finish("nli").predict("--file", pairs), f"{pairs}, line 2: no text")
    for recipe in ("topics", "ner"):
        for text in ("", " "):
            assert refused(finish(recipe).predict("--text", text), "--text: no text")


def test_a_missing_column_is_named(finish: Finish, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", [(KEEPER,)], header=("first",))
    assert refused(finish("nli").predict("--file", file), str(file), "no column 'second'")
    rows = write_lines(tmp_path / "a.jsonl", {"question": "Who?"})
    assert refused(finish("qa").predict("--file", rows), f"{rows}, line 1: no column 'context'")


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_file_without_texts_is_refused(finish: Finish, tmp_path: Path, text: str) -> None:
    file, out = tmp_path / "a.txt", tmp_path / "answers.jsonl"
    file.write_text(text, encoding="utf-8")
    assert refused(finish("topics").predict("--file", file, "--out", out), f"--file {file}: no text in it")
    assert not out.exists()


def test_a_long_text_is_tagged_to_its_end(finish: Finish) -> None:
    pos = finish("pos")
    long = " ".join(f"Odell keeps {n} bees." for n in range(120))
    (row,) = pos.predict("--text", long).rows()
    words = [tag["text"] for tag in row["tags"]]
    assert len(words) == 600 and "".join(words) == long.replace(" ", "")
    assert all(tag["score"] > 0 for tag in row["tags"])
    assert all(long[tag["start"] : tag["end"]] == tag["text"] for tag in row["tags"])


def test_a_long_passage_is_read_to_its_end(finish: Finish) -> None:
    passage = "Nobody minds the bees in the lane. " * 80 + "Odell."
    (row,) = finish("qa").predict("--text", "Who?", "--text", passage).rows()
    for found in (row, *row["candidates"]):
        assert not found["answer"] or passage[found["start"] : found["end"]] == found["answer"]


@pytest.mark.parametrize(
    ("recipe", "settings", "texts"),
    [
        ("qa", ("max_length=64", "task.stride=16", "task.answer_length=4"), ("Who keeps bees?", PASSAGE * 9)),
        ("generate", (), ("Why do bees hum?",)),  # for 12 tokens, as every recipe that writes does here
    ],
)
def test_a_model_is_asked_with_the_settings_that_it_was_made_with(
    finish: Finish, recipe: str, settings: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    made = finish(recipe, *settings)
    asked = [part for text in texts for part in ("--text", text)]
    found = commanded(made.home, "predict", recipe, *asked).rows()
    assert found == made.predict(*asked).rows()
    if recipe == "qa":
        assert all(len(each["answer"].split()) <= 4 for each in (found[0], *found[0]["candidates"]))
        fewer = commanded(made.home, "predict", recipe, "task.candidates=1", *asked).rows()
        assert len(fewer[0]["candidates"]) < len(found[0]["candidates"]), (
            "what is said now counts before what was said then"
        )


def test_settings_that_a_recipe_has_no_more_are_passed_over(finish: Finish) -> None:
    made = finish("topics")
    file = made.results / "run.json"
    facts = read_json(file)
    assert "corpus.limit" in facts["settings"]
    before = file.read_text(encoding="utf-8")
    file.write_text(
        json.dumps({**facts, "settings": {"task.gone": "x", "corpus.encoding": "utf-16", "training.epochs": "many"}}),
        encoding="utf-8",
    )
    try:
        assert commanded(made.home, "predict", "topics", "--text", KEEPER).rows()[0]["text"] == KEEPER
    finally:
        file.write_text(before, encoding="utf-8")


def test_a_model_is_a_function(finish: Finish) -> None:
    task = Classification()
    model = Model(finish("topics").results, task, KIND.form(task), KIND.judging)
    assert similar(model(KEEPER), finish("topics").predict("--text", KEEPER).rows()[0])
    tagger = Tagging()
    tag = Model(finish("ner").results / "onnx", tagger, TAGGING_KIND.form(tagger), TAGGING_KIND.judging, "onnx")
    assert similar(tag(SENTENCE), finish("ner").predict("--text", SENTENCE).rows()[0])


def test_a_function_has_no_answer_to_leave_out(finish: Finish) -> None:
    task = Classification(invalid="skip")
    model = Model(finish("topics").results, task, KIND.form(task), KIND.judging)
    with pytest.raises(UserError, match="--text: no text"):
        model(" ")
    assert model(KEEPER)["text"] == KEEPER


def test_a_prediction_is_quiet(finish: Finish, cli: Cli) -> None:
    topics = finish("topics")
    done = cli("predict", "topics", "--text", KEEPER, PIPELINE_HOME=str(topics.home))
    assert done.returncode == 0 and not done.stderr.strip()
    assert len(done.stdout.splitlines()) == 1


def test_the_python_of_the_page_on_tasks_runs(
    finish: Finish, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(finish("topics").home)
    exec(compile(script, "tasks.md", "exec"), {})
    assert "'label'" in capsys.readouterr().out


def test_a_file_in_another_encoding_is_read_as_named(finish: Finish, tmp_path: Path) -> None:
    file, finished = tmp_path / "texts.txt", finish("topics")
    file.write_bytes("Le café a fermé, hélas.\n".encode("cp1252"))
    done = finished.predict("--file", file)
    assert done.code == 2 and "not UTF-8" in done.err and "corpus.encoding=" in done.err
    (row,) = finished.predict("--file", file, "corpus.encoding=cp1252").rows()
    assert row["text"] == "Le café a fermé, hélas."


def test_rows_that_cannot_be_answered_are_left_out_if_that_is_asked_for(finish: Finish, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "ask.jsonl", {"text": "A"}, {"text": " "}, {"words": "B"}, {"text": "C"})
    done = finish("topics").predict("--file", file, "task.invalid=skip")
    assert [row["text"] for row in done.rows()] == ["A", "C"]
    lines = [line for line in done.err.splitlines() if line.startswith("left out: ")]
    assert [line.partition(", ")[2].partition(";")[0] for line in lines] == [
        "line 2: no text",
        "line 3: no 'text', which rows before it have",
    ]
