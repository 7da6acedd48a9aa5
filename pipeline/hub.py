"""What stages ask of the Hugging Face Hub, and what to say when it does not answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import UserError
from pipeline.patience import discreet, patiently, status
from pipeline.progress import say

COMMIT = re.compile(r"[0-9a-f]{40}")
ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
NOT_ACCEPTED = "the Hub does not accept the token; make a new one for HF_TOKEN or `hf auth login`, or take it away for what is public"
SETTINGS = {"model": "base.model", "dataset": "corpus.source"}
NAME = 96  # characters of a repository's name, and of its owner's


def is_commit(revision: str) -> bool:
    """Whether it is a full commit id, which never moves."""
    return COMMIT.fullmatch(revision) is not None


def looks_like_id(name: str) -> bool:
    """Whether ``name`` has the form of a Hub id: ``owner/name``."""
    return "/" in name and may_be_id(name)


def may_be_id(name: str) -> bool:
    """Whether ``name`` has the form of a Hub id, or is a bare name such as some old models go by: ``bert-base-uncased``."""
    return ID.fullmatch(name) is not None and not name.startswith(".")


def refused_name(name: str) -> str:
    """Why the Hub would not give a repository this name; empty if it would.  See ``huggingface_hub.utils.validate_repo_id``."""
    owner, slash, bare = name.partition("/")
    if not slash or not may_be_id(name):
        return "expected owner/name"
    if not all(re.fullmatch(r"\w([\w.-]*\w)?", part, re.ASCII) for part in (owner, bare)):
        return "a name has the letters a to z, digits, -, _ and ., and neither begins nor ends with - or ."
    if "--" in name or ".." in name or name.endswith(".git"):
        return "the Hub allows neither -- nor .. in a name, nor .git at its end"
    return f"a name has at most {NAME} characters" if max(len(owner), len(bare)) > NAME else ""


def pin(kind: str, name: str, revision: str, known: MutableMapping[str, str]) -> str:
    """The commit that a revision of a repository is at, from ``known`` or, the first time, from the Hub; where that does not
    answer, as its cache on this machine has it.

    Args:
        kind: "model" or "dataset".
        revision: a commit (taken as it is), a branch or a tag; empty for main.
    """
    if is_commit(revision):
        return revision
    entry = f"{kind} {name}@{revision or 'main'}"
    if entry not in known:
        with explained(kind, name):
            known[entry] = _commit(kind, name, revision)
    return known[entry]


def _commit(kind: str, name: str, revision: str) -> str:
    """Asked of the Hub, and noted in its cache."""
    from huggingface_hub import HfApi, constants, errors

    api, note = HfApi(), _note(kind, name, revision or "main")
    try:
        found = patiently(lambda: api.repo_info(name, repo_type=kind, revision=revision or None), name)
    except (errors.HTTPError, ConnectionError) as error:
        if 0 < status(error) < 500 or not note.is_file():
            raise
        why = "HF_HUB_OFFLINE is set" if constants.is_offline_mode() else unreachable(error)
        say(f"{name}: {why}; {revision or 'main'} is taken for what it was when it was last seen")
        return note.read_text(encoding="utf-8").strip()
    commit: str = found.sha or ""
    with suppress(OSError):  # a cache that cannot be written to
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(commit, encoding="utf-8")
    return commit


def _note(kind: str, name: str, revision: str) -> Path:
    """Where the Hub's cache says which commit a revision is at.

    See https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=name, repo_type=kind), "refs", revision)


def snapshot(kind: str, name: str, revision: str, patterns: Iterable[str]) -> Path:
    """The folder in the Hub's cache that has all files of a commit whose names match; got from the Hub, if it has not.

    Raises:
        UserError: the Hub does not answer, and whether the cache has all of them cannot be known.
    """
    from huggingface_hub import errors, get_cached_repo_tree, snapshot_download

    folder = Path(snapshot_download(name, repo_type=kind, revision=revision, allow_patterns=list(patterns)))
    try:
        get_cached_repo_tree(name, repo_type=kind, revision=revision)  # without it, nothing was compared with it
    except errors.CachedRepoTreeNotFoundError:
        raise UserError(
            f"{name}: the Hub is not to be had, and its cache got {revision[:8]} file by file, so that some may be missing; "
            f"let it be asked once, or take what is there: {SETTINGS[kind]}={folder}"
        ) from None
    return folder


@contextmanager
def explained(kind: str, name: str) -> Iterator[None]:
    """Turns what the Hub's client raises about ``name`` into one line that says what to do."""
    from huggingface_hub import errors

    local = f"a folder on this machine works too: {SETTINGS[kind]}=PATH"
    try:
        with discreet():
            yield
    except errors.GatedRepoError:
        raise UserError(
            f"{name}: access must be asked for on its page on the Hub, then log in with `hf auth login`"
        ) from None
    except errors.RevisionNotFoundError:
        raise UserError(f"{name}: no such revision on the Hub; give a branch, a tag or a full commit") from None
    except errors.RepositoryNotFoundError:
        raise UserError(
            f"{name}: no such {kind} on the Hub, and no such folder here; if it is private, log in with `hf auth login`"
        ) from None
    except errors.HFValidationError as error:
        raise UserError(f"{name}: {error}") from None
    except errors.HfHubHTTPError as error:
        if error.response.status_code == 401:
            raise UserError(f"{name}: {NOT_ACCEPTED}") from None
        raise UserError(f"{name}: the Hub refused ({error.response.status_code}); {local}") from None
    except (errors.HTTPError, errors.EntryNotFoundError, OSError, UnicodeError) as error:
        raise UserError(f"{name}: {unreachable(error)}, and there is no such file or folder here; {local}") from None


def unreachable(error: Exception) -> str:
    """Why the Hub did not answer at all."""
    from huggingface_hub import constants

    if isinstance(error, UnicodeError):
        return "the token has characters that no token has; set HF_TOKEN again"
    if constants.is_offline_mode():
        return "the Hub is not asked, because HF_HUB_OFFLINE is set, and its cache does not have it"
    if status(error):
        return f"the Hub answers {status(error)}"
    return f"the Hub cannot be reached ({type(error).__name__})"
