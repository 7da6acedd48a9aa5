"""What a card says of each kind of task: the Hub's name of it, what it is for, and how to use a model of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.hub import looks_like_id
from pipeline.tasks import Decision, Task
from pipeline.tasks.candidates import BEST

MODEL = "PATH OR ID OF THIS MODEL"
ADAPTER = "PATH OR ID OF THIS ADAPTER"


@dataclass(frozen=True)
class Usage:
    """``tag`` is the Hub's name of the task; ``title`` and ``purpose`` hold ``{labels}``; ``limit`` is what to beware of;
    ``snippet`` is Python, with ``{labels}``, ``{model}`` and ``{file:NAME}``, a file of the model's; and what
    :func:`numbers_of` tells."""

    tag: str
    title: str
    purpose: str
    limit: str
    snippet: str


PIPELINE = """from transformers import pipeline

{call}"""
AUTO = """import torch
from transformers import {kind}, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{{model}}")
model = {kind}.from_pretrained("{{model}}").eval()
{body}"""


def _pipeline(*lines: str) -> str:
    return PIPELINE.format(call="\n".join(lines))


def _auto(kind: str, *lines: str) -> str:
    return AUTO.format(kind=kind, body="\n".join(lines))


CLASSIFIER = (
    "It answers one of its labels to any text, also to one of another kind or in another language than it learned from."
)
NUMBERS = "It answers a number to any text; numbers beyond those that it learned from mean little."

SEQ2SEQ = """from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{model}")
targets = {targets}
model = AutoModelForSeq2SeqLM.from_pretrained("{model}")
inputs = tokenizer("…", return_tensors="pt", truncation=True, return_token_type_ids=False)
print(targets.decode(model.generate(**inputs)[0], skip_special_tokens=True))"""

USAGES = {
    ("classification", False): Usage(
        "text-classification", "Text classifier: {labels}", "to tell {labels} apart", CLASSIFIER,
        _pipeline('classify = pipeline("text-classification", model="{model}")', 'print(classify("…", truncation=True))'),
    ),
    ("classification", True): Usage(
        "text-classification", "Classifier of pairs of texts: {labels}", "to tell of two texts whether they are {labels}",
        CLASSIFIER,
        _pipeline(
            'classify = pipeline("text-classification", model="{model}")',
            'print(classify({{"text": "…", "text_pair": "…"}}, truncation=True))',
        ),
    ),
    ("multilabel", False): Usage(
        "text-classification", "Text classifier, several labels at once: {labels}",
        "to find which of {labels} a text has", "It knows no labels but these, and gives a text that has others some of them or none.",
        _pipeline(
            "import json\n", 'classify = pipeline("text-classification", model="{model}", function_to_apply="sigmoid")',
            'thresholds = json.load(open({file:decision.json}))["thresholds"]',
            'found = classify("…", top_k=None, truncation=True)',
            'print([each for each in found if each["score"] >= thresholds[each["label"]]])',
        ),
    ),
    ("regression", False): Usage(
        "text-classification", "A number for a text", "to give texts a number", NUMBERS,
        _pipeline(
            'rate = pipeline("text-classification", model="{model}", function_to_apply="none")',
            'print(rate("…", truncation=True)[0]["score"])',
        ),
    ),
    ("regression", True): Usage(
        "text-classification", "A number for a pair of texts", "to give pairs of texts a number", NUMBERS,
        _pipeline(
            'compare = pipeline("text-classification", model="{model}", function_to_apply="none")',
            'print(compare({{"text": "…", "text_pair": "…"}}, truncation=True)["score"])',
        ),
    ),
    ("tagging", False): Usage(
        "token-classification", "Tagger: {labels}", "to mark {labels} in texts",
        "It looks for what it learned in any text, also in one of another kind or in another language than it learned from.",
        _pipeline(
            'tag = pipeline("token-classification", model="{model}", aggregation_strategy="first")', 'print(tag("…"))'
        ),
    ),
    ("tagging", True): Usage(
        "token-classification", "Semantic roles: {labels}", "to find {labels} of a predicate",
        "It finds arguments for whatever word it is told is the predicate.",
        _auto(
            "AutoModelForTokenClassification", 'text, predicate = {sentence}, "gave"',
            'inputs = tokenizer(text, predicate, return_tensors="pt", return_token_type_ids={types}, return_offsets_mapping=True)',
            'offsets = inputs.pop("offset_mapping")[0].tolist()', "begin = text.index(predicate)",
            "inside = [part == 0 and begin <= at[0] < begin + len(predicate) for part, at in zip(inputs.sequence_ids(), offsets)]",
            'if "token_type_ids" in inputs:', '    inputs["token_type_ids"][0, torch.tensor(inside)] = 1',
            "tags = model(**inputs).logits[0].argmax(-1).tolist()",
            "print([(text[b:e], model.config.id2label[t]) for t, (b, e), p in zip(tags, offsets, inputs.sequence_ids()) if p == 0])",
        ),
    ),
    ("questions", True): Usage(
        "question-answering", "Extractive question answering", "to find the answer to a question in a passage",
        "It quotes the passage, and is made to find something in it; it knows nothing that is not there.",
        _auto(
            "AutoModelForQuestionAnswering", 'question, context = "…", "…"',
            'inputs = tokenizer(question, context, return_tensors="pt", truncation="only_second", max_length={max_length}, return_offsets_mapping=True)',
            'offsets = inputs.pop("offset_mapping")[0].tolist()', "found = model(**inputs)",
            "starts, ends = found.start_logits[0].tolist(), found.end_logits[0].tolist()",
            "inside = [n for n, part in enumerate(inputs.sequence_ids()) if part == 1]  # the tokens of the passage",
            f"first, last = (sorted(inside, key=lambda n: -scores[n])[:{BEST}] for scores in (starts, ends))",
            "pairs = [(starts[i] + ends[j], i, j) for i in first for j in last if i <= j < i + {answer_length}]",
            'score, i, j = max(pairs, default=(float("-inf"), 0, 0))',
            "none = starts[0] + ends[0] - score > {null_threshold}",
            'print("" if none else context[offsets[i][0] : offsets[j][1]].strip())',
        ),
    ),
    ("choice", True): Usage(
        "multiple-choice", "Multiple choice", "to choose the answer that fits best",
        "It chooses one of the answers that it is given, though none may be right.",
        _auto(
            "AutoModelForMultipleChoice", 'question, choices = "…", ["…", "…"]',
            'inputs = tokenizer([question] * len(choices), choices, return_tensors="pt", padding=True, truncation=True)',
            "logits = model(**{{name: values[None] for name, values in inputs.items()}}).logits[0]",
            "print(choices[logits.argmax()])",
        ),
    ),
    ("summarization", False): Usage(
        "summarization", "Summaries", "to say in short what a text says",
        "It writes fluently whether or not the text says so: names, numbers and negations are to be checked.", SEQ2SEQ,
    ),
    ("translation", False): Usage(
        "translation", "Translation", "to say in another language what a text says",
        "It writes fluently whether or not the text says so, and knows the words that it learned from.", SEQ2SEQ,
    ),
    ("causal", False): Usage(
        "text-generation", "Text generation", "to go on with a text",
        "It writes what is likely, not what is true.",
        _pipeline('write = pipeline("text-generation", model="{model}")', 'print(write("…")[0]["generated_text"])'),
    ),
    ("chat", False): Usage(
        "text-generation", "Answers to prompts", "to answer prompts",
        "It writes what is likely, not what is true.",
        _pipeline(
            'write = pipeline("text-generation", model="{model}")',
            'print(write([{{"role": "user", "content": "…"}}])[0]["generated_text"][-1]["content"])',
        ),
    ),
    ("masked", False): Usage(
        "fill-mask", "An encoder for a kind of text", "to know the language of a kind of text, before it is fine-tuned for a task",
        "It knows which words belong where, and nothing about what they are for.",
        _pipeline('fill = pipeline("fill-mask", model="{model}")', 'print(fill(f"… {{fill.tokenizer.mask_token}} …"))'),
    ),
}  # fmt: skip


def usage_of(task: Task, *, chat: bool) -> Usage:
    """What a card says of a task; of one that goes on with text, whether it was taught to ``chat``."""
    kind = "chat" if chat and task.head == "causal" else getattr(task, "use", task.head)
    return USAGES[kind, task.segments]


def numbers_of(task: Task, decision: Decision, max_length: int) -> dict[str, str]:
    """What a snippet has to know of a model, as Python.  Where every question has an answer, nothing beats the best; a
    model without token types learned of predicates between asterisks."""
    threshold, types = decision.get("null_threshold"), "token_type_ids" in decision.get("inputs", ())
    predicate = "gave" if types else "* gave *"
    return {
        "max_length": str(max_length),
        "answer_length": str(getattr(task, "answer_length", "")),
        "null_threshold": 'float("inf")' if threshold is None else repr(threshold),
        "types": str(types),
        "sentence": f'"The cook {predicate} the guests soup."',
    }


def snippet(
    usage: Usage, labels: Sequence[str], numbers: Mapping[str, str], model: str = MODEL, *, own: bool = False
) -> str:
    """The Python that uses a model; with ``own``, one that writes in a vocabulary of its own."""
    targets = 'AutoTokenizer.from_pretrained("{model}", subfolder="target")' if own else "tokenizer"
    text = usage.snippet.replace("{targets}", targets)
    if "{file:" in text and looks_like_id(model):
        text = f"from huggingface_hub import hf_hub_download\n{text}"
    text = re.sub(r"\{file:([\w.]+)\}", lambda found: _file(found[1], model), text)
    return text.format(labels=list(labels), model=model, **numbers)


def _file(name: str, model: str) -> str:
    """Python for the path of a file of a model's."""
    return f'hf_hub_download("{model}", "{name}")' if looks_like_id(model) else f'"PATH OF {name.rpartition("/")[2]}"'


