"""A step is a stage call that has not happened yet."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from pipeline.artifacts import Artifact


class WiringError(TypeError):
    """The steps of a recipe do not fit together: a mistake in the recipe's ``plan``."""


class Step:
    """Which stage to call, with which settings, on the results of which other steps.

    A stage is any function ``stage(config, out, *, artifact: Kind, …) -> Kind`` of a module.
    Nothing runs here; the step only checks that the stage can be called this way.
    """

    def __init__(self, stage: Callable[..., Artifact], config: object, /, *, name: str = "", **inputs: Step) -> None:
        self.stage = stage
        self.config = config
        self.inputs = inputs
        self.name = name or stage.__name__  # for people; never part of a fingerprint
        self._check()

    @cached_property
    def signature(self) -> inspect.Signature:
        return inspect.signature(self.stage, eval_str=True)

    @property
    def makes(self) -> type[Artifact]:
        kind: type[Artifact] = self.signature.return_annotation
        return kind

    @property
    def takes(self) -> dict[str, type[Artifact]]:
        """The artifacts the stage asks for, by parameter name."""
        parameters = self.signature.parameters.items()
        return {name: p.annotation for name, p in parameters if p.kind is p.KEYWORD_ONLY}

    def walk(self) -> list[Step]:
        """This step and all it needs, each once, needs first.

        Raises:
            WiringError: two different steps go by one name.
        """
        steps: dict[Step, None] = {}

        def visit(step: Step) -> None:
            for upstream in step.inputs.values():
                if upstream not in steps:
                    visit(upstream)
            steps[step] = None

        visit(self)
        names = [step.name for step in steps]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise WiringError(f"two steps are called {_and(twice)}; give one of them another name=")
        return list(steps)

    def _check(self) -> None:
        if not (isinstance(self.makes, type) and issubclass(self.makes, Artifact)):
            raise WiringError(f"{self.name} does not say which artifact it makes: annotate what it returns")
        self._check_config()
        wanted, given = self.takes, self.inputs
        if missing := wanted.keys() - given.keys():
            raise WiringError(f"{self.name} needs {_and(missing)}, which no step was given for")
        if extra := given.keys() - wanted.keys():
            raise WiringError(f"{self.name} takes no {_and(extra)}; it takes {_and(wanted) or 'nothing'}")
        for name, upstream in given.items():
            if not issubclass(upstream.makes, wanted[name]):
                raise WiringError(
                    f"{self.name} wants {name} to be {wanted[name].__name__}, "
                    f"but {upstream.name} makes {upstream.makes.__name__}"
                )

    def _check_config(self) -> None:
        first: Any = next(iter(self.signature.parameters.values()), None)
        kind = first.annotation if first is not None else None
        if isinstance(kind, type) and kind is not inspect.Parameter.empty and not isinstance(self.config, kind):
            raise WiringError(f"{self.name} wants {kind.__name__} as its settings, not {type(self.config).__name__}")


def _and(names: Iterable[str]) -> str:
    return " and ".join(sorted(names))
