"""What can be written without a model."""

from __future__ import annotations

from pipeline.metrics.languages import sentences


def lead(text: str, count: int, language: str) -> str:
    """The first ``count`` ``sentences`` of a text, as they stand there: hard to beat as a summary of news (Nenkova 2005)."""
    return "".join(sentences(text, language)[:count]).strip()
