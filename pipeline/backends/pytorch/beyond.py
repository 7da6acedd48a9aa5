"""What heads that predict tokens are asked besides how likely the right ones are: to write, or to find each alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Model, Predictions
from pipeline.backends import Asking, Generation, predicted
from pipeline.backends.pytorch import network
from pipeline.backends.pytorch.generate import generate
from pipeline.features import IGNORED, Features
from pipeline.progress import work

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

HIDDEN = 5_000  # tokens that are hidden alone, at most, all those of some texts


def ask(net: Any, config: Asking, features: Features, model: Model, made: Predictions, split: str) -> None:
    """Put what the network writes, or how likely it finds each token alone, beside the other predictions."""
    import pyarrow as pa

    table = None
    if config.head == "masked":
        rows = some(features)
        with work(f"hiding tokens of {split}", len(rows)) as advance:
            table = alone(net, features, rows, config.prediction.batch_size, advance)
    elif config.generation and (config.head == "seq2seq" or features.numbers("prompt").any()):
        with work(f"writing {split}", len(features)) as advance:
            texts = written(
                net, config.head, features, config.generation, config.prediction.batch_size, model.path, advance
            )
        table = pa.table({"text": pa.array(texts, pa.string())})
    if table is not None:
        with pa.ipc.new_stream(str(made.path / f"{split}.arrow"), table.schema) as stream:
            stream.write_table(table)


def written(
    net: Any,
    head: str,
    features: Features,
    settings: Generation,
    batch_size: int,
    folder: Path,
    advance: Callable[[int], object] = lambda rows: None,
) -> list[str | None]:
    """The text that the network in ``folder`` writes for each example; None where there is nothing to answer."""
    import numpy as np
    from tokenizers import Tokenizer

    own = folder / "target" / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(own if own.is_file() else folder / "tokenizer.json"))
    found = generate(net, head, features, settings, batch_size, advance=advance)
    first = np.unique(features.examples, return_index=True)[1].tolist()  # only whole examples have a prompt
    there = [row for row in first if found[row] is not None]
    texts = dict(zip(there, tokenizer.decode_batch([found[row] for row in there]), strict=True))
    return [texts[row].strip() if row in texts else None for row in first]


def some(features: Features) -> np.ndarray:
    """Rows spread over a split, with as many tokens as are to be hidden alone."""
    import numpy as np

    share = min(1.0, HIDDEN / max(1, int(features.lengths.sum())))
    return np.unique(np.linspace(0, len(features) - 1, max(1, round(share * len(features)))).astype(int))


def alone(
    net: Any, features: Features, rows: np.ndarray, batch_size: int, advance: Callable[[int], object]
) -> pa.Table:
    """Of each row, the negative log-likelihood (nats) of its tokens, each hidden while all others are seen, and how many
    they are (Salazar et al. 2020, "Masked Language Model Scoring")."""
    import numpy as np
    import pyarrow as pa

    found = np.zeros((len(rows), 3))
    with network.answering(net):
        for place, row in enumerate(rows.tolist()):
            ids = features.ids.row(row)
            hidden = np.flatnonzero(features.lists("special").row(row) == 0)
            labels = np.full((len(hidden), len(ids)), IGNORED, np.int32)
            labels[np.arange(len(hidden)), hidden] = ids[hidden]
            copies = {
                "input_ids": [ids] * len(hidden),
                "label": list(labels),
                "example": np.arange(len(hidden), dtype=np.int32),
            }
            if len(hidden):
                each = Features(pa.table(copies), features.pad, features.special)
                found[place] = network.measured(net, predicted.masked, each, batch_size).sum(0)
            advance(1)
    return pa.table({"loss": found[:, 0], "tokens": found[:, 1].astype(np.int64)})
