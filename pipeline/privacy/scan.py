"""What must not be published by mistake: personal data and secrets in the files of an upload."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path

from pipeline.corpora import encodings
from pipeline.errors import UserError
from pipeline.fields import require
from pipeline.privacy import documents, headers, strings
from pipeline.privacy.findings import KINDS, Finding
from pipeline.privacy.recognizers import find

TOLD = 10  # places in a message
MARK = 6  # hexadecimal digits: enough to tell findings apart, too few to find out a telephone number by trying all
UNREAD = "unread"  # what allows a file that cannot be read
HEADED = (".onnx", ".safetensors")  # of these, what their makers wrote into their heads is looked at
# Weights, graphs and vocabularies without compression, so that their strings stand in them as they are.
PLAIN = re.compile(r".+\.(?:bin|pb|tflite|index|data|data-[0-9]+-of-[0-9]+|model)", re.IGNORECASE)
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # what people write in no encoding but UTF-16
UNSURE = ("", "utf-16-le", "utf-16-be")  # some bytes that are no text make characters of UTF-16 as well
HEAD = 4096  # bytes
_ALLOWED = re.compile(rf"(?:{'|'.join((*KINDS, UNREAD))})(?::[0-9a-f]{{{MARK}}})?")
Said = tuple[int, str, str]  # line, or 0 if there is none; where in it; text


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was found.  ``shown`` is what of it may be told, ``name`` what allows it."""

    file: str
    line: int
    key: str
    shown: str
    name: str

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line else ""
        return f"{', '.join(filter(None, (self.file, line, self.key)))}: {self.shown} ({self.name})"


def check(files: Mapping[str, Path], allow: Sequence[str]) -> None:
    """Refuse to publish what looks personal or secret, and what cannot be read.

    Args:
        files: by the names that they would have.
        allow: see :func:`require_known`.

    Raises:
        UserError: there is such a thing; the message lists the first places, none of it whole.
    """
    places = scan(files, allow)
    unread = [place for place in places if place.name.startswith(UNREAD)]
    found = [place for place in places if not place.name.startswith(UNREAD)]
    told = []
    if found:
        count = "1 place looks" if len(found) == 1 else f"{len(found):,} places look"
        told += _told(
            f"publication: {count} personal or secret, so nothing was uploaded; take it out of the data (corpus.mask={','.join(_kinds(found))} "
            f"does), or allow what may be known with publication.allow={found[0].name},… or with a kind alone",
            found,
        )
    if unread:
        count = "1 file is" if len(unread) == 1 else f"{len(unread):,} files are"
        told += _told(
            f"publication: {count} neither text nor of a form that is looked through, so nothing was uploaded; take it out of the base "
            f"model, or allow what you know to hold nothing personal or secret with publication.allow={unread[0].name},…",
            unread,
        )
    if told:
        raise UserError(*told)


def _told(what: str, found: Sequence[Place]) -> list[str]:
    more = [f"and {len(found) - TOLD:,} more"] if len(found) > TOLD else []
    return [what, *map(str, found[:TOLD]), *more]


def _kinds(found: Sequence[Place]) -> list[str]:
    there = {place.name.partition(":")[0] for place in found}
    return [kind for kind in KINDS if kind in there]


def require_known(allow: Sequence[str]) -> None:
    """Refuse what :func:`check` could not mean.

    Args:
        allow: kinds, of which all is allowed, and findings as :func:`check` names them.
    """
    for each in allow:
        require(
            _ALLOWED.fullmatch(each) is not None,
            f"allow={each}: expected KIND:MARK as a refusal names it, such as email:1f2e3d, or one of {', '.join((*KINDS, UNREAD))}",
        )


def scan(files: Mapping[str, Path], allow: Collection[str] = ()) -> list[Place]:
    """All places but those that are allowed, by file and line; also each file that cannot be read.

    Of safetensors and ONNX files what their headers say is read, of other weights and graphs the addresses and secrets
    among their bytes.
    """
    places = (place for name, file in sorted(files.items()) for place in _places(name, file))
    return [place for place in places if place.name not in allow and place.name.partition(":")[0] not in allow]


