"""What a WordPiece tokenizer does to texts, as tables that a graph can follow.

What becomes of each character before words are split into pieces is asked of the tokenizer itself, for all of Unicode.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

UNICODE = 0x110000  # code points
SURROGATES = range(0xD800, 0xE000)  # no characters
PRIVATE = 0xF0000  # the characters from here on stand in for added tokens ...
SPARE = 0xFFFFD  # ... and this one for these characters where a text has them itself
MOST = 1_000  # added tokens
BETWEEN = "\u2603"  # a character that no other becomes when it is normalized
CHUNK = 1 << 16
PAGE = 256
SELF, NOTHING = -2, -1  # in place of a code point: the character itself; none


class CannotReproduce(Exception):
    """This tokenizer does something that the graph does not."""


@dataclass(frozen=True)
class Rules:
    """What a ``tokenizer.json`` says, in the form that the graph needs.

    Args:
        words: pieces of words; those that stand for added tokens, and last that for an unknown word, are private
            characters.
        numbers: the id of each.
        added: texts that are tokens wherever they occur.
        before: ids ahead of each text; ``after``: behind it; ``room``: how many stay for the text.
        pages: for each ``PAGE`` code points, which row of ``kinds`` is theirs.
        kinds: which row of ``spelled`` a code point becomes.
        spelled: code points, ``SELF`` or ``NOTHING``.
    """

    words: list[str]
    numbers: list[int]
    added: list[str]
    before: list[int]
    after: list[int]
    pad: int
    room: int
    prefix: str
    longest: int
    left: bool
    pages: np.ndarray
    kinds: np.ndarray
    spelled: np.ndarray


def rules(folder: Path) -> Rules:
    """Read a fast tokenizer.

    Raises:
        CannotReproduce: it is of another kind than BERT's.
    """
    from tokenizers import Tokenizer

    told, config = (
        json.loads((folder / name).read_text("utf-8")) for name in ("tokenizer.json", "tokenizer_config.json")
    )
    model = _model(told)
    tokenizer = Tokenizer.from_str(json.dumps({**told, "truncation": None, "padding": None}))
    added = _added(told, tokenizer)
    before, after = _template(told.get("post_processor"), tokenizer)
    room = config["model_max_length"] - len(before) - len(after)
    if room < 1:
        raise CannotReproduce(f"{config['model_max_length']} tokens leave no room for a text")
    pad = _pad(config, tokenizer)
    marks = [chr(PRIVATE + i) for i in range(len(added) + 1)]
    pages, kinds, spelled = _table(tokenizer, len(marks))
    return Rules(
        words=[*model["vocab"], *marks],
        numbers=[*model["vocab"].values(), *added.values(), model["vocab"][model["unk_token"]]],
        added=list(added),
        before=before,
        after=after,
        pad=pad,
        room=room,
        prefix=model["continuing_subword_prefix"],
        longest=model["max_input_chars_per_word"],
        left=(told.get("truncation") or {}).get("direction") == "Left",
        pages=pages,
        kinds=kinds,
        spelled=spelled,
    )


def _model(told: dict[str, Any]) -> dict[str, Any]:
    """The tokenizer's model, if all its parts are of kinds known here."""
    model: dict[str, Any] = told["model"]
    kind = model.get("type") or ("WordPiece" if "max_input_chars_per_word" in model else "an unnamed model")
    if kind != "WordPiece":
        raise CannotReproduce(f"its model is {kind}, not WordPiece")
    normalizer, splitter = (told.get(key) or {} for key in ("normalizer", "pre_tokenizer"))
    if normalizer.get("type", "BertNormalizer") != "BertNormalizer":
        raise CannotReproduce(f"its normalizer is {normalizer['type']}, not BertNormalizer")
    if splitter.get("type") != "BertPreTokenizer":
        raise CannotReproduce(f"its pre-tokenizer is {splitter.get('type', 'none')}, not BertPreTokenizer")
    if model["unk_token"] not in model["vocab"]:
        raise CannotReproduce(f"its vocabulary lacks {model['unk_token']}, the token for unknown words")
    if "" in model["vocab"] or not model["continuing_subword_prefix"]:
        raise CannotReproduce("its vocabulary has an empty token, or no prefix for the later pieces of a word")
    if any(PRIVATE <= ord(c) <= SPARE for token in model["vocab"] for c in token):
        raise CannotReproduce("its vocabulary has private characters of plane 15")
    return model