def usage_of_adapter(
    usage: Usage,
    labels: Sequence[str],
    numbers: Mapping[str, str],
    kind: str,
    base: str,
    revision: str,
    adapter: str = ADAPTER,
) -> Iterator[str]:
    """How to use an adapter of a base model that transformers loads as ``kind``; of one without a name if it is empty."""
    given = f'"{base or "PATH OR ID OF THE BASE MODEL"}"' + (f', revision="{revision}"' if revision else "")
    yield "## How to use\n\nMerge it with the base model, once; then use what comes out like any other model.\n"
    yield f"```python\nfrom peft import PeftModel\nfrom transformers import AutoConfig, {kind}, AutoTokenizer\n"
    yield f'adapter = "{adapter}"\nconfig = AutoConfig.from_pretrained(adapter)'
    yield f"base = {kind}.from_pretrained({given}, config=config, ignore_mismatched_sizes=True)"
    yield 'PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained("merged")'
    yield 'AutoTokenizer.from_pretrained(adapter).save_pretrained("merged")\n```\n'
    yield f"```python\n{snippet(usage, labels, numbers, 'merged')}\n```\n"


def network(config: Mapping[str, Any]) -> str:
    """What a network that is trained from scratch is."""
    return {
        "text-mlp": f"The mean of word embeddings through a hidden layer of {config.get('hidden_size')}",
        "text-cnn": f"A convolutional network over word embeddings, {config.get('filters')} filters of each width",
        "text-lstm": f"An LSTM of {config.get('hidden_size')} over word embeddings, read in both directions",
    }[config["model_type"]]


