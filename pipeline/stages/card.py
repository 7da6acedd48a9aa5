"""Write the model card."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.artifacts import ADAPTER, Bundle, Card, Corpus, Model, Scores, Tokens
from pipeline.backends import Training, classical
from pipeline.backends.heads import HEADS
from pipeline.backends.pytorch.network import HEADS as CLASSES
from pipeline.errors import CheckFailed
from pipeline.fields import require
from pipeline.stages.usage import network, snippet, usage_from_scratch, usage_of, usage_of_adapter
from pipeline.tasks import Task

SHOWN = 5  # scores in a table

FILES = {
    "safetensors": "`model.safetensors`, for transformers",
    "onnx": "`onnx/model.onnx`, any batch size and length",
    "savedmodel": "`savedmodel/`, for TensorFlow, any batch size and length",
    "litert": "`litert/model.tflite`, any batch size and length",
}


@dataclass(frozen=True)
class Description:
    """What a card says that no file knows."""

    title: str = ""
    """of the card; empty: what the labels say"""
    language: str = ""
    """of the texts, as an ISO 639 code such as en or zh"""
    data: str = ""
    """what the texts are, such as "film reviews collected by …"; paths are never written into a card"""
    license: str = ""
    """of the model; empty: that of the base model, if it says one"""

    def __post_init__(self) -> None:
        fine = re.fullmatch(r"([a-z]{2,3}(-[A-Za-z]{2,4})?)?", self.language)
        require(fine is not None, f"language={self.language}: expected an ISO 639 code, such as en or zh")


@dataclass(frozen=True)
class CardContent:
    """A description, and what to say of task and training."""

    description: Description
    task: Task
    training: Training
    weights: Literal["merged", "adapter"] = "merged"  # which are published


def card(
    config: CardContent,
    out: Path,
    *,
    base: Model,
    corpus: Corpus,
    tokens: Tokens,
    model: Model,
    scores: Scores,
    bundle: Bundle,
) -> Card:
    """Write ``README.md`` as the Hub reads it: metadata, scores, data, settings, limits, how to load.

    Raises:
        CheckFailed: the card does not read back as it was written.
    """
    from huggingface_hub import ModelCard

    facts = _Facts(config, base, corpus, tokens, model, scores, bundle)
    data = facts.metadata()
    text = f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(facts.lines()) + "\n"
    (out / "README.md").write_text(text, encoding="utf-8")
    again = ModelCard.load(out / "README.md").data
    written = [(r.dataset_split, r.metric_type, r.metric_value) for r in data.eval_results or []]
    read = [(r.dataset_split, r.metric_type, r.metric_value) for r in again.eval_results or []]
    if written != read or again.base_model != data.base_model:
        raise CheckFailed(f"the model card's metadata does not read back as written: {read} instead of {written}")
    return Card(out)


class _Facts:
    """All that a card is made from."""

    def __init__(
        self,
        config: CardContent,
        base: Model,
        corpus: Corpus,
        tokens: Tokens,
        model: Model,
        scores: Scores,
        bundle: Bundle,
    ) -> None:
        self.config, self.base = config, base
        self.source = base.read("source.json")
        self.architecture = base.read("config.json")
        self.scratch = classical.described(self.architecture)
        self.data, self.labels = corpus.read("data.json"), corpus.read("labels.json")
        self.usage = usage_of(config.task, chat=(model.path / "chat_template.jinja").is_file())
        self.own = (model.path / "target").is_dir()  # it writes in a vocabulary of its own
        self.title = config.description.title or self.usage.title.format(labels=", ".join(self.data["labels"][:6]))
        self.cut = tokens.read("tokens.json")
        self.history, self.decision = model.read("history.json"), model.read("decision.json")
        self.scores, self.details = scores.read("scores.json"), scores.read("details.json")
        self.exports = bundle.read("exports.json")
        self.adapter = bundle.read(f"{ADAPTER}/adapter_config.json") if config.weights == "adapter" else None

    def metadata(self) -> Any:
        """The card's YAML block, as ``huggingface_hub.ModelCardData``."""
        from huggingface_hub import EvalResult, ModelCardData

        results = [
            EvalResult(
                task_type=self.usage.tag,
                dataset_type="custom",
                dataset_name=self.config.description.data or "custom",
                dataset_split=split,
                metric_type=metric,
                metric_value=values[metric],
            )
            for split, values in self.scores.items()
            for metric in list(values)[:SHOWN]
            if not metric.startswith("baseline")
        ]
        return ModelCardData(
            language=self.config.description.language or None,
            license=self.config.description.license or _license(self.base),
            base_model=None if self.scratch else self._base_id() or None,
            pipeline_tag=self.usage.tag,
            library_name=self._library(),
            model_name=self.title,
            eval_results=results,
        )

    def lines(self) -> Iterator[str]:
        yield f"# {self.title}\n"
        base = f"`{self._base_id()}`" if self._base_id() else "a local checkpoint"
        at = f" at commit `{self.source['revision']}`" if self.source["revision"] else ""
        made = (
            f"{network(self.architecture)}, trained from scratch with the tokenizer of"
            if self.scratch
            else "Fine-tuned from"
        )
        if self.adapter:
            made = "An adapter for"
        yield f"{made} {base}{at} {self.usage.purpose.format(labels=_series(self.data['labels']))}.\n"
        head = self.config.task.head
        if self.scratch:
            yield from usage_from_scratch(self.labels, self.cut["max_length"], head, "onnx" in self.exports)
        elif self.adapter:
            origin = self.adapter["base_model_name_or_path"], self.adapter["revision"]
            yield from usage_of_adapter(self.usage, self.labels, CLASSES[head], *origin)
        else:
            yield f"## How to use\n\n```python\n{snippet(self.usage, self.labels, own=self.own)}\n```\n"
        if "threshold" in self.decision and not self.scratch:
            yield (
                f"That gives the likelier label. The scores below are of answering *{self.decision['positive']}* from a "
                f"probability of {self.decision['threshold']:.4f} on.\n"
            )
        yield from self._scores()
        yield from self._data()
        yield from self._training()
        yield from self._limits()

    def _library(self) -> str | None:
        """What loads the model."""
        if self.scratch:
            return "onnx" if "onnx" in self.exports else None
        return "peft" if self.adapter else "transformers"

    def _base_id(self) -> str:
        """The base model's id on the Hub; nothing for a folder."""
        return self.source["model"] if self.source["revision"] else ""

    def _scores(self) -> Iterator[str]:
        yield "## Scores\n"
        yield "Measured on the saved model, after loading it again; in brackets, the 95% interval.\n"
        names = list(dict.fromkeys(name for values in self.scores.values() for name in values))
        shown = [n for n in names if not n.startswith("baseline")][:SHOWN] + [
            n for n in names if n.startswith("baseline")
        ]
        yield "| split | rows | " + " | ".join(name.replace("_", " ") for name in shown) + " |"
        yield "|---" * (len(shown) + 2) + "|"
        for split, values in self.scores.items():
            rows = self.data["splits"][split]["rows"]
            yield (
                f"| {split} | {rows:,} | "
                + " | ".join(self._score(split, name) if name in values else "–" for name in shown)
                + " |"
            )
        yield ""

    def _score(self, split: str, name: str) -> str:
        interval = self.details[split]["intervals"].get(name)
        bounds = f" ({interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
        return f"{self.scores[split][name]:.4f}{bounds}"

    def _data(self) -> Iterator[str]:
        yield "## Data\n"
        if self.config.description.data:
            yield f"{self.config.description.data}\n"
        labels = self.data["labels"]
        yield "| split | rows | " + "".join(f"{label} | " for label in labels)
        yield "|---|---|" + "---|" * len(labels)
        for split, facts in self.data["splits"].items():
            counts = "".join(f"{count:,} | " for count in facts["per_label"].values())
            yield f"| {split} | {facts['rows']:,} | {counts}"
        for split, facts in self.data["splits"].items():
            if "numbers" in facts:
                spread = ", ".join(f"{name} {value:g}" for name, value in facts["numbers"].items())
                yield f"\n{split}: {spread}"
        yield ""

    def _training(self) -> Iterator[str]:
        training = self.config.training
        head = HEADS[self.config.task.head]
        pieces = "read in pieces of" if head.predicts and self.config.task.head != "seq2seq" else "cut at"
        read = "read in windows of" if head.tokens else pieces
        yield "## Training\n"
        yield (
            f"{training.epochs} epoch{'s' * (training.epochs > 1)} of {training.batch_size} texts a step, {_optimizer(training)}, learning rate "
            f"{training.learning_rate:g} with linear warm-up over {training.warmup_ratio:.0%} of the steps and linear decay, "
            f"seed {training.seed}; texts are {read} {self.cut['max_length']} tokens. The weights "
            f"of epoch {self.history['kept_epoch']} were kept, the best by validation {training.metric}.\n"
        )
        if training.adapter != "none":
            trained, all_of_them = self.history["parameters"]["trained"], self.history["parameters"]["all"]
            yield (
                f"The base's weights stayed as they were: {trained:,} parameters were trained, {_adapter(training)} and what the "
                f"base lacks; the model has {all_of_them:,}.\n"
            )
        yield "## Files\n"
        if self.adapter:
            yield "`adapter_model.safetensors` and `adapter_config.json`, for peft; `config.json` and the tokenizer are those"
            yield "of the merged model.\n"
            return
        yield "Each form was loaded again, and answered validation rows as the model did.\n"
        yield "| form | MB | rows compared | logits within |"
        yield "|---|---|---|---|"
        for name, found in self.exports.items():
            file = (
                "`onnx/`, for ONNX Runtime" if name == "onnx" and HEADS[self.config.task.head].writes else FILES[name]
            )
            yield f"| {file} | {found['megabytes']:,} | {found['rows']:,} | {found['largest_difference']:.1e} |"
        yield ""

    def _limits(self) -> Iterator[str]:
        yield "## Limits\n"
        yield f"- {self.usage.limit}"
        rows = self.data["splits"].get("test", self.data["splits"]["validation"])["rows"]
        yield f"- The scores come from {rows:,} rows and hold for text like them."
        written = getattr(self.config.task, "max_target_length", 0)
        targets = f", or their targets than {written}" if written else ""
        for split, facts in self.cut["splits"].items():
            if facts["cut"]:
                yield f"- {facts['cut']:,} of {facts['rows']:,} {split} texts were longer than {self.cut['max_length']} tokens{targets}; their ends were not read."
        if mask := self.data.get("mask"):
            words = ", ".join(f"`[{kind.upper()}]`" for kind in mask)
            yield f"- In the texts, {words} stand in the place of what is personal or secret; put them there in new texts too."
        for pair, count in self.data["shared"].items():
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


def _license(base: Model) -> str | None:
    """The license in the base model's own card."""
    from huggingface_hub import ModelCard

    readme = base.path / "README.md"
    if not readme.is_file():
        return None
    try:
        found = ModelCard(readme.read_text(encoding="utf-8")).data.get("license")
    except Exception:  # a card of somebody else's that is no YAML states no license
        return None
    return found if isinstance(found, str) else None


def _series(names: list[str]) -> str:
    shown = [f"*{name}*" for name in names[:12]]
    if len(names) > len(shown):
        return ", ".join(shown) + " and others"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
