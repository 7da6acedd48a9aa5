"""What stages ask of the Hugging Face Hub, and what to say when it does not answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

from pipeline.errors import UserError

COMMIT = re.compile(r"[0-9a-f]{40}")
ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def is_commit(revision: str) -> bool:
    """Whether it is a full commit id, which never moves."""
    return COMMIT.fullmatch(revision) is not None


def looks_like_id(name: str) -> bool:
    """Whether ``name`` has the form of a Hub id: ``owner/name``."""
    return "/" in name and may_be_id(name)


def may_be_id(name: str) -> bool:
    """Whether ``name`` has the form of a Hub id, or is a bare name such as some old models go by: ``bert-base-uncased``."""
    return ID.fullmatch(name) is not None and not name.startswith(".")


def pin(kind: str, name: str, revision: str, known: MutableMapping[str, str]) -> str:
    """The commit that a revision of a repository is at, from ``known`` or, the first time, from the Hub.

    Args:
        kind: "model" or "dataset".
        revision: a commit (taken as it is), a branch or a tag; empty for main.
    """
    if is_commit(revision):
        return revision
    entry = f"{kind} {name}@{revision or 'main'}"
    if entry not in known:
        from huggingface_hub import HfApi

        with explained(kind, name):
            info = HfApi().repo_info(name, repo_type=kind, revision=revision or None)
        known[entry] = info.sha or ""
    return known[entry]


@contextmanager
def explained(kind: str, name: str) -> Iterator[None]:
    """Turns what the Hub's client raises about ``name`` into one line that says what to do."""
    from huggingface_hub import errors

    setting = {"model": "base.model", "dataset": "corpus.source"}[kind]
    local = f"a folder on this machine works too: {setting}=PATH"
    try:
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
    return f"the Hub cannot be reached ({type(error).__name__})"
