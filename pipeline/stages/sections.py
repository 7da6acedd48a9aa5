"""What a model card says below its metadata."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from pipeline.backends import Training
from pipeline.backends.heads import HEADS
from pipeline.backends.pytorch.network import HEADS as CLASSES
from pipeline.formats.alone import NEW_TOKENS
from pipeline.stages.facts import SHOWN, Facts
from pipeline.stages.usage import ADAPTER, MODEL, network, numbers_of, snippet, usage_from_scratch, usage_of_adapter

FILES = {
    "safetensors": "`model.safetensors`, for transformers",
    "onnx": "`onnx/model.onnx`, any batch size and length",
    "onnx-int8": "`onnx-int8/model.onnx`, of 8 bits, for ONNX Runtime",
    "onnx-fp16": "`onnx-fp16/model.onnx`, in half precision, for ONNX Runtime",
    "openvino": "`openvino/model.xml`, for OpenVINO",
    "savedmodel": "`savedmodel/`, for TensorFlow, any batch size and length",
    "litert": "`litert/model.tflite`, any batch size and length",
}


def lines(facts: Facts) -> Iterator[str]:
    """All of it, line by line."""
    yield f"# {facts.title}\n"
    yield from _origin(facts)
    yield from _usage(facts)
    yield from _intended(facts)
    yield from _scores(facts)
    yield from _data(facts)
    yield from _training(facts)
    yield from _reproduction(facts)
    yield from _files(facts)
    yield from _limits(facts)


def _origin(facts: Facts) -> Iterator[str]:
    base = f"`{facts.base_id}`" if facts.base_id else "a local checkpoint"
    at = f" at commit `{facts.source['revision']}`" if facts.source["revision"] else ""
    made = "An adapter for" if facts.adapter else "Fine-tuned from"
    if facts.scratch:
        made = f"{network(facts.architecture)}, trained from scratch with the tokenizer of"
    yield f"{made} {base}{at} {facts.usage.purpose.format(labels=_series(facts.data['labels']))}.\n"


def _usage(facts: Facts) -> Iterator[str]:
    head, repo = facts.config.task.head, facts.config.repo
    if facts.scratch:
        form = next((name for name in ("onnx", "onnx-int8", "onnx-fp16") if name in facts.exports), "")
        yield from usage_from_scratch(facts.labels, facts.cut["max_length"], head, form, repo)
        return
    numbers = numbers_of(facts.config.task, facts.decision, facts.cut["max_length"])
    if facts.adapter:
        origin = facts.adapter["base_model_name_or_path"], facts.adapter["revision"]
        yield from usage_of_adapter(facts.usage, facts.labels, numbers, CLASSES[head], *origin, adapter=repo or ADAPTER)
    else:
        code = snippet(facts.usage, facts.labels, numbers, repo or MODEL, own=facts.own)
        yield f"## How to use\n\n```python\n{code}\n```\n"
    if head == "questions":
        yield from _beyond_a_window(facts)
    if "threshold" in facts.decision:
        yield (
            f"That gives the likelier label. The scores below are of answering *{facts.decision['positive']}* from a "
            f"probability of {facts.decision['threshold']:.4f} on.\n"
        )


def _beyond_a_window(facts: Facts) -> Iterator[str]:
    """What the Python of questions leaves out, for it is to be short."""
    yield (
        f"It prints nothing where the passage holds no answer, and reads {facts.cut['max_length']} tokens, the question among "
        "them; the rest of a longer passage is not read. The scores below are of reading such a passage in windows that "
        f"share {getattr(facts.config.task, 'stride', 0)} tokens: the best answer of all windows is told, and none where in "
        "every window having no answer is better than it by as much.\n"
    )


def _intended(facts: Facts) -> Iterator[str]:
    """What it is for, and what for it is not."""
    language = facts.config.description.language
    texts = "texts like those that it learned from" + (f", in the language `{language}`" if language else "")
    yield "## Intended use\n"
    yield f"It is meant {facts.usage.purpose.format(labels=_series(facts.data['labels']))}, in {texts}."
    yield "Try it on rows of your own before you rely on it.\n"


def _scores(facts: Facts) -> Iterator[str]:
    yield "## Scores\n"
    yield "Measured on the saved model, after loading it again; in brackets, the 95% interval.\n"
    names = list(dict.fromkeys(name for values in facts.scores.values() for name in values))
    shown = [n for n in names if not n.startswith("baseline")][:SHOWN] + [n for n in names if n.startswith("baseline")]
    yield "| split | rows | " + " | ".join(name.replace("_", " ") for name in shown) + " |"
    yield "|---" * (len(shown) + 2) + "|"
    for split, values in facts.scores.items():
        rows = facts.data["splits"][split]["rows"]
        yield (
            f"| {split} | {rows:,} | "
            + " | ".join(_score(facts, split, name) if name in values else "–" for name in shown)
            + " |"
        )
    yield ""


def _score(facts: Facts, split: str, name: str) -> str:
    interval = facts.details[split]["intervals"].get(name)
    bounds = f" ({interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
    return f"{facts.scores[split][name]:.4f}{bounds}"


def _data(facts: Facts) -> Iterator[str]:
    yield "## Data\n"
    if facts.config.description.data:
        yield f"{facts.config.description.data}\n"
    labels = facts.data["labels"]
    yield "| split | rows | " + "".join(f"{label} | " for label in labels)
    yield "|---|---|" + "---|" * len(labels)
    for split, found in facts.data["splits"].items():
        counts = "".join(f"{count:,} | " for count in found["per_label"].values())
        yield f"| {split} | {found['rows']:,} | {counts}"
    for split, found in facts.data["splits"].items():
        if "numbers" in found:
            spread = ", ".join(f"{name} {value:g}" for name, value in found["numbers"].items())
            yield f"\n{split}: {spread}"
    yield ""


def _training(facts: Facts) -> Iterator[str]:
    training = facts.config.training
    head = HEADS[facts.config.task.head]
    pieces = "read in pieces of" if head.predicts and facts.config.task.head != "seq2seq" else "cut at"
    read = "read in windows of" if head.tokens else pieces
    yield "## Training\n"
    yield (
        f"{training.epochs} epoch{'s' * (training.epochs > 1)} of {training.batch_size} texts a step, {_optimizer(training)}, learning rate "
        f"{training.learning_rate:g} with linear warm-up over {training.warmup_ratio:.0%} of the steps and linear decay, "
        f"seed {training.seed}; texts are {read} {facts.cut['max_length']} tokens. The weights "
        f"of epoch {facts.history['kept_epoch']} were kept, the best by validation {training.metric}.\n"
    )
    if training.adapter != "none":
        trained, all_of_them = facts.history["parameters"]["trained"], facts.history["parameters"]["all"]
        yield (
            f"The base's weights stayed as they were: {trained:,} parameters were trained, {_adapter(training)} and what the "
            f"base lacks; the model has {all_of_them:,}.\n"
        )


def _reproduction(facts: Facts) -> Iterator[str]:
    """The command that makes the same again, if it is known."""
    recipe, *settings = facts.config.command or ("",)
    if not recipe:
        return
    yield "## How to make it again\n"
    yield "The command, in a checkout of the pipeline that made it:\n"
    parts = [f".venv/bin/python -m pipeline run {recipe}", *map(shlex.quote, settings)]
    yield "```sh\n" + " \\\n  ".join(parts) + "\n```\n"
    for name, meaning in facts.config.places.items():
        yield f"`{name}` stands for {meaning}.\n"


def _files(facts: Facts) -> Iterator[str]:
    yield "## Files\n"
    if facts.adapter:
        yield "`adapter_model.safetensors` and `adapter_config.json`, for peft; `config.json` and the tokenizer are those"
        yield "of the merged model.\n"
        return
    yield "Each form was loaded again and held against the model on validation rows: so many were compared, their logits are as"
    yield "near, and the score is that of the whole split.\n"
    first = next(iter(facts.exports.values()))
    (measure,), timed = first["score"], first.get("milliseconds", {})
    times = [*(f"ms for {rows}" for rows in timed), "rows/s"] if timed else []
    names = ["form", "MB", "rows compared", "logits within", measure, *times]
    yield f"| {' | '.join(names)} |"
    yield "|---" * len(names) + "|"
    writes = HEADS[facts.config.task.head].writes
    for name, found in facts.exports.items():
        cells = [f"`{name}/`, for ONNX Runtime" if writes and name != "safetensors" else FILES[name]]
        cells += [f"{found['megabytes']:,}", f"{found['rows']:,}", f"{found['largest_difference']:.1e}"]
        cells += [f"{found['score'][measure]:.4f}"]
        if timed:
            cells += [f"{value:g}" for value in found["milliseconds"].values()] + [f"{found['rows_per_second']:,.0f}"]
        yield f"| {' | '.join(cells)} |"
    yield ""
    if timed:
        what = f"to write {NEW_TOKENS} tokens to each" if writes else "to answer them"
        yield f"Milliseconds are the median of many runs {what}, in one go, on {first['processors']} CPU cores.\n"


def _limits(facts: Facts) -> Iterator[str]:
    yield "## Limits\n"
    yield f"- {facts.usage.limit}"
    rows = facts.data["splits"].get("test", facts.data["splits"]["validation"])["rows"]
    yield f"- The scores come from {rows:,} rows and hold for text like them."
    written = getattr(facts.config.task, "max_target_length", 0)
    targets = f", or their targets than {written}" if written else ""
    for split, found in facts.cut["splits"].items():
        if found["cut"]:
            yield f"- {found['cut']:,} of {found['rows']:,} {split} texts were longer than {facts.cut['max_length']} tokens{targets}; their ends were not read."
    if mask := facts.data.get("mask"):
        words = ", ".join(f"`[{kind.upper()}]`" for kind in mask)
        yield f"- In the texts, {words} stand in the place of what is personal or secret; put them there in new texts too."
    for pair, count in facts.data["shared"].items():
        yield f"- {pair} share {count:,} rows" + (", which flatters the scores." if "test" in pair else ".")


def _optimizer(training: Training) -> str:
    name = {
        "adamw": f"AdamW with weight decay {training.weight_decay:g}",
        "adam": "Adam",
        "rmsprop": "RMSprop",
        "momentum": f"SGD with momentum {training.momentum:g}",
        "sgd": "SGD",
        "adafactor": f"Adafactor with weight decay {training.weight_decay:g}",
        "adamw_8bit": f"AdamW of 8 bits with weight decay {training.weight_decay:g}",
        "paged_adamw_8bit": f"AdamW of 8 bits, paged, with weight decay {training.weight_decay:g}",
    }[training.optimizer]
    more = [f"{penalty} penalty {value:g}" for penalty, value in (("L1", training.l1), ("L2", training.l2)) if value]
    if training.dropout is not None:
        more.append(f"dropout {training.dropout:g}")
    return ", ".join([name, *more])


def _adapter(training: Training) -> str:
    """What was trained instead of all weights."""
    name = {"lora": "LoRA", "rslora": "rank-stabilized LoRA", "dora": "DoRA"}[training.adapter]
    return f"{name} of rank {training.adapter_rank} with alpha {training.adapter_alpha}"


def _series(names: list[str]) -> str:
    shown = [f"*{name}*" for name in names[:12]]
    if len(names) > len(shown):
        return ", ".join(shown) + " and others"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
