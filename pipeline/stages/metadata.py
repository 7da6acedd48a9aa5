"""The head of a model card, which the Hub reads.

See https://huggingface.co/docs/hub/model-cards#model-card-metadata.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.backends import Training
from pipeline.stages.facts import SHOWN, CardContent, Facts
from pipeline.stages.usage import usage_of

# What each is called in tags.
FORMATS = {
    "onnx": "onnx", "onnx-int8": "onnx", "onnx-fp16": "onnx", "openvino": "openvino", "savedmodel": "tensorflow",
    "litert": "tflite",
}  # fmt: skip


def known(content: CardContent, base: str, folder: Path | None = None) -> dict[str, Any]:
    """What of the metadata is known before anything is made, by its names there.

    Args:
        base: id of the base model on the Hub; empty if it is not there, or if nothing of its weights is kept.
        folder: of the base model, with its card, if it is on this machine.
    """
    dataset, _ = content.dataset
    relation = "adapter" if content.weights == "adapter" else "finetune"
    found = {
        "language": content.description.language,
        "license": content.description.license,
        "base_model": base,
        "base_model_relation": relation if base else "",
        "datasets": [dataset] if dataset else [],
        "pipeline_tag": usage_of(content.task, chat=False).tag,
        "tags": _tags(content.training),
    }
    said = {name: value for name, value in found.items() if value}
    return said if folder is None or "license" in said else {**_license(folder), **said}


def metadata(facts: Facts) -> Any:
    """All of it, as ``huggingface_hub.ModelCardData``."""
    from huggingface_hub import ModelCardData

    found = known(facts.config, "" if facts.scratch else facts.base_id, facts.base.path)
    formats = [tag for name, tag in FORMATS.items() if name in facts.exports and not facts.adapter]
    tags = list(dict.fromkeys([*found.pop("tags", []), *formats]))
    return ModelCardData(
        **found,
        tags=tags or None,
        library_name=_library(facts),
        model_name=facts.title,
        eval_results=_results(facts),
    )


def _results(facts: Facts) -> list[Any]:
    """The scores that the card shows, each with what it was measured on."""
    from huggingface_hub import EvalResult

    dataset, revision = facts.config.dataset
    name = facts.config.description.data or dataset or "custom"
    return [
        EvalResult(
            task_type=facts.usage.tag,
            dataset_type=dataset or "custom",
            dataset_name=name,
            dataset_revision=revision or None,
            dataset_split=split,
            metric_type=metric,
            metric_value=values[metric],
        )
        for split, values in facts.scores.items()
        for metric in list(values)[:SHOWN]
        if not metric.startswith("baseline")
    ]


def _tags(training: Training) -> list[str]:
    return ["fine-tuned", *([training.adapter] if training.adapter != "none" else [])]


def _library(facts: Facts) -> str | None:
    """What loads the model."""
    if facts.scratch:
        return "onnx" if "onnx" in facts.exports else None
    return "peft" if facts.adapter else "transformers"


def _license(folder: Path) -> dict[str, str]:
    """The license in the base model's own card, with its name and address where it is one of its own; not an address
    within its folder, of which nothing is there any more."""
    from huggingface_hub import ModelCard

    readme = folder / "README.md"
    if not readme.is_file():
        return {}
    try:
        head = ModelCard(readme.read_text(encoding="utf-8")).data
        found = {name: head.get(name) for name in ("license", "license_name", "license_link")}
    except Exception:  # a card of somebody else's that is no YAML states no license
        return {}
    if not isinstance(found["license"], str):
        return {}
    link = found["license_link"]
    if not (isinstance(link, str) and "://" in link):
        del found["license_link"]
    return {name: value for name, value in found.items() if isinstance(value, str)}
