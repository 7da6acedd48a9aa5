"""What the Hub refuses in the head of a README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

LICENSES = {
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bigscience-bloom-rail-1.0", "bigscience-openrail-m", "bsd",
    "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "c-uda", "cc", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-4.0",
    "cc-by-nc-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "creativeml-openrail-m",
    "epl-2.0", "eupl-1.1", "gemma", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-3.0", "llama2", "llama3", "llama3.1", "mit",
    "mpl-2.0", "odc-by", "openrail", "osl-3.0", "other", "pddl", "unknown", "unlicense", "wtfpl", "zlib",
}  # fmt: skip
ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)


def errors(text: str) -> list[str]:
    """All that is wrong with a card's metadata."""
    found = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    try:
        head = yaml.safe_load(found[1]) if found else {}
    except yaml.YAMLError as error:
        return [f"Invalid YAML: {error}"]
    return [*_fields(head), *(line for entry in head.get("model-index", []) for line in _results(entry))]


def _fields(head: dict[str, Any]) -> Iterator[str]:
    if head.get("license", "other") not in LICENSES:
        yield f'"license" must be one of [{", ".join(sorted(LICENSES))}]'
    for language in _several(head.get("language")):
        if not isinstance(language, str) or not re.fullmatch(
            r"[a-z]{2,3}(-[A-Za-z]{2,4})?|code|multilingual", language
        ):
            yield '"language" must only contain lower-case characters, as ISO 639 has them'
    for name in ("base_model", "datasets"):
        for value in _several(head.get(name)):
            if not isinstance(value, str) or not ID.fullmatch(value):
                yield f'"{name}" with value "{value}" is not valid. Use a model id from https://hf.co/{name}s.'
    relation = head.get("base_model_relation", "finetune")
    if relation not in ("finetune", "adapter", "merge", "quantized"):
        yield f'"base_model_relation" with value "{relation}" is not valid'
    for tag in _several(head.get("tags")):
        if not isinstance(tag, str):
            yield '"tags" must be strings'


def _results(entry: Any) -> Iterator[str]:
    """Of an entry of ``model-index``, see https://github.com/huggingface/hub-docs/blob/main/modelcard.md."""
    if not isinstance(entry.get("name"), str) or not isinstance(entry.get("results"), list):
        yield '"model-index[0].name" and "model-index[0].results" are required'
        return
    for number, result in enumerate(entry["results"]):
        needed = {"task": ["type"], "dataset": ["type", "name"]}
        for part, names in needed.items():
            for name in names:
                if not isinstance(result.get(part, {}).get(name), str):
                    yield f'"model-index[0].results[{number}].{part}.{name}" is required'
        for metric in result.get("metrics", []):
            if "type" not in metric or "value" not in metric:
                yield f'"model-index[0].results[{number}].metrics" must have type and value'


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
