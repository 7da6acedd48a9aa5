"""What an export scores: on all validation rows, by the measure that the model was chosen by, with what it decided on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.backends import LOWER, batches, predicted
from pipeline.backends.heads import HEADS
from pipeline.features import IGNORED, Features, Inputs
from pipeline.formats.checks import Runtime, Writer
from pipeline.tasks import Task

if TYPE_CHECKING:
    import numpy as np

TOGETHER = 32  # rows that are answered at once


def measure(task: Task, metric: str) -> str:
    """``metric``, or where that is better if lower, the first of the task's monitors that is not."""
    return metric if metric not in LOWER else next(name for name in task.monitors if name not in LOWER)


def answers(
    task: Task, runtime: Any, features: Features, outputs: int, advance: Callable[[int], object] = lambda rows: None
) -> np.ndarray:
    """What a :class:`Runtime`, or a :class:`Writer` where the task writes, answers to all rows, as
    :class:`pipeline.tasks.Evidence` has it."""
    import numpy as np

    head = HEADS[task.head]
    if not head.predicts:
        return batches.answers(runtime.run, features, TOGETHER, outputs, tokens=head.tokens, advance=advance)
    run = partial(_likelihoods, runtime, head.writes)
    asked = predicted.ASKED[task.head]
    vocabulary = _logits(runtime, asked(features, np.arange(1))[0], head.writes).shape[-1]
    return predicted.measured(run, asked, features, TOGETHER, vocabulary, advance=advance)


def _likelihoods(runtime: Runtime | Writer, writes: bool, inputs: Inputs, targets: np.ndarray) -> np.ndarray:
    """Rows × :data:`pipeline.tasks.MEASURED` (float32), of the places that have a target."""
    import numpy as np

    places = targets != IGNORED
    logits = _logits(runtime, inputs, writes)[places].astype(np.float32)
    wanted, raised = targets[places], logits - logits.max(-1, keepdims=True)
    losses = np.log(np.exp(raised).sum(-1)) - raised[np.arange(len(wanted)), wanted]
    each = np.stack([losses, np.ones_like(losses), logits.argmax(-1) == wanted], 1)
    found = np.zeros((len(targets), 3), np.float32)
    np.add.at(found, np.nonzero(places)[0], each)
    return found


def _logits(runtime: Any, inputs: Inputs, writes: bool) -> np.ndarray:
    if not writes:
        found: np.ndarray = runtime.run(inputs)
        return found
    read = {name: values for name, values in inputs.items() if name != "decoder_input_ids"}
    written: np.ndarray = runtime.logits(read, inputs.get("decoder_input_ids"))
    return written
