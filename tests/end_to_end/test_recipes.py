"""Every recipe from its own corpus to card, exports and scores, through the real command line, on a small real model."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from pipeline.corpora.squad import flattened
from pipeline.stages.usage import MODEL, USAGES
from tests.conftest import ROOT, read_json
from tests.end_to_end.conftest import RECIPES, TIMED, Finish, Finished, write_lines

pytestmark = pytest.mark.slow
STEPS = ["fetch", "collect", "tokenize", "finetune", "predict", "evaluate", "export", "card"]
ADAPTED = ["fetch", "adapt-collect", "adapt-tokenize", "adapt-finetune", *STEPS[1:]]
Row = dict[str, Any]


def steps(recipe: str) -> list[str]:
    return ADAPTED if recipe == "adapted_sentiment" else STEPS


def label(row: Row) -> None:
    assert row["label"] in row["probabilities"] and row["truth"] in row["probabilities"]
    assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def labels(row: Row) -> None:
    assert set(row["labels"]) | set(row["truth"]) <= set(row["probabilities"])
    assert all(0 <= share <= 1 for share in row["probabilities"].values())


def score(row: Row) -> None:
    assert isinstance(row["score"], float) and row["truth"] == round(row["truth"], 4)


def spans(row: Row, name: str = "entities") -> None:
    for found in row[name]:
        assert row["text"][found["start"] : found["end"]] == found["text"] != ""
        assert 0 <= found["score"] <= 1 and found["label"][:2] not in ("B-", "I-")


def tags(row: Row) -> None:
    assert len(row["tags"]) == len(row["truth"])
    for found in row["tags"]:
        assert row["text"][found["start"] : found["end"]] == found["text"] != ""


def arguments(row: Row) -> None:
    marked = row["predicate"]
    assert row["text"][marked["start"] : marked["end"]] == marked["text"] != ""
    spans(row, "arguments")


def quotation(row: Row) -> None:
    for found in (row, *row["candidates"]):
        empty = found["answer"] == "" and found["start"] is None and found["end"] is None
        assert empty or row["context"][found["start"] : found["end"]] == found["answer"] != ""
        assert 0 <= found["score"] <= 1


def choice(row: Row) -> None:
    assert row["choices"][row["answer"]] == row["choice"] and row["truth"] in range(len(row["choices"]))
    assert len(row["probabilities"]) == len(row["choices"])
    assert row["probabilities"][row["answer"]] == max(row["probabilities"])


def written(row: Row) -> None:
    assert isinstance(row["written"], str) and isinstance(row["truth"], str | list)


def measured(row: Row) -> None:
    assert row["loss"] > 0 and row["tokens"] >= 1


@dataclass(frozen=True)
class Expected:
    """What people see of a recipe's answers: the score to look at first, the Hub's name of the task, the form."""

    headline: str
    tag: str
    form: Callable[[Row], None]


EXPECTED = {
    "adapt": Expected("perplexity", "fill-mask", measured),
    "adapted_sentiment": Expected("accuracy", "text-classification", label),
    "choice": Expected("accuracy", "multiple-choice", choice),
    "emotions": Expected("f1", "text-classification", labels),
    "generate": Expected("perplexity", "text-generation", written),
    "ner": Expected("f1", "token-classification", spans),
    "nli": Expected("accuracy", "text-classification", label),
    "paraphrase": Expected("f1", "text-classification", label),
    "pos": Expected("accuracy", "token-classification", tags),
    "qa": Expected("f1", "question-answering", quotation),
    "rating": Expected("pearson", "text-classification", score),
    "sentiment": Expected("accuracy", "text-classification", label),
    "similarity": Expected("pearson", "text-classification", score),
    "spam": Expected("f1", "text-classification", label),
    "srl": Expected("f1", "token-classification", arguments),
    "summarize": Expected("rougeL", "summarization", written),
    "topics": Expected("accuracy", "text-classification", label),
    "translate": Expected("bleu", "translation", written),
}
ONE_A_HEAD = ["topics", "emotions", "rating", "ner", "qa", "choice", "adapt", "adapted_sentiment"]
TENSORFLOW = pytest.mark.skipif(find_spec("keras_hub") is None, reason="TensorFlow is not installed")


def test_every_recipe_is_tried_here_and_every_kind_of_use() -> None:
    assert sorted(EXPECTED) == RECIPES
    assert set(USED) == set(USAGES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_one_command_brings_a_recipe_from_its_corpus_to_scores_exports_and_a_card(finish: Finish, recipe: str) -> None:
    finished = finish(recipe)
    made = [line.split()[0] for line in finished.done.out.splitlines() if "  made in " in line]
    assert made == steps(recipe)
    assert finished.done.out.count(" making: new\n") == len(made)  # also where a stage is there twice
    check(finished)


@TENSORFLOW
@pytest.mark.parametrize("recipe", ONE_A_HEAD)
def test_the_same_is_made_with_tensorflow(finish: Finish, recipe: str) -> None:
    finished = finish(recipe, "backend=tensorflow")
    check(finished)
    for name in finish(recipe).read("scores.json")["test"]:
        assert name in finished.read("scores.json")["test"]


def check(finished: Finished) -> None:
    """What people see of a recipe is there and as it should be."""
    expected = EXPECTED[finished.recipe]
    scores, details = finished.read("scores.json"), finished.read("details.json")
    assert list(scores) == ["validation", "test"]
    for split, values in scores.items():
        assert next(iter(values)) == expected.headline
        low, high = details[split]["intervals"][expected.headline]
        assert low <= values[expected.headline] <= high
        assert any(name.startswith("baseline_") for name in values)
        assert f"{split}: {expected.headline}" in finished.done.out
    rows = finished.answers()
    assert len(rows) == finished.read("data.json")["splits"]["test"]["rows"] == 24
    assert EXPECTED[finished.recipe].form.__name__ != "written" or any(row["written"] for row in rows)
    for row in rows:
        expected.form(row)
    exports = finished.read("exports.json")
    assert list(exports) == ["safetensors", "onnx"]
    for found in exports.values():
        assert found["rows"] >= 24 and found["largest_difference"] <= 1e-4
        assert ("milliseconds" in found) == (finished.recipe == TIMED)
    card = finished.results / "README.md"
    assert ("ms for 32 | rows/s |" in card.read_text(encoding="utf-8")) == (finished.recipe == TIMED)
    assert f"\npipeline_tag: {expected.tag}\n" in card.read_text(encoding="utf-8")
    assert expected.headline.replace("_", " ") in card.read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_second_run_finds_everything(finish: Finish, recipe: str) -> None:
    again = finish(recipe).command("run")
    assert again.code == 0, again.err
    assert [line.split()[0] for line in again.out.splitlines() if line.endswith("  found")] == steps(recipe)
    assert "made in" not in again.out


def used(finished: Finished, **texts: str) -> str:
    """What the Python of the card prints; ``texts`` stand in for the dots, in their order."""
    card = (finished.results / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```", card, re.DOTALL | re.MULTILINE)
    folder = finished.results / "model"
    script = script.replace(MODEL, str(folder)).replace("PATH OF decision.json", str(folder / "decision.json"))
    for text in texts.values():
        script = script.replace('"…"', repr(text), 1)
    printed = StringIO()
    with redirect_stdout(printed):
        exec(compile(script, "README.md", "exec"), {})
    return printed.getvalue().strip()


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_python_of_the_card_runs_as_it_stands(finish: Finish, recipe: str) -> None:
    used(finish(recipe))


# A recipe for each kind of use, and the fields of a row that its Python asks about.
USED = {
    ("classification", False): ("topics", ["text"]),
    ("classification", True): ("nli", ["first", "second"]),
    ("multilabel", False): ("emotions", ["text"]),
    ("regression", False): ("rating", ["text"]),
    ("regression", True): ("similarity", ["first", "second"]),
    ("tagging", False): ("ner", ["text"]),
    ("tagging", True): ("srl", []),
    ("questions", True): ("qa", ["question", "context"]),
    ("choice", True): ("choice", ["question"]),
    ("summarization", False): ("summarize", ["text"]),
    ("translation", False): ("translate", ["text"]),
    ("chat", False): ("generate", []),
    ("causal", False): ("", []),
    ("masked", False): ("adapt", []),
}


def answer(kind: tuple[str, bool], printed: Any, row: Row) -> None:
    """What the card's Python prints for a row must be what the pipeline answered to it."""
    match kind[0]:
        case "classification":
            (found,) = printed if isinstance(printed, list) else [printed]
            assert found["label"] == row["label"]
            assert found["score"] == pytest.approx(row["probabilities"][row["label"]], abs=1e-4)
        case "multilabel":
            found = printed[0] if printed and isinstance(printed[0], list) else printed
            assert {each["label"] for each in found} == set(row["labels"])
        case "regression":
            assert printed == pytest.approx(row["score"], abs=1e-3)


