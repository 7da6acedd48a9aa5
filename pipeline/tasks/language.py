"""What tasks have in common whose networks predict tokens."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipeline.tasks import Evidence

if TYPE_CHECKING:
    import numpy as np

MONITORS = ("loss", "perplexity", "accuracy")
MOST = 700.0  # nats a token, from which on perplexity is too large a number to write


def monitor(logits: np.ndarray) -> dict[str, float]:
    """Of rows × :data:`pipeline.tasks.MEASURED`: cross-entropy in nats a token, its exponential, and the share of tokens
    of which the likeliest is right."""
    import numpy as np

    total, tokens, right = np.asarray(logits, np.float64).sum(0)
    loss = float(total / max(1, tokens))
    return {"loss": loss, "perplexity": perplexity(loss), "accuracy": float(right / max(1, tokens))}


def perplexity(loss: float) -> float:
    """The exponential of nats a token."""
    return math.exp(min(loss, MOST))


def likelihoods(evidence: Evidence, sizes: np.ndarray) -> tuple[dict[str, float], dict[str, Any]]:
    """:data:`pipeline.metrics.perplexity.MEASURES` over examples, perplexity first; the baseline is a model that knows only
    how common each token is.

    Args:
        sizes: bytes of what is learned of each example, in UTF-8.
    """
    import numpy as np

    from pipeline.metrics import perplexity as metrics

    each = np.zeros((len(sizes), 3))
    np.add.at(each, evidence.features.examples, np.asarray(evidence.logits, np.float64))
    found, details = metrics.scores(each, sizes)
    told = {name: found[name] for name in sorted(found, key=lambda name: name != "perplexity")}
    if evidence.learned is not None:
        known, asked = (features.lists("label").flat() for features in (evidence.learned, evidence.features))
        if evidence.task.head == "masked":  # what is hidden in training changes with every epoch
            # The tokens that begin and end every row are never hidden: to expect them would make the baseline too weak.
            known = evidence.learned.ids.flat()[evidence.learned.lists("special").flat() == 0]
        size = int(max(known.max(initial=0), asked.max(initial=0))) + 1
        told |= {
            f"baseline_{name}": value for name, value in metrics.unigram(known, asked, size, int(sizes.sum())).items()
        }
    return told, {**details, "tokens": int(each[:, 1].sum())}


def measured(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """``{"loss": nats a token, "tokens": count}`` of each example."""
    import numpy as np

    each = np.zeros((evidence.corpus.num_rows, 2))
    np.add.at(each, evidence.features.examples, np.asarray(evidence.logits, np.float64)[:, :2])
    return ({"loss": round(loss / max(1, count), 6), "tokens": int(count)} for loss, count in each.tolist())


def rounded(value: Any) -> Any:
    """All numbers in some JSON, to six places."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, (list, tuple)) else value
