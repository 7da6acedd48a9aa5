"""Asking the Hub until it answers, and saying why it did not, without a word that must not be said.

What the Hub's client raises and logs quotes answers and addresses, and an answer can quote the token that was sent.  So
nothing of it is shown but what goes through :func:`hidden`.
"""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from pipeline.progress import say

T = TypeVar("T")

SECRET = re.compile(r"\bhf_\w{6,}|\bBearer\s+\S+|(?<=[?&])[\w-]*(?:Signature|Token|Credential)[\w-]*=[^&\s]+", re.I)
PASSING = (408, 409, 412, 429, 500, 502, 503, 504)  # 409, 412: somebody else committed meanwhile
BRIEFLY = (1.0, 2.0, 4.0)  # seconds between attempts
LONG = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # after a training one waits longer before giving up
LONGEST = 300.0  # however long the Hub asks to wait
SHOWN = 300  # characters of what the Hub says


def hidden(text: str) -> str:
    """``text`` in one line, without the token or anything that looks like one."""
    from huggingface_hub import get_token

    for secret in filter(None, [get_token()]):
        text = text.replace(secret, "(token)")
    text = " ".join(SECRET.sub("(token)", text).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def reason(error: BaseException) -> str:
    """What went wrong, in a few words."""
    from huggingface_hub import errors

    answer = _answer(error)
    if answer is not None:
        said = getattr(answer, "server_message", None)
        return hidden(f"the Hub answers {answer.response.status_code}{f': {said}' if said else ''}")
    inner = list(_chain(error))[-1]
    if isinstance(inner, errors.HTTPError):
        return hidden(f"the connection broke, {type(inner).__name__}")
    return hidden(str(inner)) or type(inner).__name__


def status(error: BaseException) -> int:
    """The status of the Hub's answer; 0 if there was none."""
    answer = _answer(error)
    return 0 if answer is None else int(answer.response.status_code)


def patiently(attempt: Callable[[], T], what: str, waits: Sequence[float] = BRIEFLY) -> T:
    """What ``attempt`` gives, tried again while what fails may pass.

    A Hub that is not there at all is asked again only where ``waits`` is :data:`LONG`: who is offline wants to know at once.
    """
    for wait in (*waits, None):
        try:
            with discreet():
                return attempt()
        except Exception as error:
            if wait is None or not _passes(error, stubborn=waits is LONG):
                raise
            pause = _pause(error, wait)
            say(f"{what}: {reason(error)}; trying again in {pause:g} s")
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def discreet() -> Iterator[None]:
    """Within, the Hub's client neither logs nor warns."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__


def _answer(error: BaseException) -> Any:
    """The first in the chain that holds an answer of the Hub."""
    from huggingface_hub import errors

    return next((each for each in _chain(error) if isinstance(each, errors.HfHubHTTPError)), None)


def _passes(error: BaseException, *, stubborn: bool) -> bool:
    """Whether the same may succeed a little later."""
    from huggingface_hub import errors

    if found := status(error):
        return found in PASSING
    for each in _chain(error):
        if isinstance(each, errors.OfflineModeIsEnabled):
            return False
        if isinstance(each, errors.HTTPError | ConnectionError | TimeoutError):
            return stubborn or "Connect" not in type(each).__name__
    return False


def _pause(error: BaseException, wait: float) -> float:
    """As long as the Hub asks for, if it does."""
    from huggingface_hub.utils import parse_ratelimit_headers

    answer = _answer(error)
    headers = {} if answer is None else answer.response.headers
    limit = parse_ratelimit_headers(headers) if status(error) == 429 else None
    if limit is not None and limit.remaining == 0:
        return min(LONGEST, float(limit.reset_in_seconds + 1))
    asked = headers.get("Retry-After", "")
    return min(LONGEST, float(asked)) if asked.isdigit() else wait
