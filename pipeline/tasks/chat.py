"""Conversations as text, by the chat template of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import UserError

if TYPE_CHECKING:
    import jinja2

Turn = tuple[str, str]  # who says what: user, assistant or system
TODAY = (2024, 7, 26)  # for templates that tell the date: what is learned must not depend on the day
# For models that have none.
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if not loop.first %}{{ '\\n' }}{% endif %}"
    "{{ '### ' + message['role'] | capitalize + ':\\n' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\n### Assistant:\\n' }}{% endif %}"
)


def render(template: str, turns: Sequence[Turn], names: Mapping[str, str], *, ask: bool = False) -> str:
    """What a model reads of a conversation, as ``apply_chat_template`` of transformers gives it.

    Args:
        names: special tokens that a template may mention, such as ``eos_token``.
        ask: end with what makes it the assistant's turn.

    Raises:
        UserError: the template refuses such a conversation.
    """
    import jinja2

    messages = [{"role": role, "content": content} for role, content in turns]
    try:
        return _compiled(template).render(messages=messages, add_generation_prompt=ask, **names)
    except jinja2.TemplateError as error:
        roles = ", ".join(role for role, _ in turns)
        raise UserError(f"the chat template of the base model refuses turns of {roles}: {error}") from None


@cache
def _compiled(template: str) -> jinja2.Template:
    import json
    from datetime import datetime

    import jinja2
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> Any:
        raise jinja2.TemplateError(message)

    def tojson(value: Any, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=False, **options)

    known = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    known.filters["tojson"] = tojson
    known.globals |= {"raise_exception": refuse, "strftime_now": datetime(*TODAY).strftime}
    return known.from_string(template)