@pytest.mark.parametrize(
    "kind", [kind for kind in USED if kind[0] in ("classification", "multilabel", "regression")], ids=str
)
def test_the_python_of_the_card_answers_as_the_pipeline_does(finish: Finish, kind: tuple[str, bool]) -> None:
    recipe, fields = USED[kind]
    finished = finish(recipe)
    for row in finished.answers()[:3]:
        printed = used(finished, **{name: row[name] for name in fields})
        answer(kind, eval(printed, {}), row)


def test_the_python_of_the_card_of_a_tagger_marks_parts_of_the_text(finish: Finish) -> None:
    finished = finish("ner")
    text = finished.answers()[0]["text"]
    for found in eval(used(finished, text=text), {"np": __import__("numpy")}):
        assert 0 <= found["start"] < found["end"] <= len(text)
        assert found["entity_group"] in ("organisation", "person", "place")


def test_the_python_of_the_card_for_roles_gives_every_word_of_the_sentence_a_tag(finish: Finish) -> None:
    finished = finish("srl")
    pairs = eval(used(finished), {})
    assert "".join(part for part, _ in pairs) == "Thecookgavetheguestssoup."
    assert {tag for _, tag in pairs} <= set(finished.read("model/config.json")["label2id"])


def test_the_python_of_the_card_for_roles_answers_as_the_pipeline_does(finish: Finish) -> None:
    finished = finish("srl")
    pairs = eval(used(finished), {})
    (row,) = finished.predict("--text", "The cook *gave* the guests soup.").rows()
    begins = {text.index(part): tag for text in [row["text"]] for part, tag in pairs if part in text.split()}
    for found in row["arguments"]:
        assert begins.get(found["start"], f"B-{found['label']}")[2:] == found["label"]