def _added(told: dict[str, Any], tokenizer: Any) -> dict[str, int]:
    """Tokens that are looked for in a text before all else, and their ids."""
    added = told.get("added_tokens") or []
    for token in added:
        if token["single_word"] or token["normalized"] or not token["content"]:
            raise CannotReproduce(f"its added token {token['content']!r} is matched in normalized text or whole words")
    names = [token["content"] for token in added]
    if len(names) > MOST:
        raise CannotReproduce(f"it has {len(names)} added tokens")
    for one in names:
        for other in names:
            if _overlap(one, other):
                raise CannotReproduce(f"its added tokens {one!r} and {other!r} can overlap")
    return {name: tokenizer.token_to_id(name) for name in names}


def _overlap(one: str, other: str) -> bool:
    """Whether some text has both at places that share characters (each with itself: at two such places)."""
    if one != other and one in other:
        return True
    return any(one[-n:] == other[:n] for n in range(1, min(len(one), len(other))))


def _template(processor: dict[str, Any] | None, tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids ahead of a text and behind it."""
    if processor is None:
        return [], []
    if processor["type"] not in ("TemplateProcessing", "BertProcessing"):
        raise CannotReproduce(f"its post-processor is {processor['type']}")
    token = _plain(tokenizer)
    ids = tokenizer.encode(token).ids
    at = ids.index(tokenizer.token_to_id(token))
    return ids[:at], ids[at + 1 :]


def _plain(tokenizer: Any) -> str:
    """A word that is one token, and no special one."""
    special = set(tokenizer.encode("").ids)
    for token, number in sorted(tokenizer.get_vocab(with_added_tokens=False).items(), key=lambda item: item[1]):
        if number not in special and tokenizer.encode(token, add_special_tokens=False).ids == [number]:
            return str(token)
    raise CannotReproduce("it has no word of one token")


def _pad(config: dict[str, Any], tokenizer: Any) -> int:
    """The padding's id."""
    name = config.get("pad_token")
    number = tokenizer.token_to_id(name["content"] if isinstance(name, dict) else name) if name else None
    if number is None:
        raise CannotReproduce("it has no token for padding")
    return int(number)


def _table(tokenizer: Any, marks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each code point becomes before words are split into pieces, as pages, kinds and spellings."""
    import numpy as np

    found: dict[tuple[int, ...], int] = {}
    kinds = np.zeros(UNICODE, np.int32)
    for code, spelling in enumerate(_spellings(tokenizer)):
        kinds[code] = found.setdefault(spelling, len(found))
    kinds[PRIVATE : PRIVATE + marks] = found.setdefault((ord(" "), SELF, ord(" ")), len(found))
    width = max(len(spelling) for spelling in found)
    spelled = np.array([(*s, *[NOTHING] * (width - len(s))) for s in found], np.int32)
    pages, where = np.unique(kinds.reshape(-1, PAGE), axis=0, return_inverse=True)
    return where.astype(np.int32).ravel(), pages, spelled


def _spellings(tokenizer: Any) -> list[tuple[int, ...]]:
    """For each code point, what it becomes; blanks stand where words are split."""
    made: list[tuple[int, ...]] = []
    for start in range(0, UNICODE, CHUNK):
        codes = range(start, start + CHUNK)
        texts = _normalized(tokenizer.normalizer, ["" if c in SURROGATES else chr(c) for c in codes])
        apart = _apart(tokenizer.pre_tokenizer, texts)
        made.extend(_spelling(code, text, apart) for code, text in zip(codes, texts, strict=True))
    return made


def _spelling(code: int, text: str, apart: dict[str, str]) -> tuple[int, ...]:
    spelled = "".join(apart[c] for c in text)
    return tuple(SELF if ord(c) == code and c != " " else ord(c) for c in spelled)


def _normalized(normalizer: Any, texts: list[str]) -> list[str]:
    """Each as it is when others stand around it: a normalizer of BERT's kind sees one character at a time."""
    if normalizer is None:
        return texts
    others = [text for text in texts if text != BETWEEN]
    parts: list[str] = normalizer.normalize_str(BETWEEN.join(["", *others, ""])).split(BETWEEN)[1:-1]
    found = iter(parts)
    return [BETWEEN if text == BETWEEN else next(found) for text in texts]


def _apart(splitter: Any, texts: list[str]) -> dict[str, str]:
    """The characters in ``texts``: blank if they only separate words, between blanks if they are words themselves."""
    characters = sorted(set("".join(texts)))
    pieces = splitter.pre_tokenize_str("x" + "".join(f"{c}x" for c in characters))
    inside = [" "] * (2 * len(characters) + 1)
    for piece, (start, stop) in pieces:
        inside[start:stop] = [f" {piece} "] if stop - start == 1 else piece
    return {c: inside[2 * i + 1] for i, c in enumerate(characters)}
