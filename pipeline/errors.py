"""What can go wrong, by whose hands."""

from __future__ import annotations


class UserError(ValueError):
    """Something that the user can put right: shown without a traceback, exit code 2.

    Each problem is one line that says what is wrong, where, what was received and what to do.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class CheckFailed(RuntimeError):
    """A result that must not be trusted, such as an export that disagrees with its model: exit code 1."""
