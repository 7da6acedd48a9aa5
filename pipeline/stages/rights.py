"""What can be known before anything is made of whether the Hub will take an upload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from json import JSONDecodeError
from typing import Any, TypeVar

from pipeline.errors import UserError
from pipeline.hub import unreachable
from pipeline.patience import hidden, patiently, reason, status
from pipeline.progress import say

T = TypeVar("T")

LOGIN = "not logged in to the Hub; `hf auth login`, or set HF_TOKEN"
INVALID = "the Hub does not accept the token; make a new one"
NO_HUB = "what answers is no Hub, for it does not say whose the token is; look at HF_ENDPOINT"
MISSING = "no such repository on the Hub, so there is nothing to open a pull request on; leave publication.pr out"


def check(repo: str, *, pull: bool, metadata: Mapping[str, Any], where: str) -> None:
    """Make sure that there is a token, that it may write to ``repo``, or open a pull request there with ``pull``, and that
    the Hub takes a card with ``metadata``.

    Args:
        where: what errors begin with.

    Raises:
        UserError: one of these is not so, or the Hub cannot be reached.
    """
    from huggingface_hub import HfApi, constants

    hub = HfApi()
    if constants.is_offline_mode():
        raise UserError(f"{where}: HF_HUB_OFFLINE is set, so nothing can be sent to the Hub; unset it to publish")
    if not hub.endpoint.startswith(("http://", "https://")):
        raise UserError(f"{where}: HF_ENDPOINT={hub.endpoint}: no address; one begins with https://")
    who = _asked(hub.whoami, where)
    if not isinstance(who, Mapping) or "name" not in who:
        raise UserError(f"{where}: {NO_HUB}")
    if pull:
        _check_token(who, repo, ("repo.write", "discussion.write"), where)
    else:
        _check_owner(who, repo, where)
        _check_token(who, repo, ("repo.write",), where)
    _check_repo(hub, who["name"], repo, pull=pull, where=where)
    _check_metadata(metadata, where)


def _check_owner(who: Mapping[str, Any], repo: str, where: str) -> None:
    owner, name = repo.partition("/")[0], who["name"]
    mine = {name: "admin"} | {org["name"]: org.get("roleInOrg", "write") for org in who.get("orgs") or []}
    writable = [group for group, role in mine.items() if role != "read"]
    if owner not in writable:
        raise UserError(
            f"{where}: the token is {name}'s, who cannot write to {owner}; it can to {', '.join(writable)}; "
            "publication.pr=true opens a pull request instead"
        )


def _check_token(who: Mapping[str, Any], repo: str, needed: tuple[str, ...], where: str) -> None:
    """What the token may do; a fine-grained one lists it, and where."""
    token = who.get("auth", {}).get("accessToken", {})
    granted: set[str] = set() if token.get("role") == "read" else set(needed)
    if token.get("role") == "fineGrained":
        rights = token.get("fineGrained", {})
        places = (repo, repo.partition("/")[0])
        scopes = [s for s in rights.get("scoped", []) if s.get("entity", {}).get("name") in places]
        granted = {*rights.get("global", []), *(p for scope in scopes for p in scope.get("permissions", []))}
    if not granted & set(needed):
        raise UserError(f"{where}: the token can only read; make one that can write to it")


def _check_repo(hub: Any, person: str, repo: str, *, pull: bool, where: str) -> None:
    """If there is one of this name, it must let in what is to come."""
    try:
        _asked(partial(hub.auth_check, repo, write=not pull), where, passed=(403, 404))
    except Exception as error:
        if isinstance(error, UserError):
            raise
        if status(error) == 403:
            raise UserError(
                f"{where}: the token is {person}'s, who may not write there ({reason(error)}); "
                "ask its owner, or let publication.pr=true open a pull request"
            ) from None
        if pull:
            raise UserError(f"{where}: {MISSING}") from None
        _mention_namesakes(hub, repo, where)


def _mention_namesakes(hub: Any, repo: str, where: str) -> None:
    """A courtesy: a mirror that has models alone does not stand in the way."""
    from huggingface_hub import errors

    for kind in ("dataset", "space"):
        with suppress(errors.HTTPError):
            if _asked(partial(hub.repo_exists, repo, repo_type=kind), where, passed=(404,)):
                say(f"{repo} is a {kind} on the Hub; the model gets a repository of the same name beside it")


def _check_metadata(metadata: Mapping[str, Any], where: str) -> None:
    """As far as a card's metadata is known beforehand, the Hub must take it."""
    from huggingface_hub import ModelCard, ModelCardData

    card = ModelCard(f"---\n{ModelCardData(**metadata).to_yaml()}\n---\n")
    try:
        _asked(card.validate, where, passed=(400,))
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{where}: the Hub refuses the card's metadata ({hidden(str(error))}); set card.license or card.language, "
            "or whatever it names"
        ) from None


def _asked(question: Callable[[], T], where: str, passed: tuple[int, ...] = ()) -> T:
    """The Hub's answer.  Refusals with a status in ``passed`` are the caller's to explain.

    Raises:
        UserError: the Hub refuses, or cannot be reached.
    """
    from huggingface_hub import errors

    try:
        return patiently(question, where)
    except errors.LocalTokenNotFoundError:
        raise UserError(f"{where}: {LOGIN}") from None
    except JSONDecodeError:
        raise UserError(f"{where}: {NO_HUB}") from None
    except (errors.HTTPError, OSError, UnicodeError) as error:
        if status(error) in passed:
            raise
        if status(error) in (401, 403):
            raise UserError(f"{where}: {INVALID}") from None
        raise UserError(f"{where}: {unreachable(error)}; try later") from None
