"""In which encoding a text file is written."""

from __future__ import annotations

import codecs
from pathlib import Path

from pipeline.errors import UserError

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
SAMPLE = 1 << 20  # bytes


def detect(file: Path, named: str = "") -> str:
    """The encoding to read ``file`` with: ``named``, or what its byte order mark says, UTF-8 if it is
    valid, UTF-16 by its zero bytes, or GB18030 where the text then reads as Chinese.

    Raises:
        UserError: it is none of these, with the first offending byte and the likeliest name.
    """
    if named:
        return _checked(file, named)
    with file.open("rb") as stream:
        sample = stream.read(SAMPLE)
    if mark := next((m for m in MARKS if sample.startswith(m)), None):
        return MARKS[mark]
    if b"\0" in sample[:1000]:
        return "utf-16-le" if sample[:1000][1::2].count(0) > sample[:1000][::2].count(0) else "utf-16-be"
    bad = _first_bad_byte(file, "utf-8")
    if bad is None:
        return "utf-8"
    guess = _guess(sample)
    if guess == "gb18030" and _first_bad_byte(file, guess) is None:
        return guess
    raise UserError(
        f"{file}: not UTF-8 (byte 0x{bad[1]:02X} at position {bad[0]:,}); "
        f"it looks like {guess or 'no known encoding'}: name it with corpus.encoding={guess or 'NAME'}, or save it as UTF-8"
    )


def _checked(file: Path, named: str) -> str:
    try:
        codecs.lookup(named)
    except LookupError:
        raise UserError(f"corpus.encoding={named}: no such encoding; such as utf-8, gb18030, cp1252") from None
    if bad := _first_bad_byte(file, named):
        raise UserError(
            f"{file}: not {named} (byte 0x{bad[1]:02X} at position {bad[0]:,}); name another corpus.encoding"
        )
    return named


def _first_bad_byte(file: Path, encoding: str) -> tuple[int, int] | None:
    """Position and value of the first byte that ``encoding`` cannot be; None if there is none."""
    decoder = codecs.getincrementaldecoder(encoding)()
    position = 0
    with file.open("rb") as stream:
        while True:
            chunk = stream.read(SAMPLE)
            pending = decoder.getstate()[0]
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return position - len(pending) + error.start, error.object[error.start]
            if not chunk:
                return None
            position += len(chunk)


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=["gb18030", "big5", "cp1252", "shift_jis", "euc_kr", "cp1251"]).best()
    if best is None:
        return ""
    chinese = best.encoding in ("gb18030", "big5") and _mostly_chinese(sample)
    return "gb18030" if chinese else best.encoding


def _mostly_chinese(sample: bytes) -> bool:
    """Whether, read as GB18030, most of what is not ASCII lies among the everyday Chinese characters."""
    text = [c for c in sample.decode("gb18030", errors="ignore") if ord(c) > 127]
    common = [c for c in text if "\u4e00" <= c <= "\u9fff" or "\u3000" <= c <= "\u303f" or "\uff00" <= c <= "\uffef"]
    return bool(text) and len(common) > 0.95 * len(text)