@pytest.mark.parametrize("recipe", ["summarize", "translate"])
def test_the_python_of_the_card_writes_what_the_pipeline_wrote(finish: Finish, recipe: str) -> None:
    finished = finish(recipe)
    for row in finished.answers()[:3]:
        assert used(finished, text=row["text"]).split() == row["written"].split()


def test_the_python_of_the_card_answers_a_prompt_as_the_pipeline_did(finish: Finish) -> None:
    finished = finish("generate")
    row = finished.answers()[0]
    assert used(finished, text=row["said"][-1]).split() == row["written"].split()


def test_a_model_of_plain_texts_goes_on_with_them_as_its_card_shows(finish: Finish, tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "notes.jsonl", *({"text": f"The {n}th day was fine. It ended at {n}."} for n in range(60))
    )
    finished = finish("generate", f"corpus.source={file}")
    row = finished.answers()[0]
    assert row["tokens"] > 1 and "bits_per_byte" in finished.read("scores.json")["test"]
    card = (finished.results / "README.md").read_text(encoding="utf-8")
    assert 'print(write("…")[0]["generated_text"])' in card
    (answer,) = finished.predict("--text", "The 7th day").rows()
    said = used(finished, text="The 7th day")
    assert said.removeprefix("The 7th day").split() == answer["written"].split()


def test_hidden_words_are_filled_in(finish: Finish) -> None:
    (row,) = finish("adapt").predict("--text", "The [MASK] was [MASK].").rows()
    assert [len(each["tokens"]) for each in row["filled"]] == [5, 5]
    assert all(each["probabilities"] == sorted(each["probabilities"], reverse=True) for each in row["filled"])


@pytest.mark.parametrize("answerable", [False, True], ids=["some have no answer", "all have an answer"])
def test_the_python_of_the_card_of_questions_answers_as_the_pipeline_does(
    finish: Finish, tmp_path: Path, answerable: bool
) -> None:
    more = []
    if answerable:
        asked = flattened(read_json(ROOT / "recipes" / "data" / "questions" / "train.json"), "train.json") or []
        rows = [row for row in asked if row["answers"]]
        more = [f"corpus.source={write_lines(tmp_path / 'questions.jsonl', *rows)}"]
    finished = finish("qa", *more)
    assert (finished.read("model/decision.json")["null_threshold"] is None) == answerable
    rows = finished.answers()
    told = [used(finished, question=row["question"], context=row["context"]) for row in rows]
    assert told == [row["answer"].strip() for row in rows]
    assert any(told) or not answerable


def test_the_card_of_questions_says_what_becomes_of_long_passages(finish: Finish) -> None:
    card = (finish("qa").results / "README.md").read_text(encoding="utf-8")
    assert "reads 256 tokens" in card and "in windows that share 64 tokens" in card


@pytest.mark.parametrize(("recipe", "found"), [("spam", "spam"), ("paraphrase", "paraphrase"), ("topics", "")])
def test_a_card_says_from_which_probability_on_a_label_is_answered(finish: Finish, recipe: str, found: str) -> None:
    card = (finish(recipe).results / "README.md").read_text(encoding="utf-8")
    decision = finish(recipe).read("model/decision.json")
    told = (
        f"answering *{found}* from a probability of {decision['threshold']:.4f} on" if found else "from a probability"
    )
    assert (told in card) == bool(found)


def test_no_path_of_this_machine_is_written_into_a_card(finish: Finish, tmp_path: Path) -> None:
    for recipe in ("topics", "qa"):
        card = (finish(recipe).results / "README.md").read_text(encoding="utf-8")
        assert str(tmp_path.parent) not in card and str(Path.cwd()) not in card
