"""Causal language modelling: what comes next, of a text or in answer to a prompt.

What is measured of a row is as :data:`pipeline.tasks.MEASURED` has it; prompts are answered in writing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pipeline.corpora.columns import column
from pipeline.corpora.writing import Conversations
from pipeline.errors import UserError
from pipeline.features import IGNORED, Features
from pipeline.fields import neutral, require
from pipeline.tasks import Decision, Encoded, Evidence, Judging, Kind, Row, Scored, Tokenizers, chat
from pipeline.tasks.chat import Turn
from pipeline.tasks.language import MONITORS, likelihoods, measured, monitor, rounded
from pipeline.tasks.texts import TEXT

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

PROMPTS = ("instruction", "question", "query")
RESPONSES = ("output", "completion", "answer")
MESSAGES = ("conversations", "conversation")


@dataclass(frozen=True)
class CausalLanguageModeling:
    """Learn to go on with a ``text``; or to give the ``response`` to a ``prompt``, or what the assistant says in
    ``messages``, of which nothing else is learned.  Long texts are learned in pieces, none of it is left out."""

    text: str = neutral("text")
    """the column of the text"""
    prompt: str = neutral("prompt")
    """or the column of what is asked"""
    response: str = neutral("response")
    """and that of what is answered"""
    input: str = neutral("input")
    """the column of what a prompt is about, if there is one; it is put below the prompt"""
    system: str = neutral("system")
    """the column of what the assistant is told before, if there is one"""
    messages: str = neutral("messages")
    """or the column of conversations, lists of {"role": …, "content": …}"""
    stride: int = 1
    """tokens of a long text that its next piece begins with, not to be learned again"""
    language: str = ""
    """of the responses, as an ISO 639 code: how scores tell words apart; empty: by their script"""
    invalid: Literal["refuse", "skip"] = neutral("refuse")
    """what to do with rows that cannot be learned from"""
    head: ClassVar[str] = "causal"
    monitors: ClassVar[tuple[str, ...]] = MONITORS
    columns: ClassVar[Mapping[str, str]] = {"label": "list<int32>", "prompt": "int32", "bytes": "int32"}
    segments: ClassVar[bool] = False

    def __post_init__(self) -> None:
        names = (self.text, self.prompt, self.response, self.input, self.system, self.messages)
        require(len(set(names)) == 6, "text, prompt, response, input, system and messages must be six columns")
        require(self.stride >= 1, "stride is a number of tokens, at least 1")

    def encode(self, tokenizers: Tokenizers, examples: pa.RecordBatch, max_length: int) -> Encoded:
        """Rows of at most ``max_length`` tokens; ``label``: the same, :data:`IGNORED` where nothing is learned; ``prompt``:
        how many there are before the response, 0 where there is none; ``bytes``: of the text that is learned, in UTF-8."""
        import numpy as np

        require(self.stride < max_length, f"task.stride={self.stride}: must be below max_length={max_length}")
        begin = [i for i in tokenizers.text.encode("").ids if i != tokenizers.end]
        responses = examples["label"].to_pylist() if "label" in examples.schema.names else [None] * len(examples)
        said = zip(examples["roles"].to_pylist(), examples["said"].to_pylist(), responses, strict=True)
        special = _special(tokenizers)
        rows, numbers, cut = [], [], 0
        columns: dict[str, list[Any]] = {name: [] for name in self.columns}
        for number, (roles, contents, response) in enumerate(said):
            turns = list(zip(roles, contents, strict=True))
            if turns:
                whole = conversation(tokenizers, begin, turns, response, special)
                fitting = [whole.fitted(max_length, len(begin))]
                cut += len(whole.ids) > max_length
            else:
                fitting = list(_text(tokenizers, begin, response).pieces(max_length, self.stride))
            for part in fitting:
                rows.append(Row(part.ids.tolist()))
                columns["label"].append(np.where(part.learned, part.ids, IGNORED).astype(np.int32))
                columns["prompt"].append(part.prompt)
                columns["bytes"].append(int(part.sizes[part.learned].sum()))
                numbers.append(number)
        return Encoded(rows, np.array(numbers), columns, cut)

    def monitor(
        self, logits: np.ndarray, features: Features, labels: list[str], decision: Decision | None = None
    ) -> dict[str, float]:
        return monitor(logits)

    def decide(self, logits: np.ndarray, features: Features, labels: list[str]) -> Decision:
        return {}


@dataclass(frozen=True)
class Sequence:
    """Token ids, which of them are learned, how many bytes of the text each stands for, and how many tokens there are before
    the response; 0 if there is none."""

    ids: np.ndarray
    learned: np.ndarray
    sizes: np.ndarray
    prompt: int = 0

    def pieces(self, most: int, stride: int) -> Iterator[Sequence]:
        """Pieces of at most ``most`` tokens; each begins with the last ``stride`` of the one before, not learned again."""
        for start in range(0, max(1, len(self.ids) - stride), most - stride):
            ids, learned, sizes = (part[start : start + most] for part in (self.ids, self.learned.copy(), self.sizes))
            learned[: stride if start else 0] = False
            yield Sequence(ids, learned, sizes)

    def fitted(self, most: int, kept: int) -> Sequence:
        """At most ``most`` tokens: without the start of what comes before the response, but for the first ``kept``; and
        without the end of a response that is longer by itself."""
        import numpy as np

        over = max(0, min(len(self.ids) - most, self.prompt - kept - 1))
        parts = (self.ids, self.learned, self.sizes)
        ids, learned, sizes = (np.concatenate([part[:kept], part[kept + over :]])[:most] for part in parts)
        learned[:1] = False  # nothing comes before it that it could follow from
        return Sequence(ids, learned, sizes, self.prompt - over)


def _text(tokenizers: Tokenizers, begin: list[int], text: str) -> Sequence:
    """A text, all of it learned, its end too, but for the first token, before which there is nothing."""
    import numpy as np

    end = [] if tokenizers.end is None else [tokenizers.end]
    found = tokenizers.text.encode(text, add_special_tokens=False)
    ids = [*begin, *found.ids, *end]
    behind = 0 if begin else found.offsets[1][0] if len(found.ids) > 1 else len(text)  # where the second token starts
    sizes, learned = np.zeros(len(ids), int), np.ones(len(ids), bool)
    # Of all pieces, for they are added up; to tell them apart would double the time.
    sizes[1:2] = len(text[behind:].encode())
    learned[:1] = False
    return Sequence(np.array(ids), learned, sizes)


def conversation(
    tokenizers: Tokenizers, begin: list[int], turns: list[Turn], response: str | None, special: Mapping[int, str]
) -> Sequence:
    """A conversation, in which what the assistant says is learned; without a ``response``, up to where it would begin.

    A model without a template goes on with the text itself.

    Raises:
        UserError: the template does not lay out a conversation such that its beginning stays the same as it goes on.
    """
    import numpy as np

    if not tokenizers.template:
        asked = "\n".join(content for _, content in turns)
    else:
        asked = chat.render(tokenizers.template, turns, tokenizers.names, ask=True)
    spans = []
    text = asked
    if response is not None:
        whole = [*turns, ("assistant", response)]
        text = chat.render(tokenizers.template, whole, tokenizers.names)
        spans = [span for span in _said(tokenizers, whole, text) if span]
        if not spans or spans[-1][0] != len(asked):
            raise UserError(
                "the chat template of the base model changes what was said before when an answer follows, so that answers "
                "cannot be learned alone; choose another base.model, or its version without a chat template"
            )
    found = tokenizers.text.encode(text, add_special_tokens=False)
    ids, offsets = found.ids, found.offsets
    starts = np.array([start for start, _ in offsets], np.int64)
    learned = np.zeros(len(starts), bool)
    for start, end in spans:
        learned |= (starts >= start) & (starts < end)
    prompt = int((starts < len(asked)).sum())
    ahead = [] if tokenizers.template else begin  # a template has all that there is to read
    learned, sizes = (np.pad(part, (len(ahead), 0)) for part in (learned, _sizes(text, ids, offsets, special)))
    return Sequence(np.array([*ahead, *ids]), learned, sizes, prompt + len(ahead))


def _special(tokenizers: Tokenizers) -> dict[int, str]:
    """The special tokens, by id."""
    return {token: kind.content for token, kind in tokenizers.text.get_added_tokens_decoder().items() if kind.special}


def _sizes(text: str, ids: list[int], offsets: list[tuple[int, int]], special: Mapping[int, str]) -> np.ndarray:
    """How many bytes of ``text``, in UTF-8, each token stands for: from where it starts to where the next does, so that
    each byte counts once.  A character of several tokens is the last one's."""
    import numpy as np

    raw = np.frombuffer(text.encode(), np.uint8)
    characters = np.append(np.flatnonzero((raw & 0xC0) != 0x80), len(raw))  # the first byte of each, and the end
    bounds = characters[[*(start for start, _ in offsets), len(text)]]
    bounds[0] = 0  # with what a tokenizer leaves out before the first token
    sizes: np.ndarray = np.diff(bounds)
    for place in np.flatnonzero(np.isin(ids, list(special))):
        # What the template has by its name says nothing; the token of an unknown word, which is special too, does.
        if text[slice(*offsets[place])].strip() == special[ids[place]]:
            sizes[place] = 0
    return sizes


