"""Secrets: keys, tokens and passwords by the forms that those who issue them give them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

# Guesses by randomness and by words such as "password" are not made: in texts they are wrong more often than right.
_OURS = (
    r"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY(?: BLOCK)?-----"  # and all up to its end, or what there is of it
    r"(?:.{0,20000}?-----END \1PRIVATE KEY(?: BLOCK)?-----|(?:\s*[A-Za-z0-9+/=]{20,})*)",
    r"hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{30,}",  # Hugging Face
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"npm_[A-Za-z0-9]{36}",
    r"sk-(?:proj|svcacct|admin|ant)-[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9]{32,}",  # services with language models
    r"AIza[0-9A-Za-z_-]{35}",  # Google
    r"LTAI[0-9A-Za-z]{12,26}|AKID[0-9A-Za-z]{32}",  # Alibaba Cloud, Tencent Cloud
)
_WORTH_A_LOOK = re.compile(r"[A-Za-z0-9_-]{16}|://[^\s/]*@|PRIVATE KEY")
_MORE = re.compile(r"[A-Za-z0-9_-]*")  # what a token may go on with, where a pattern stops at the shortest
_PASSWORD = 1  # group

Pattern = tuple[re.Pattern[str], int, Callable[[str], bool]]  # with the group that is secret, and what it must pass


def secrets(text: str, joined: bool = False) -> Iterator[tuple[int, int]]:
    """Where secrets stand in a text; ``joined`` if a letter before one need not belong to it."""
    if not _WORTH_A_LOOK.search(text):
        return
    for pattern, group, fine in _patterns():
        for match in pattern.finditer(text):
            start, end = match.span(group)
            if not fine(match[group]) or (not joined and _inside_a_word(text, match.start())):
                continue
            more = None if group else _MORE.match(text, end)
            yield start, more.end() if more else end


def _inside_a_word(text: str, start: int) -> bool:
    around = text[max(0, start - 1) : start + 1]
    return len(around) == 2 and around.isascii() and around.isalnum()


@cache
def _patterns() -> tuple[Pattern, ...]:
    """Those of detect-secrets that know what they look for, and ours.  What it can ask of other machines is never called."""
    from detect_secrets.plugins.aws import AWSKeyDetector
    from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
    from detect_secrets.plugins.basic_auth import BasicAuthDetector
    from detect_secrets.plugins.cloudant import CloudantDetector
    from detect_secrets.plugins.discord import DiscordBotTokenDetector
    from detect_secrets.plugins.github_token import GitHubTokenDetector
    from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
    from detect_secrets.plugins.ibm_cloud_iam import IbmCloudIamDetector
    from detect_secrets.plugins.ibm_cos_hmac import IbmCosHmacDetector
    from detect_secrets.plugins.jwt import JwtTokenDetector
    from detect_secrets.plugins.mailchimp import MailchimpDetector
    from detect_secrets.plugins.npm import NpmDetector
    from detect_secrets.plugins.openai import OpenAIDetector
    from detect_secrets.plugins.private_key import PrivateKeyDetector
    from detect_secrets.plugins.pypi_token import PypiTokenDetector
    from detect_secrets.plugins.sendgrid import SendGridDetector
    from detect_secrets.plugins.slack import SlackDetector
    from detect_secrets.plugins.softlayer import SoftlayerDetector
    from detect_secrets.plugins.square_oauth import SquareOAuthDetector
    from detect_secrets.plugins.stripe import StripeDetector
    from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
    from detect_secrets.plugins.twilio import TwilioKeyDetector

    plugins = (
        AWSKeyDetector, AzureStorageKeyDetector, CloudantDetector, DiscordBotTokenDetector, GitHubTokenDetector,
        GitLabTokenDetector, IbmCloudIamDetector, IbmCosHmacDetector, MailchimpDetector, NpmDetector, OpenAIDetector,
        PrivateKeyDetector, PypiTokenDetector, SendGridDetector, SlackDetector, SoftlayerDetector, SquareOAuthDetector,
        StripeDetector, TelegramBotTokenDetector, TwilioKeyDetector,
    )  # fmt: skip
    whole = [re.compile(pattern, re.DOTALL) for pattern in _OURS] + [p for plugin in plugins for p in plugin.denylist]
    tokens = [(pattern, 0, JwtTokenDetector.is_formally_valid) for pattern in JwtTokenDetector.denylist]
    passwords = [(pattern, _PASSWORD, bool) for pattern in BasicAuthDetector.denylist]
    return (*((pattern, 0, bool) for pattern in whole), *tokens, *passwords)
