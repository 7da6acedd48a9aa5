"""What is said of an answer, how long is waited after it, and what must not be said."""

from __future__ import annotations

import logging
import warnings

import httpx2
import pytest
from huggingface_hub import errors

from pipeline.patience import LONG, discreet, hidden, patiently, reason, status


def answered(code: int, said: str = "", **headers: str) -> errors.HfHubHTTPError:
    """What the client raises after an answer."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    response = httpx2.Response(code, headers=names, request=httpx2.Request("GET", "http://127.0.0.1"))
    return errors.HfHubHTTPError(f"{code} for http://127.0.0.1", response=response, server_message=said or None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the token hf_abcdefgh is bad", "the token (token) is bad"),
        ("Authorization: Bearer eyJ0.x-y_z", "Authorization: (token)"),
        ("sent ours-without-a-prefix twice, ours-without-a-prefix", "sent (token) twice, (token)"),
        ("PUT https://s3/x?X-Amz-Signature=ab12&part=1", "PUT https://s3/x?(token)&part=1"),
        ("one\n  two\r\nthree", "one two three"),
        ("nothing to hide: half_time, shelf_life", "nothing to hide: half_time, shelf_life"),
        ("x" * 400, "x" * 300 + "…"),
    ],
)
def test_what_is_said_is_a_line_without_a_secret(monkeypatch: pytest.MonkeyPatch, text: str, shown: str) -> None:
    monkeypatch.setenv("HF_TOKEN", "ours-without-a-prefix")
    assert hidden(text) == shown


def test_the_reason_is_that_of_the_answer_wherever_it_stands_in_the_chain() -> None:
    outer = RuntimeError("Error while uploading 'x'")
    outer.__cause__ = answered(507, "no room for hf_abcdefgh")
    assert (status(outer), reason(outer)) == (507, "the Hub answers 507: no room for (token)")
    assert reason(answered(500)) == "the Hub answers 500"
    assert (status(httpx2.ReadError("hf_abcdefgh")), reason(httpx2.ReadError("x"))) == (
        0,
        "the connection broke, ReadError",
    )
    assert reason(ValueError("hf_abcdefgh in it")) == "(token) in it" and reason(KeyError()) == "KeyError"


class Failing:
    """Raises each of some errors once."""

    def __init__(self, *raised: Exception) -> None:
        self.raised, self.calls = list(raised), 0

    def __call__(self) -> str:
        self.calls += 1
        if self.raised:
            raise self.raised.pop(0)
        return "done"


SOON = {"Retry_After": "0"}


@pytest.mark.parametrize("code", [408, 409, 412, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(code: int) -> None:
    assert patiently(Failing(answered(code, **SOON), answered(code, **SOON)), "x") == "done"


@pytest.mark.parametrize(
    "error", [answered(400), answered(401), answered(403), answered(404), answered(501), ValueError("x"), errors.OfflineModeIsEnabled("x")]
)  # fmt: skip
def test_what_does_not_pass_is_not(error: Exception) -> None:
    failing = Failing(error)
    with pytest.raises(type(error)):
        patiently(failing, "x", LONG)
    assert failing.calls == 1


def test_who_is_offline_is_told_at_once_but_after_a_training_it_is_tried_again() -> None:
    failing = Failing(httpx2.ConnectError("refused"))
    with pytest.raises(httpx2.ConnectError):
        patiently(failing, "x")
    assert patiently(Failing(httpx2.ConnectError("refused")), "x", LONG) == "done"
    assert patiently(Failing(httpx2.ReadError("broken")), "x") == "done"


def test_it_is_given_up_in_the_end() -> None:
    failing = Failing(*(answered(503, **SOON) for _ in range(9)))
    with pytest.raises(errors.HfHubHTTPError):
        patiently(failing, "x", LONG)
    assert failing.calls == len(LONG) + 1


def test_the_hub_says_how_long_to_wait() -> None:
    from pipeline.patience import _pause

    assert _pause(answered(429, RateLimit='"api";r=0;t=55'), 1.0) == 56
    assert _pause(answered(429, RateLimit='"api";r=7;t=55'), 1.0) == 1
    assert _pause(answered(503, Retry_After="20"), 1.0) == 20
    assert _pause(answered(503, Retry_After="99999"), 1.0) == 300
    assert _pause(answered(503, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), 4.0) == 4


def test_the_client_is_silent_meanwhile_and_not_after(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("huggingface_hub.some")
    with discreet(), warnings.catch_warnings(record=True) as warned:
        log.warning("hf_abcdefgh")
        warnings.warn("hf_abcdefgh", stacklevel=1)
    assert not warned and "hf_abcdefgh" not in caplog.text
    assert logging.getLogger("huggingface_hub").level != logging.CRITICAL
