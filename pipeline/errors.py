"""What can go wrong, by whose hands."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """Something that the user can put right: shown without a traceback, exit code 2.

    Each problem is one line that says what is wrong, where, what was received and what to do.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class CheckFailed(RuntimeError):
    """A result that must not be trusted, such as an export that disagrees with its model: exit code 1."""


class TooInexact(CheckFailed):
    """It is less exact than it may be; with more care it might be exact enough."""


def nearest(name: str, names: Iterable[str], all_of_them: str = "there are") -> str:
    """The way out when ``name`` is not among ``names``: the one that was meant, or all there are."""
    known = list(names)
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"{all_of_them} {', '.join(known)}"
