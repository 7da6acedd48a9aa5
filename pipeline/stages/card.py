"""Write the model card."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts import Bundle, Card, Corpus, Model, Scores, Tokens
from pipeline.errors import CheckFailed
from pipeline.stages.facts import CardContent, Facts
from pipeline.stages.metadata import metadata
from pipeline.stages.sections import lines


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
    """Write ``README.md`` as the Hub reads it: metadata, how to load it, what for, scores, data, settings, how to
    make it again, limits.

    Raises:
        CheckFailed: the card does not read back as it was written.
    """
    from huggingface_hub import ModelCard

    facts = Facts(config, base, corpus, tokens, model, scores, bundle)
    data = metadata(facts)
    text = f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(lines(facts)) + "\n"
    (out / "README.md").write_text(text, encoding="utf-8")
    again = ModelCard.load(out / "README.md").data
    written = [(r.dataset_split, r.metric_type, r.metric_value) for r in data.eval_results or []]
    read = [(r.dataset_split, r.metric_type, r.metric_value) for r in again.eval_results or []]
    if written != read or again.base_model != data.base_model:
        raise CheckFailed(f"the model card's metadata does not read back as written: {read} instead of {written}")
    return Card(out)
