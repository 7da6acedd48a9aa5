"""Who may do what, by what the Hub says of a token."""

from __future__ import annotations

from typing import Any

Person = dict[str, Any]  # what whoami answers


def person(role: str = "write", *groups: str, name: str = "me") -> Person:
    """Somebody with an access token; ``groups`` are names, or ``name:role``."""
    orgs = [{"name": each, "roleInOrg": may or "write"} for each, _, may in (group.partition(":") for group in groups)]
    return {"type": "user", "name": name, "orgs": orgs, "auth": {"type": "access_token", "accessToken": {"role": role}}}


def fine_grained(*permissions: str, entity: str = "me") -> Person:
    """Somebody with a token that has rights of its own, in the space of a user or group, or in one repository."""
    me = person("fineGrained")
    rights = {
        "entity": {"type": "model" if "/" in entity else "user", "name": entity},
        "permissions": list(permissions),
    }
    me["auth"]["accessToken"]["fineGrained"] = {"global": [], "scoped": [rights]}
    return me


def reads(who: Person | None, repo: str) -> bool:
    """Whether somebody may look into a private repository."""
    owner = repo.partition("/")[0]
    return who is not None and (owner == who["name"] or owner in {org["name"] for org in who["orgs"]})


def writes(who: Person | None, repo: str) -> bool:
    """Whether somebody may write to a repository, or make it."""
    if who is None or not reads(who, repo):
        return False
    owner = repo.partition("/")[0]
    roles = {org["name"]: org["roleInOrg"] for org in who["orgs"]}
    return roles.get(owner, "admin") != "read" and "repo.write" in granted(who, repo)


def granted(who: Person, repo: str) -> set[str]:
    """What the token itself lets its owner do with a repository."""
    token = who["auth"]["accessToken"]
    if token["role"] != "fineGrained":
        return {"repo.write", "discussion.write"} if token["role"] in ("write", "admin") else set()
    scopes = [s for s in token["fineGrained"]["scoped"] if s["entity"]["name"] in (repo.partition("/")[0], repo)]
    return {*token["fineGrained"]["global"], *(each for scope in scopes for each in scope["permissions"])}