def _places(name: str, file: Path) -> Iterator[Place]:
    if file.suffix.lower() in HEADED:
        try:
            said = list(headers.said(file))
        except headers.DAMAGED:  # or another file under this name
            yield from _among_bytes(name, file)
        else:
            yield from _in_texts(name, ((0, key, text) for key, text in said))
        return
    encoding = _encoding(file)
    if encoding:
        yield from _in_texts(name, _said(file, file.read_text(encoding=encoding, errors="replace")))
    elif not PLAIN.fullmatch(file.name):
        yield _unread(name, file)
        return
    if encoding in UNSURE:
        yield from _among_bytes(name, file)


def _unread(name: str, file: Path) -> Place:
    with file.open("rb") as stream:
        mark = file_digest(stream, "sha256").hexdigest()[:MARK]
    return Place(name, 0, "", f"{file.stat().st_size:,} bytes", f"{UNREAD}:{mark}")


def _in_texts(file: str, said: Iterable[Said]) -> Iterator[Place]:
    for line, key, text in said:
        for finding in find(text):
            at = line + text.count("\n", 0, finding.start) if not key else line
            yield Place(file, at, _hidden(key), shown(finding), name_of(finding))


def _among_bytes(name: str, file: Path) -> Iterator[Place]:
    for start, finding in strings.found(file):
        yield Place(name, 0, f"byte {start + 1:,}", shown(finding), name_of(finding))


def name_of(finding: Finding) -> str:
    """What allows a finding: its kind, and a mark from which it cannot be read."""
    return f"{finding.kind}:{sha256(finding.text.encode()).hexdigest()[:MARK]}"


def shown(finding: Finding) -> str:
    """As much of a finding as its owner needs to recognize it."""
    text = " ".join(finding.text.split())
    if finding.kind == "email":
        return f"{text[0]}…@{re.split('[@＠]', text)[-1]}"
    if finding.kind == "secret":
        return f"{text[: min(4, len(text) // 4)]}…"
    ends = 2 if finding.kind != "phone" else 1
    return f"{text[:ends]}…{text[-2:]}"


def _hidden(key: str) -> str:
    """Where in JSON, which may be named after something personal itself."""
    for finding in reversed(find(key)):
        key = key[: finding.start] + shown(finding) + key[finding.end :]
    return key


def _encoding(file: Path) -> str:
    """What a file of text is written in; "" if it is no text."""
    with file.open("rb") as stream:
        head = stream.read(HEAD)
    if PLAIN.fullmatch(file.name) and b"\x00" in head:
        return ""
    try:
        return encodings.detect(file)
    except UserError:  # not all of it is of one encoding, or of one that nobody can guess
        return "" if _NO_TEXT.search(head) or _NO_TEXT.search(file.read_bytes()) else "utf-8"


def _said(file: Path, content: str) -> Iterator[Said]:
    """The texts in a file of text."""
    match file.suffix.lower():
        case ".json":
            yield from _document(content, content)
        case ".jsonl":
            for number, line in enumerate(content.split("\n"), 1):
                yield from ((number, key, text) for _, key, text in _document(line, ""))
        case _:
            yield 1, "", content


def _document(content: str, whole: str) -> Iterator[Said]:
    """The texts in JSON, with their lines in ``whole``."""
    try:
        texts = list(documents.texts(content))
    except (ValueError, RecursionError):
        yield 1, "", content
        return
    for key, text in texts:
        if find(text):
            yield _line(text, whole), key or "the text", text


def _line(text: str, whole: str) -> int:
    for ascii in (False, True):
        place = whole.find(json.dumps(text, ensure_ascii=ascii)[1:-1])
        if place >= 0:
            return whole.count("\n", 0, place) + 1
    return 0
