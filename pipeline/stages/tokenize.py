"""Turn text into token ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts import Corpus, Model, Tokens
from pipeline.errors import UserError
from pipeline.progress import say, work
from pipeline.tasks import Task

LIMITLESS = int(1e30)  # the model_max_length of a tokenizer that knows no limit
BATCH = 2_000  # texts encoded at once
# Kinds of models whose first position is the one behind the padding's.
COUNTING_FROM_PADDING = ("roberta", "camembert", "longformer", "data2vec-text")


@dataclass(frozen=True)
class Tokenization:
    """How a task's text becomes token ids; a text of more than ``max_length`` tokens is cut."""

    task: Task
    max_length: int = 128


def tokenize(config: Tokenization, out: Path, *, base: Model, corpus: Corpus) -> Tokens:
    """Encode each split with the model's own tokenizer, from Arrow to Arrow.

    Raises:
        UserError: the model cannot take texts of ``max_length``, or has no fast tokenizer.
    """
    tokenizer = load_tokenizer(base.path, _name(base))
    _check_length(config.max_length, tokenizer, base)
    made = Tokens(out)
    tokenizer.model_max_length = config.max_length  # so that users who ask for truncation cut where training did
    tokenizer.save_pretrained(out / "tokenizer")
    tokenizer.backend_tokenizer.no_padding()  # some checkpoints' tokenizers pad by themselves
    made.write("labels.json", corpus.read("labels.json"))
    report = {split: _encode(config, tokenizer, corpus, split, made) for split in corpus.splits()}
    pad = tokenizer.pad_token_id or 0
    made.write("tokens.json", {"max_length": config.max_length, "pad_id": pad, "splits": report})
    for split, facts in report.items():
        if facts["cut"]:
            say(
                f"{split}: {facts['cut']:,} of {facts['rows']:,} texts are longer than {config.max_length} tokens and were cut"
            )
        if facts["unknown"] > 0.005:
            say(
                f"{split}: the tokenizer does not know {facts['unknown']:.1%} of the tokens; is the model made for this language?"
            )
    return made


def load_tokenizer(folder: Path, name: str) -> Any:
    """The tokenizer of the model in ``folder``, which messages call ``name``.

    Raises:
        UserError: it has none, or none that is fast.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # transformers and tokenizers raise all kinds, a bare Exception among them
        raise UserError(f"{name}: its tokenizer cannot be loaded ({error}); get it again") from None
    if not tokenizer.is_fast:
        raise UserError(f"{name}: has no fast tokenizer (tokenizer.json); it cannot be used here")
    return tokenizer


def _name(base: Model) -> str:
    """What to call the model in a message: its id on the Hub, if it has one."""
    known = base.path / "source.json"
    name: str = base.read(known.name)["model"] if known.is_file() else str(base.path)
    return name or "the base model"


def _check_length(max_length: int, tokenizer: Any, base: Model) -> None:
    config = base.read("config.json")
    positions = config.get("max_position_embeddings") or tokenizer.model_max_length
    if any(kind in config["model_type"] for kind in COUNTING_FROM_PADDING):
        positions -= config.get("pad_token_id", 1) + 1
    most = int(min(positions, tokenizer.model_max_length))
    least = tokenizer.num_special_tokens_to_add() + 1
    if not least <= max_length <= most:
        sizes = f"{least} to {most} tokens" if most < LIMITLESS else f"{least} tokens or more"
        raise UserError(f"max_length={max_length}: {_name(base)} takes texts of {sizes}")


def _encode(config: Tokenization, tokenizer: Any, corpus: Corpus, split: str, made: Tokens) -> dict[str, Any]:
    """Write one split; what was cut or unknown."""
    import numpy as np
    import pyarrow as pa

    schema = pa.schema([("input_ids", pa.list_(pa.int32())), ("label", pa.int32())])
    unknown_id = tokenizer.unk_token_id
    table = corpus.table(split)
    rows = tokens = cut = unknown = longest = 0
    sink = pa.ipc.new_stream(str(made.path / f"{split}.arrow"), schema)
    with sink as stream, work(f"tokenizing {split}", table.num_rows) as advance:
        for batch in table.to_batches(max_chunksize=BATCH):
            texts = batch["text"].to_pylist()
            encodings = config.task.encode(tokenizer.backend_tokenizer, texts, config.max_length)
            offsets = np.cumsum([0, *(len(e) for e in encodings)], dtype=np.int32)
            ids = np.fromiter((i for e in encodings for i in e.ids), np.int32, count=offsets[-1])
            lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids))
            stream.write_batch(pa.record_batch([lists, batch["label"]], schema=schema))
            rows, tokens = rows + len(texts), tokens + len(ids)
            cut += sum(1 for e in encodings if e.overflowing)
            unknown += int((ids == unknown_id).sum()) if unknown_id is not None else 0
            longest = max(longest, int(np.diff(offsets).max(initial=0)))
            advance(len(texts))
    return {
        "rows": rows,
        "tokens": tokens,
        "longest": longest,
        "cut": cut,
        "unknown": round(unknown / max(1, tokens), 6),
    }
