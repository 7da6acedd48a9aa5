"""``python -m pipeline predict``: a recipe's latest model answers new texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline import destination, formats, inference, recipes, results
from pipeline.backends import Asking, Generation
from pipeline.commands import home
from pipeline.config import ConfigError, Text, override
from pipeline.config import settings as known_settings
from pipeline.console import Console
from pipeline.corpora.forms import Form
from pipeline.errors import UserError, nearest
from pipeline.progress import listener, work
from pipeline.stages.collect import Collection
from pipeline.stages.evaluate import Evaluation
from pipeline.tasks import Judging, Task


def predict(
    recipe: str,
    assignments: Sequence[str],
    settings: Path | None,
    *,
    texts: Sequence[str],
    file: Path | None,
    out: Path | None,
    format: str,
) -> None:
    """Print the answers as JSON, one a line; or write them to a file, which is there when it is whole."""
    if bool(texts) == bool(file) or (out and texts):
        raise UserError('predict: give either --text "…", or --file FILE, which may have --out FILE beside it')
    if format not in formats.CLASSES:
        raise UserError(f"--format {format}: no such format; {nearest(format, formats.CLASSES)}")
    place = _results(recipe)
    task, form, judging, encoding, generation = _asked(
        recipe, assignments, settings, results.settings(place, recipes.origin(recipe))
    )
    rows = [inference.typed(form, texts)] if file is None else inference.read(form, file, encoding)

    def load() -> inference.Model:
        return inference.Model(place, task, form, judging, format, generation=generation)

    if out is None or destination.is_stdout(out):
        model = load()
        for answer in model.answers(rows):
            print(json.dumps(answer, ensure_ascii=False))
        _tell(model.skipped)
        return
    total = sum(1 for _ in inference.read(form, file, encoding)) if file else 0
    listener.set(Console(0))
    with destination.writing(out, file) as stream:  # before the model is loaded: it may be no place to write
        model = load()
        with work("predicting", total) as advance:
            for answer in model.answers(rows, advance):
                stream.write(json.dumps(answer, ensure_ascii=False) + "\n")
    print(f"{out}: written")
    _tell(model.skipped)


def _tell(skipped: Sequence[str]) -> None:
    """Say which rows have no answer, where it gets in among no answers."""
    for problem in skipped:
        print(f"left out: {problem}", file=sys.stderr)


def _asked(
    recipe: str, assignments: Sequence[str], file: Path | None, before: Mapping[str, Text]
) -> tuple[Task, Form, Judging, str, Generation | None]:
    """What a recipe's model is asked, how it reads rows, how its answers are read, in which encoding files are, and how it
    writes, if it does.

    Args:
        before: the settings of the run that made it, which hold where no others are given; but what it learned from and
            what it is asked are files of their own, and so are their encodings.
    """
    module = recipes.load(recipe)
    known = {path for path, _ in known_settings(module.Config()) if not path.endswith(".encoding")}
    before = {path: value for path, value in before.items() if path in known}
    try:
        config = override(module.Config(), assignments, file, before)
    except ConfigError:  # perhaps of what the recipe was then; what is wrong now is told by this
        config = override(module.Config(), assignments, file)
    target = recipes.planned(recipe, module, config)
    sources = [step.config for step in target.walk() if isinstance(step.config, Collection)]
    found = [step.config for step in target.walk() if isinstance(step.config, Evaluation)]
    if not found or not sources:
        raise UserError(f"{recipe}: has no steps collect and evaluate, which say how rows and answers are read")
    asking = [step.config for step in target.walk() if isinstance(step.config, Asking)]
    generation = asking[-1].generation if asking else None
    return found[-1].task, sources[-1].form, found[-1].judging, sources[-1].source.encoding, generation


def _results(recipe: str) -> Path:
    """Where the results of a recipe's latest run are."""
    folder = home() / "results" / recipes.title(recipe)
    if not folder.is_dir():
        raise UserError(f"{folder}: no results yet; make them with: make finetune RECIPE={recipe}")
    return folder
