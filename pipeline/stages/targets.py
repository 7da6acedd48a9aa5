"""What a model writes with: the tokenizer of its targets, and the tokens that it begins and ends with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.artifacts import Corpus, Model
from pipeline.backends import scratch
from pipeline.errors import UserError, nearest
from pipeline.progress import say
from pipeline.tasks import Task, Tokenizers
from pipeline.tasks.chat import TEMPLATE, render

FOLDER = "target"  # of the tokenizer of targets, in a folder of tokens or of a model, where it is not that of texts
BATCH = 1_000
START, END, PAD = "<s>", "</s>", "<pad>"


@dataclass(frozen=True)
class Writing:
    """``targets``, a tokenizer of transformers, where it is not that of texts; ``special``, token ids by what they are for, as
    :class:`pipeline.features.Features` has them; and whether the decoder has a vocabulary of its ``own``."""

    targets: Any = None
    special: dict[str, int] = field(default_factory=dict)
    own: bool = False

    def tokenizers(self, tokenizer: Any) -> Tokenizers:
        """With ``tokenizer`` for texts."""
        return Tokenizers(
            tokenizer.backend_tokenizer,
            (self.targets or tokenizer).backend_tokenizer,
            tokenizer.chat_template or "",
            names(tokenizer.special_tokens_map),
            tokenizer.eos_token_id,
        )


def names(special: dict[str, Any]) -> dict[str, str]:
    """The special tokens that are one string."""
    return {name: token for name, token in special.items() if isinstance(token, str)}


def prepare(task: Task, tokenizer: Any, base: Model, corpus: Corpus) -> Writing:
    """What is needed beside ``tokenizer`` for a task whose network predicts tokens; ``tokenizer`` is changed where it
    has to know languages or how to lay out a conversation.

    Raises:
        UserError: the model lacks what the task needs.
    """
    if task.head == "masked":
        if tokenizer.mask_token_id is None:
            raise UserError(
                "base.model: its tokenizer has no token that hides another; choose a BERT, RoBERTa or the like"
            )
        return Writing(special={"mask": tokenizer.mask_token_id, "size": _size(tokenizer)})
    if task.head == "causal":
        if not tokenizer.chat_template and any(filter(None, _conversing(corpus))):
            tokenizer.chat_template = TEMPLATE
            say("the base model has no chat template; one of headings is used: ### User: … ### Assistant: …")
        end = _end_of_turn(tokenizer)
        return Writing(special={} if end is None else {"end": end})
    return _of_pairs(task, tokenizer, base, corpus) if task.head == "seq2seq" else Writing()


def _end_of_turn(tokenizer: Any) -> int | None:
    """The token by which the chat template ends what the assistant says; many a model has another for the end of a text."""
    if not tokenizer.chat_template:
        return None
    said = "\u2042"
    turns = [("user", "?"), ("assistant", said)]
    try:
        text = render(tokenizer.chat_template, turns, names(tokenizer.special_tokens_map))
    except UserError:  # it refuses such a conversation: what there is to learn will show whether that matters
        return None
    behind = text.rpartition(said)[2].lstrip()
    first = tokenizer.backend_tokenizer.encode(behind, add_special_tokens=False).ids[:1]
    known = tokenizer.backend_tokenizer.get_added_tokens_decoder()
    return first[0] if first and first[0] in known and known[first[0]].special else None


def _conversing(corpus: Corpus) -> Iterator[bool]:
    for batch in corpus.table("train").to_batches(max_chunksize=BATCH):
        yield any(batch["roles"].to_pylist())


def _of_pairs(task: Any, tokenizer: Any, base: Model, corpus: Corpus) -> Writing:
    config = base.read("config.json")
    if not config.get("is_encoder_decoder"):
        targets = learned(_first_targets(corpus), task.target_vocabulary, task.max_target_length, f"$A {END}")
        say(f"the base model has no decoder: one is made of its encoder, with {len(targets):,} tokens of its own")
        return Writing(targets, {"start": targets.bos_token_id}, own=True)
    own = base.path / FOLDER
    if own.is_dir():
        from transformers import AutoTokenizer

        targets = AutoTokenizer.from_pretrained(own, trust_remote_code=False)
        return Writing(targets, {"start": config["decoder_start_token_id"]}, own=True)
    if hasattr(tokenizer, "src_lang"):
        return _between_languages(task, tokenizer, base.path, config)
    start = config.get("decoder_start_token_id")
    start = next((i for i in (start, tokenizer.bos_token_id, tokenizer.pad_token_id) if i is not None), None)
    if start is None:
        raise UserError("base.model: its config.json has no decoder_start_token_id, so it cannot write; get it again")
    return Writing(None, {"start": start})


def _between_languages(task: Any, tokenizer: Any, folder: Path, config: dict[str, Any]) -> Writing:
    """For models that know several languages, and mark texts by them (Tang et al. 2020)."""
    from transformers import AutoTokenizer

    if not hasattr(task, "target_language"):
        raise UserError(
            "base.model: it writes in the language that it is told, which is for the recipe translate to say; choose a T5, a "
            "BART, or an encoder such as BERT"
        )
    known = [token for token in tokenizer.all_special_tokens if "_" in token]
    for setting in ("source_language", "target_language"):
        value = getattr(task, setting, "")
        if value not in known:
            raise UserError(f"task.{setting}={value}: the base model knows no such language; {nearest(value, known)}")
    tokenizer.src_lang = task.source_language
    targets = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    targets.tgt_lang = task.target_language
    targets._switch_to_target_mode()  # the only way to a tokenizer for targets
    marked = tokenizer.convert_tokens_to_ids(task.target_language)
    first = targets.backend_tokenizer.encode("").ids[:1]
    if first != [marked]:  # it ends a text, as with the first mBART, and is what the decoder begins with
        return Writing(targets, {"start": marked})
    return Writing(targets, {"start": config.get("decoder_start_token_id") or marked, "forced": marked})


def learned(texts: Iterator[list[str]], size: int, max_length: int, layout: str) -> Any:
    """A tokenizer of at most ``size`` byte pairs (Sennrich et al. 2016; of bytes, Radford et al. 2019), so that it keeps
    case, accents and every script, learned from texts.

    Args:
        layout: how :data:`START` and :data:`END` stand around a text, ``$A``.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, special_tokens=[PAD, START, END], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    ids = [(token, tokenizer.token_to_id(token)) for token in (START, END)]
    tokenizer.post_processor = processors.TemplateProcessing(single=layout, special_tokens=ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=START, eos_token=END, model_max_length=max_length
    )