def _said(tokenizers: Tokenizers, turns: list[Turn], text: str) -> Iterator[tuple[int, int] | None]:
    """Where in ``text`` each turn of the assistant is, with what ends it; None where the template has it otherwise."""
    for number, (role, _) in enumerate(turns):
        if role == "assistant":
            before = chat.render(tokenizers.template, turns[:number], tokenizers.names, ask=True)
            after = chat.render(tokenizers.template, turns[: number + 1], tokenizers.names)
            fits = after.startswith(before) and text.startswith(after)
            yield (len(before), len(after)) if fits else None


def decode(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """``{"written": text}`` where there is a prompt; else ``{"loss": nats a token, "tokens": count}``."""
    if evidence.extra is None:
        yield from measured(evidence)
        return
    for text, known in zip(evidence.written, measured(evidence), strict=True):
        yield known if text is None else {"written": text}


def judge(evidence: Evidence) -> Scored:
    """Perplexity of what is learned, beside that of a model that knows only how common each token is, and bits per byte
    of texts; where prompts are answered, chrF and ROUGE-L of the answers, and the share that is right to the letter."""
    import numpy as np

    from pipeline.metrics import rouge, translation

    features = evidence.features
    sizes = np.bincount(features.examples, features.numbers("bytes"), evidence.corpus.num_rows)
    scores, details = likelihoods(evidence, sizes)
    asked = [place for place, text in enumerate(evidence.written) if text is not None]
    if asked:
        spoken = evidence.task.language
        wanted = [[evidence.corpus["label"][place].as_py()] for place in asked]
        written = [evidence.written[place] for place in asked]
        found, more = translation.characters(written, wanted)
        scores["chrf"] = found["chrf"]
        scores["rougeL"] = float(np.mean(rouge.scores(written, wanted, spoken)["rougeL"]))
        exact = [text.strip() == one[0].strip() for text, one in zip(written, wanted, strict=True)]
        scores["exact_match"] = 100 * float(np.mean(exact))
        details["intervals"] |= {"chrf": more["intervals"]["chrf"]}
    return rounded(scores), rounded(details)


def form(task: CausalLanguageModeling) -> Conversations:
    """Rows with a text, or a prompt and its response, or the messages of a conversation."""
    prompted = (
        column("prompt", task.prompt, *PROMPTS),
        column("input", task.input, optional=True),
        column("system", task.system, optional=True),
        column("response", task.response, *RESPONSES, target=True),
    )
    messages = (column("messages", task.messages, *MESSAGES),)
    return Conversations((prompted, messages, (column("text", task.text, *TEXT, target=True),)))


def learned(task: CausalLanguageModeling) -> CausalLanguageModeling:
    """Without what counts only where texts are judged."""
    return replace(task, language="")


KIND = Kind(form, Judging(decode, judge), learned)