def usage_from_scratch(labels: Sequence[str], max_length: int, head: str, form: str, model: str = "") -> Iterator[str]:
    """How to use such a network by a ``form`` of ONNX, if it has one; ``model`` is its id on the Hub, if it has one."""
    yield "## How to use\n"
    yield "transformers knows no such network, so its `pipeline` cannot load it."
    if not form:
        yield "For an example of its use, make it again with `onnx` among `export.formats`.\n"
        return
    yield f"`{form}/model.onnx` and `tokenizer.json` are all that it takes.\n"
    yield "```python\nimport onnxruntime"
    if model:
        yield "from huggingface_hub import hf_hub_download"
    yield "from tokenizers import Tokenizer\n"
    yield f"tokenizer = Tokenizer.from_file({_file('tokenizer.json', model)})"
    yield f"tokenizer.no_padding()\ntokenizer.enable_truncation({max_length})"
    yield f"session = onnxruntime.InferenceSession({_file(f'{form}/model.onnx', model)})"
    yield 'text = tokenizer.encode("…")'
    yield 'inputs = {"input_ids": [text.ids], "attention_mask": [text.attention_mask]}'
    yield '(logits,) = session.run(["logits"], inputs)'
    answer = f"{list(labels)!r}[logits[0].argmax()]" if head == "classification" else "logits[0]"
    yield f"print({answer})\n```\n"