def of_text(corpus: Corpus, max_length: int) -> Any:
    """A tokenizer for a model that is made anew, learned from all that is said in the training split."""
    found = learned(_said(corpus), scratch.VOCABULARY, max_length, f"{START} $A")
    say(f"base.model=anew: a small Llama is made, with {len(found):,} tokens learned from the training texts")
    return found


def _said(corpus: Corpus) -> Iterator[list[str]]:
    for batch in corpus.table("train").to_batches(max_chunksize=BATCH):
        yield batch["label"].to_pylist()
        yield [text for texts in batch["said"].to_pylist() for text in texts]


def _first_targets(corpus: Corpus) -> Iterator[list[str]]:
    for batch in corpus.table("train").to_batches(max_chunksize=BATCH):
        yield [texts[0] for texts in batch["label"].to_pylist()]


def saved(place: Path) -> Tokenizers:
    """What encodes texts for the model that was saved in ``place``; transformers is not needed for it."""
    from tokenizers import Tokenizer

    texts, target, template = place / "tokenizer.json", place / FOLDER / "tokenizer.json", place / "chat_template.jinja"
    tokenizer = Tokenizer.from_file(str(texts))
    known = json.loads((place / "tokenizer_config.json").read_text(encoding="utf-8"))
    special = {name: token for name, token in known.items() if name.endswith("_token") and isinstance(token, str)}
    return Tokenizers(
        tokenizer,
        Tokenizer.from_file(str(target)) if target.is_file() else tokenizer,
        template.read_text(encoding="utf-8") if template.is_file() else "",
        special,
        tokenizer.token_to_id(special.get("eos_token", "")),
    )


def _size(tokenizer: Any) -> int:
    size: int = max(tokenizer.get_vocab().values()) + 1
    return size
