"""A tokenizer inside a TensorFlow graph: what a served model needs to take text.

``tensorflow_text`` has BERT's steps, but with its own Unicode tables, a limit on a word's bytes where ``tokenizers``
limits its characters, and operations that whoever loads the model has to import.  Here are TensorFlow's own alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.formats import wordpiece
from pipeline.formats.wordpiece import NOTHING, Rules


def graph(folder: Path) -> tuple[Any, str]:
    """A ``tf.Module`` from texts to ids; if there cannot be one, None and why.

    Called with strings (one dimension), it gives ``input_ids`` and ``attention_mask`` (int32, batch × longest).
    """
    try:
        return _module(wordpiece.rules(folder)), ""
    except wordpiece.CannotReproduce as error:
        return None, str(error)


def _module(rules: Rules) -> Any:
    """A ``tf.Module`` for the rules."""
    import tensorflow as tf

    class Tokenizer(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            entries = tf.lookup.KeyValueTensorInitializer(rules.words, rules.numbers, tf.string, tf.int32)
            self.numbers = tf.lookup.StaticHashTable(entries, NOTHING)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])  # type: ignore[untyped-decorator]
        def __call__(self, texts: Any) -> dict[str, Any]:
            words = _words(rules, texts)
            ids = words.with_values(_ids(rules, self.numbers, words.values)).merge_dims(1, 2)
            ids = ids[:, -rules.room :] if rules.left else ids[:, : rules.room]
            count = tf.shape(texts)[0]
            before, after = (tf.tile(tf.constant([end], tf.int32), [count, 1]) for end in (rules.before, rules.after))
            ids = tf.concat([before, ids, after], 1)
            return {"input_ids": ids.to_tensor(rules.pad), "attention_mask": tf.ones_like(ids).to_tensor(0)}

    return Tokenizer()


def _ids(rules: Rules, numbers: Any, words: Any) -> Any:
    """The ids of each word (ragged): all words at once, the longest known piece of each in a step."""
    import tensorflow as tf

    words, each = tf.unique(words)
    sizes = tf.strings.length(words, "UTF8_CHAR")
    ids, begin = tf.while_loop(
        lambda ids, begin: tf.reduce_any(begin < sizes),
        lambda ids, begin: _piece(rules, numbers, words, sizes, ids, begin),
        [tf.zeros([tf.size(words), 0], tf.int32), tf.zeros_like(sizes)],
        shape_invariants=[tf.TensorShape([None, None]), tf.TensorShape([None])],
    )
    unknown = tf.concat([tf.fill([tf.size(words), 1], rules.numbers[-1]), tf.fill(tf.shape(ids), NOTHING)], 1)
    ids = tf.pad(ids, [[0, 0], [0, 1]], constant_values=NOTHING)
    ids = tf.where((begin > sizes)[:, None], unknown, ids)
    return tf.gather(tf.ragged.boolean_mask(ids, ids != NOTHING), each)


def _piece(rules: Rules, numbers: Any, words: Any, sizes: Any, ids: Any, begin: Any) -> tuple[Any, Any]:
    """One more piece for each word that is not at its end; an unknown rest puts a word past its end."""
    import tensorflow as tf

    left = tf.where(begin < sizes)
    words, start, size = (tf.gather_nd(x, left) for x in (words, begin, sizes))
    longest = max(len(word) for word in rules.words)
    widths = tf.range(1, tf.minimum(longest, tf.reduce_max(size - start)) + 1)
    shape = [tf.size(words), tf.size(widths)]
    wide = tf.broadcast_to(widths, shape)
    at = tf.broadcast_to(start[:, None], shape)
    pieces = tf.strings.substr(tf.broadcast_to(words[:, None], shape), at, wide, "UTF8_CHAR")
    pieces = tf.where(start[:, None] > 0, rules.prefix + pieces, pieces)
    found = tf.where(wide <= (size - start)[:, None], numbers.lookup(pieces), NOTHING)
    width = tf.reduce_max(tf.where(found != NOTHING, wide, 0), 1)
    number = tf.gather(found, tf.maximum(width - 1, 0), batch_dims=1)
    begin = tf.tensor_scatter_nd_update(begin, left, tf.where(width > 0, start + width, size + 1))
    column = tf.tensor_scatter_nd_update(tf.fill(tf.shape(sizes), NOTHING), left, number)
    return tf.concat([ids, column[:, None]], 1), begin


def _words(rules: Rules, texts: Any) -> Any:
    """Texts as words (ragged)."""
    import tensorflow as tf

    marks = "".join(chr(wordpiece.PRIVATE + i) for i in range(len(rules.added) + 1))
    texts = tf.strings.regex_replace(texts, f"[{marks}]", chr(wordpiece.SPARE))
    for i, name in enumerate(rules.added):
        texts = tf.strings.regex_replace(texts, _literal(name), chr(wordpiece.PRIVATE + i))
    codes = tf.strings.unicode_decode(texts, "UTF-8")
    flat = codes.values
    kinds = tf.gather_nd(
        rules.kinds, tf.stack([tf.gather(rules.pages, flat // wordpiece.PAGE), flat % wordpiece.PAGE], 1)
    )
    spelled = tf.gather(rules.spelled, kinds)
    spelled = tf.where(spelled == wordpiece.SELF, flat[:, None], spelled)
    there = spelled != NOTHING
    lengths = tf.RaggedTensor.from_row_splits(tf.reduce_sum(tf.cast(there, tf.int64), 1), codes.row_splits)
    clean = tf.RaggedTensor.from_row_lengths(tf.boolean_mask(spelled, there), tf.reduce_sum(lengths, 1))
    words = tf.strings.split(tf.strings.unicode_encode(clean, "UTF-8"), " ")
    words = tf.ragged.boolean_mask(words, words != "")
    long = tf.strings.length(words.values, "UTF8_CHAR") > rules.longest
    return words.with_values(tf.where(long, rules.words[-1], words.values))


def _literal(text: str) -> str:
    """A regular expression (RE2's) for the text."""
    return "".join(c if c.isalnum() or ord(c) > 127 else f"\\x{{{ord(c):x}}}" for c in text)
