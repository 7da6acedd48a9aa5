"""Put a model, its exports, its scores and its card on the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.artifacts import ADAPTER, BESIDE, Bundle, Card, Receipt, Scores
from pipeline.errors import UserError
from pipeline.fields import neutral, require
from pipeline.hub import looks_like_id, unreachable
from pipeline.privacy import scan
from pipeline.progress import say


@dataclass(frozen=True)
class Publication:
    """Where to publish; nothing is published unless ``repo`` is set."""

    repo: str = ""
    """owner/name on the Hub"""
    public: bool = False
    """make a new repository public; one that exists stays as it is"""
    weights: Literal["merged", "adapter"] = "merged"
    """merged: the whole model and its exports; adapter: what training.adapter learned, for whoever has the base model"""
    allow: tuple[str, ...] = neutral(())
    """what looks personal or secret and may be published: KIND:MARK as a refusal names it, or a kind such as email"""

    def __post_init__(self) -> None:
        scan.require_known(self.allow)
        require(not self.repo or looks_like_id(self.repo), f"repo={self.repo}: expected owner/name")

    def check(self, adapter: bool) -> None:
        """An adapter can be published only where there is one.

        Raises:
            UserError: there is none.
        """
        none = "publication.weights=adapter: none is learned; set training.adapter=lora, or leave it out"
        require(adapter or self.weights == "merged", none)

    def preflight(self) -> None:
        """Make sure, before anything is made, that the Hub will take the upload.

        Raises:
            UserError: there is no token, or it may not write there, or the Hub cannot be reached.
        """
        from huggingface_hub import HfApi, errors

        try:
            who = HfApi().whoami()
        except errors.LocalTokenNotFoundError:
            raise UserError(f"{self}: not logged in to the Hub; `hf auth login`, or set HF_TOKEN") from None
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            refused = "the Hub does not accept the token; make a new one"
            raise UserError(
                f"{self}: {refused if status in (401, 403) else f'the Hub answers {status}; try later'}"
            ) from None
        except (errors.HTTPError, OSError, UnicodeError) as error:
            raise UserError(f"{self}: {unreachable(error)}; try later") from None
        self._check_rights(who)

    def _check_rights(self, who: Mapping[str, Any]) -> None:
        owner = self.repo.partition("/")[0]
        mine = {who["name"]: "admin"} | {org["name"]: org.get("roleInOrg", "write") for org in who.get("orgs", [])}
        writable = [name for name, role in mine.items() if role != "read"]
        if owner not in writable:
            raise UserError(
                f"{self}: the token is {who['name']}'s, who cannot write to {owner}; it can to {', '.join(writable)}"
            )
        if not _may_write(who.get("auth", {}).get("accessToken", {}), owner, self.repo):
            raise UserError(f"{self}: the token can only read; make one that can write to it")

    def __str__(self) -> str:
        return f"publication.repo={self.repo}"


def _may_write(token: Mapping[str, Any], owner: str, repo: str) -> bool:
    """Whether an access token may write to a repository; a fine-grained one lists what it may do, and where."""
    if token.get("role") != "fineGrained":
        return token.get("role") != "read"
    granted = token.get("fineGrained", {})
    scopes = [s for s in granted.get("scoped", []) if s.get("entity", {}).get("name") in (owner, repo)]
    permissions = [p for scope in scopes for p in scope.get("permissions", [])]
    return "repo.write" in permissions or "repo.write" in granted.get("global", [])


def _files(config: Publication, bundle: Bundle, scores: Scores, card: Card) -> dict[str, Path]:
    """What is uploaded, by its name there."""
    config.check((bundle.path / ADAPTER).exists())
    files = _below(bundle.path / "model")
    if config.weights == "adapter":
        files = {name: file for name, file in files.items() if not name.endswith((".safetensors", ".index.json"))}
        files |= _below(bundle.path / ADAPTER)
    else:
        for form in (name for name in Bundle.shown if name not in ("model", ADAPTER)):
            found = _below(bundle.path / form)
            files |= {f"{form}/{name}": file for name, file in found.items() if file.name not in BESIDE}
    return {**files, "README.md": card.path / "README.md", "scores.json": scores.path / "scores.json"}


def _below(folder: Path) -> dict[str, Path]:
    """All files in a folder, by their names within it."""
    return {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}


def publish(config: Publication, out: Path, *, bundle: Bundle, scores: Scores, card: Card) -> Receipt:
    """Upload everything in one commit; the receipt names it.  Training text is never uploaded.

    Raises:
        UserError: see :meth:`Publication.preflight`; the upload can be repeated, what was made before is kept.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, errors

    hub, files = HfApi(), _files(config, bundle, scores, card)
    scan.check(files, config.allow)
    try:
        hub.create_repo(config.repo, private=not config.public, exist_ok=True)
        commit = hub.create_commit(
            config.repo,
            operations=[CommitOperationAdd(name, file) for name, file in sorted(files.items())],
            commit_message="Fine-tuned model",
        )
    except (errors.HTTPError, OSError, ValueError) as error:  # ValueError: a card that the Hub refuses
        reason = " ".join(str(error).split())
        raise UserError(
            f"publication.repo={config.repo}: the upload failed ({reason}); run the same again: the rest is kept"
        ) from None
    say(f"published as {commit.commit_url}")
    made = Receipt(out)
    made.write("receipt.json", {"repo": config.repo, "commit": commit.oid, "address": commit.commit_url})
    return made
