"""Turn text into token ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Corpus, Model, Tokens
from pipeline.backends import scratch
from pipeline.corpora import arrow
from pipeline.errors import UserError
from pipeline.progress import say, work
from pipeline.stages import targets
from pipeline.tasks import Task, Tokenizers

if TYPE_CHECKING:
    import pyarrow as pa

LIMITLESS = int(1e30)  # the model_max_length of a tokenizer that knows no limit
# Beside a model that was trained here, whose tokenizer knows where that training cut texts, not what the model can take.
TRAINED_HERE = "decision.json"
OF_TARGET = ("label", "answered")  # columns that rows without a target have not
BATCH = 2_000  # texts encoded at once
LEAST_OF_PAIR = 8  # tokens for two texts, below which there is nothing to compare
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
        UserError: the model cannot take texts of ``max_length``, or write those that it is to, or has no fast tokenizer.
    """
    anew = scratch.described(base.read("config.json"))
    tokenizer = targets.of_text(corpus, config.max_length) if anew else load_tokenizer(base.path, _name(base))
    written = getattr(config.task, "max_target_length", 0)
    _check_length(config.max_length, tokenizer, base, pair=config.task.segments)
    _check_written(written, base)
    made = Tokens(out)
    tokenizer.model_max_length = config.max_length  # so that users who ask for truncation cut where training did
    writing = targets.prepare(config.task, tokenizer, base, corpus)
    tokenizer.save_pretrained(out / "tokenizer")
    if writing.targets is not None:
        writing.targets.save_pretrained(out / targets.FOLDER)
    made.write("labels.json", corpus.read("labels.json"))
    types = config.task.segments and _knows_types(tokenizer, base)
    encoder = Encoder(config.task, writing.tokenizers(tokenizer), config.max_length, types=types)
    report = {split: _encode(encoder, tokenizer.unk_token_id, corpus, split, made) for split in corpus.splits()}
    ids = {"pad_id": tokenizer.pad_token_id or 0, "special_ids": writing.special, "own_vocabulary": writing.own}
    mask = {name: kinds for name, kinds in corpus.read("data.json").items() if name == "mask"}
    made.write("tokens.json", {"max_length": config.max_length, **ids, **mask, "splits": report})
    limits = f"{config.max_length} tokens" + (f", or their targets than {written}," if written else "")
    for split, facts in report.items():
        if facts["cut"]:
            say(f"{split}: {facts['cut']:,} of {facts['rows']:,} texts are longer than {limits} and were cut")
        if facts["features"] > facts["rows"]:
            say(f"{split}: {facts['rows']:,} examples make {facts['features']:,} rows for the network")
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
    if isinstance(tokenizer.chat_template, dict):  # one for tools, say, beside the usual one
        tokenizer.chat_template = tokenizer.chat_template.get("default")
    return tokenizer


def _name(base: Model) -> str:
    """What to call the model in a message: its id on the Hub, if it has one."""
    known = base.path / "source.json"
    name: str = base.read(known.name)["model"] if known.is_file() else str(base.path)
    return name or "the base model"


def _check_length(max_length: int, tokenizer: Any, base: Model, *, pair: bool) -> None:
    config = base.read("config.json")
    known = LIMITLESS if (base.path / TRAINED_HERE).is_file() else tokenizer.model_max_length
    most = int(min(_positions(config) or known, known))
    least = tokenizer.num_special_tokens_to_add(pair=pair) + (LEAST_OF_PAIR if pair else 1)
    if not least <= max_length <= most:
        sizes = f"{least} to {most} tokens" if most < LIMITLESS else f"{least} tokens or more"
        raise UserError(f"max_length={max_length}: {_name(base)} takes texts of {sizes}")


def _check_written(length: int, base: Model) -> None:
    config = base.read("config.json")
    most = _positions({**config, **config.get("decoder", {})})
    if most and length > most:
        raise UserError(f"task.max_target_length={length}: {_name(base)} writes texts of at most {most} tokens")


