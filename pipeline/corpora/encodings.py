"""In which encoding a text file is written."""

from __future__ import annotations

import codecs
from pathlib import Path

from pipeline.errors import UserError

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
BLOCK = 1 << 20  # bytes read at once; the first of a file is what is guessed from
ZIP = b"PK\x03\x04"  # how spreadsheets begin
MARKED = {"utf-16": 2, "utf-32": 4}  # bytes of the mark that says their order, without which they cannot be read
HIGH = bytes(range(9))  # the high bytes of Latin, Greek, Cyrillic, Hebrew and Arabic letters in UTF-16
SOME = 0.1  # share of zeros among the high bytes of other scripts, which have them for spaces, line ends and labels
SUGGESTED = ["big5", "cp1252", "shift_jis", "euc_kr", "cp1251"]

# Some of the commonest characters of written Chinese.  In any text of it a tenth or more is among these; in the
# bytes of another encoding read as GB18030, hardly any.
COMMON = set(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去"
    "法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实很太真再又与吧吗呢啊给服务差感觉次让非常用买点店位吃比较"
)


def detect(file: Path, named: str = "") -> str:
    """The encoding to read ``file`` with: ``named``, or what its byte order mark says, UTF-8 if it is
    valid, UTF-16 by its high bytes, or GB18030 where the text then reads as Chinese.

    Raises:
        UserError: it is none of these, or not all of it is; with the first offending byte and the likeliest name.
    """
    with file.open("rb") as stream:
        sample = stream.read(BLOCK)
    if sample.startswith(ZIP):
        raise UserError(f"{file}: a spreadsheet or another zip archive, not text; save it as CSV in UTF-8")
    if named:
        return _checked(file, _known(named, file, sample))
    if mark := next((m for m in MARKS if sample.startswith(m)), None):
        return _checked(file, MARKS[mark])
    if wide := _wide(sample):
        return _checked(file, wide)
    bad = _first_bad_byte(file, "utf-8")
    if bad is None:
        return "utf-8"
    if not bad[1]:
        raise _holds_nul(file, bad)
    if _reads_as_chinese(sample) and _first_bad_byte(file, "gb18030") is None:
        return "gb18030"
    guess = _guess(sample)
    likely = f"it looks like {guess}: name it" if guess else "it looks like no known encoding: name it"
    raise UserError(
        f"{_where(file, bad)}: not UTF-8; {likely} with corpus.encoding={guess or 'NAME'}, or save it as UTF-8"
    )


def _wide(sample: bytes) -> str:
    """In which order of bytes a text without a mark is UTF-16, if it is.  Zeros are not enough: one that has strayed into
    a text of single bytes is damage."""
    places = {"utf-16-le": sample[1::2], "utf-16-be": sample[::2]}
    found = {name: high for name, high in places.items() if 0 in high}
    for name, high in found.items():
        if len(high.translate(None, HIGH)) < 0.5 * len(high):
            return name
    for name, high in found.items():
        if _reads_as_chinese(sample, name) or (high.count(0) >= SOME * len(high) and not _is_utf_8(sample)):
            return name
    return ""


def _is_utf_8(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _known(named: str, file: Path, sample: bytes) -> str:
    """The codec of this name, for a file that begins with ``sample``."""
    try:
        found = codecs.lookup(named)
        "".encode(named)  # refuses codecs that are not for text, such as base64
    except (LookupError, UnicodeError):
        raise UserError(f"corpus.encoding={named}: no such encoding; such as utf-8, gb18030, cp1252") from None
    mark = sample[: MARKED.get(found.name, 0)]
    if mark and mark not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        raise UserError(
            f"corpus.encoding={named}: {file} does not begin with the mark of {found.name}; name {found.name}-le or "
            f"{found.name}-be, or another encoding if it is none of these"
        )
    return "utf-8-sig" if found.name == "utf-8" and sample.startswith(codecs.BOM_UTF8) else named


def _checked(file: Path, encoding: str) -> str:
    if bad := _first_bad_byte(file, encoding):
        if not bad[1] and not codecs.lookup(encoding).name.startswith(tuple(MARKED)):
            raise _holds_nul(file, bad)
        raise UserError(
            f"{_where(file, bad)}: not {encoding}; the file is damaged, or in another encoding: name another corpus.encoding"
        )
    return encoding


def _holds_nul(file: Path, bad: tuple[int, int, int]) -> UserError:
    return UserError(
        f"{_where(file, bad)}: a NUL byte, which no text holds; take it out, or name corpus.encoding=utf-16-le or "
        "utf-16-be if that is how the file is written"
    )


def _where(file: Path, bad: tuple[int, int, int]) -> str:
    position, byte, line = bad
    return f"{file}, line {line:,} (byte 0x{byte:02X} at position {position:,})"


def _first_bad_byte(file: Path, encoding: str) -> tuple[int, int, int] | None:
    """Position, value and line of the first byte that ``encoding`` cannot be, or that no text holds; None if
    there is none."""
    decoder = codecs.getincrementaldecoder(encoding)()
    position, line = 0, 1
    with file.open("rb") as stream:
        while True:
            chunk = stream.read(BLOCK)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                lines = line + error.object[: error.start].count(b"\n")
                return position - pending + error.start, error.object[min(error.start, len(error.object) - 1)], lines
            except UnicodeError:  # some codecs do not say where
                return position, chunk[0] if chunk else 0, line
            if "\0" in text:
                return position + chunk.find(b"\0"), 0, line + text[: text.index("\0")].count("\n")
            if not chunk:
                return None
            position, line = position + len(chunk), line + text.count("\n")


def _reads_as_chinese(sample: bytes, encoding: str = "gb18030") -> bool:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    foreign = [c for c in text if ord(c) > 127]
    written = [c for c in foreign if "\u4e00" <= c <= "\u9fff"]
    fitting = [c for c in foreign if _goes_with_chinese(c)]
    common = [c for c in written if c in COMMON]
    return bool(written) and len(fitting) >= 0.95 * len(foreign) and len(common) >= 0.1 * len(written)


def _goes_with_chinese(character: str) -> bool:
    """Chinese characters, their punctuation and full-width forms, quotes and dashes, emoji."""
    place = ord(character)
    ranges = ((0x4E00, 0x9FFF), (0x3000, 0x303F), (0xFF00, 0xFFEF), (0x2010, 0x27BF), (0xFE0F, 0xFE0F), (0xB7, 0xB7))
    return place > 0xFFFF or any(low <= place <= high for low, high in ranges)


def _guess(sample: bytes) -> str:
    """The likeliest name, to suggest: too uncertain to act on."""
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=SUGGESTED).best()
    return best.encoding if best else ""