def _positions(config: Mapping[str, Any]) -> int:
    """How many tokens a model has places for; 0 if any number of them."""
    found: int = config.get("max_position_embeddings") or 0
    if not found and "relative_attention_num_buckets" not in config:
        found = config.get("n_positions") or 0  # as GPT-2 calls it; T5 has it too, to no effect
    counting = any(kind in config["model_type"] for kind in COUNTING_FROM_PADDING)
    return found and found - (config.get("pad_token_id", 1) + 1) * counting


def _knows_types(tokenizer: Any, base: Model) -> bool:
    """Whether a model tells two parts of a row apart by token types."""
    several: bool = base.read("config.json").get("type_vocab_size", 2) > 1
    return several and "token_type_ids" in tokenizer.model_input_names


class Encoder:
    """Encodes examples for one model.

    Args:
        types: whether the rows get ``token_type_ids``.
    """

    def __init__(self, task: Task, tokenizers: Tokenizers, max_length: int, *, types: bool) -> None:
        self.task, self.tokenizers = task, replace(tokenizers, types=types)
        self.max_length, self.types = max_length, types
        for tokenizer in (tokenizers.text, tokenizers.target):
            if tokenizer is not None:
                tokenizer.no_padding()  # some checkpoints' tokenizers pad by themselves

    def schema(self, *, labelled: bool) -> pa.Schema:
        """The columns of the features."""
        import pyarrow as pa

        lists = {"input_ids": "list<int32>"} | ({"token_type_ids": "list<int8>"} if self.types else {})
        others = {name: kind for name, kind in self.task.columns.items() if labelled or name not in OF_TARGET}
        named = {**lists, "example": "int32", **others}
        return pa.schema([(name, arrow.type_of(kind)) for name, kind in named.items()])

    def encode(self, batch: pa.RecordBatch, first: int = 0) -> tuple[pa.RecordBatch, int]:
        """The features of some examples, and how many of these lost their end.

        Args:
            first: the number of the first example.
        """
        import numpy as np
        import pyarrow as pa

        found = self.task.encode(self.tokenizers, batch, self.max_length)
        schema = self.schema(labelled="label" in found.columns)
        offsets = pa.array(np.cumsum([0, *(len(e) for e in found.encodings)], dtype=np.int32))
        columns = {
            "input_ids": _lists(offsets, (e.ids for e in found.encodings), np.int32),
            "example": np.asarray(found.examples, np.int32) + np.int32(first),
            **found.columns,
        }
        if self.types and "token_type_ids" not in columns:
            columns["token_type_ids"] = _lists(offsets, (e.type_ids for e in found.encodings), np.int8)
        arrays = [_array(columns[column.name], column.type) for column in schema]
        return pa.record_batch(arrays, schema=schema), found.cut


def _lists(offsets: pa.Array, rows: Iterable[Iterable[int]], dtype: type) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    values: np.ndarray = np.fromiter((value for row in rows for value in row), dtype, count=offsets[-1].as_py())
    return pa.ListArray.from_arrays(offsets, pa.array(values))


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


def _encode(encoder: Encoder, unknown_id: int | None, corpus: Corpus, split: str, made: Tokens) -> dict[str, Any]:
    """Write one split; what was cut or unknown."""
    import numpy as np
    import pyarrow as pa

    table = corpus.table(split)
    rows = features = tokens = cut = unknown = longest = 0
    sink = pa.ipc.new_stream(str(made.path / f"{split}.arrow"), encoder.schema(labelled=True))
    with sink as stream, work(f"tokenizing {split}", table.num_rows) as advance:
        for batch in table.to_batches(max_chunksize=BATCH):
            found, lost = encoder.encode(batch, rows)
            stream.write_batch(found)
            ids = found["input_ids"].values.to_numpy()
            rows, features, tokens, cut = rows + len(batch), features + len(found), tokens + len(ids), cut + lost
            unknown += int((ids == unknown_id).sum()) if unknown_id is not None else 0
            longest = max(longest, int(np.diff(found["input_ids"].offsets.to_numpy()).max(initial=0)))
            advance(len(batch))
    return {
        "rows": rows,
        "features": features,
        "tokens": tokens,
        "longest": longest,
        "cut": cut,
        "unknown": round(unknown / max(1, tokens), 6),
    }
