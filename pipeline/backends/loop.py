"""The training loop, the same for every backend; a :class:`Learner` knows how its framework takes a step."""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.artifacts import LOGS, RESUME, Model, Tokens, stored
from pipeline.backends import LOWER, Finetuning, checkpoint, heads
from pipeline.backends.board import Board
from pipeline.backends.checkpoint import Tensors
from pipeline.backends.data import Batch, Data
from pipeline.backends.schedule import linear
from pipeline.errors import CheckFailed, UserError
from pipeline.progress import Advance, say, work

if TYPE_CHECKING:
    import numpy as np

POINTS = 2_000  # of the loss curve, at most


class Learner(Protocol):
    """A network in training."""

    def step(self, batches: list[Batch], rate: float) -> float:
        """Update the weights once, from the gradients of all ``batches``; the loss, a mean over their rows."""

    def validate(self) -> np.ndarray:
        """What :func:`pipeline.backends.batches.answers` gives for the validation split, in full precision."""

    def weights(self) -> Tensors:
        """The weights as they are in training."""

    def set_weights(self, tensors: Tensors) -> None:
        """Put back what :meth:`weights` gave."""

    def state(self) -> Tensors:
        """What else the rest of a training depends on: moments, random state."""

    def set_state(self, tensors: Tensors) -> None:
        """Put back what :meth:`state` gave."""

    def save(self, out: Path) -> None:
        """Write ``config.json`` and ``model.safetensors``, with the whole vocabulary."""

    def parameters(self) -> dict[str, int]:
        """How many weights the network has, ``all`` and those that are ``trained``, an adapter's among the latter alone."""

    def facts(self) -> dict[str, Any]:
        """On which ``device``, in which ``precision`` and with how many ``threads`` it runs."""


@dataclass
class Progress:
    """How far a training is: what a checkpoint says besides tensors."""

    epoch: int = 0
    step: int = 0  # within the epoch
    best: float | None = None  # the metric, turned so that more is better
    best_epoch: int = -1
    losses: list[tuple[int, float]] = field(default_factory=list)  # step of all, mean loss since the point before
    pending: list[float] = field(default_factory=list)  # losses since the last point
    epochs: list[dict[str, float]] = field(default_factory=list)  # validation after each, in full precision
    seconds: float = 0.0
    tokens: int = 0


def train(config: Finetuning, learner: Learner, data: Data, out: Path, *, base: Model, tokens: Tokens) -> Model:
    """Let ``learner`` go through ``data``, and keep the weights of the epoch that validates best.

    ``history.json`` holds the loss curve, the validation after each epoch, in full precision whatever
    that of training, and which epoch's weights were kept.  See :class:`pipeline.backends.Backend`.
    """
    (out / RESUME).mkdir(exist_ok=True)
    loop = Loop(config, learner, data, out / RESUME)
    loop.run()
    loop.keep_best()
    decision = loop.decision()  # before the network is saved, for which it gets its whole vocabulary back
    learner.save(out)
    if data.scale != (0.0, 1.0):
        heads.rescale(out, *data.scale)
    for file in (tokens.path / "tokenizer").iterdir():
        shutil.copyfile(file, out / file.name)
    if (tokens.path / "target").is_dir():
        shutil.copytree(tokens.path / "target", out / "target", copy_function=shutil.copyfile)
    made = Model(out)
    made.write("labels.json", data.labels)
    made.write("source.json", base.read("source.json"))
    facts = tokens.read("tokens.json")
    read = {name: facts[name] for name in ("max_length", "mask") if name in facts}
    made.write("decision.json", {**read, "inputs": list(data.train.inputs([0])), **decision})
    made.write("history.json", loop.history())
    shutil.copytree(out / RESUME / LOGS, out / LOGS)
    made.write(f"{LOGS}/speed.json", loop.speed())
    if not stored.get():
        shutil.rmtree(out / RESUME)
    return made


class Loop:
    """One training, with what it leaves in ``resume`` to go on from."""

    def __init__(self, config: Finetuning, learner: Learner, data: Data, resume: Path) -> None:
        self.task, self.training = config.task, config.training
        self.learner, self.data, self.resume = learner, data, resume
        self.steps = data.steps_an_epoch * self.training.epochs
        self.progress = Progress()
        self.saved = time.monotonic()
        self._logits: np.ndarray | None = None  # of the validation split, by the weights of the best epoch

    def run(self) -> None:
        """Go through the epochs, from where a killed call was."""
        self._go_on()
        state, rows = self.progress, len(self.data.train)
        size = self.training.batch_size * self.training.gradient_accumulation_steps
        done = min(rows, state.step * size) + state.epoch * rows
        before = state.epoch * self.data.steps_an_epoch + state.step
        with (
            Board(self.resume / LOGS / "tensorboard", before + 1) as board,
            work("training", rows * self.training.epochs, done=done) as advance,
        ):
            while state.epoch < self.training.epochs and not self._out_of_patience():
                self._epoch(board, advance)
                logits = self._validate()
                found = self._monitored(logits)
                self._remember_if_best(found, logits)
                self._tell(board, found)
                state.epoch, state.step = state.epoch + 1, 0

    def keep_best(self) -> None:
        """Put the best epoch's weights in."""
        if self.progress.best_epoch != self.progress.epoch - 1:
            found = checkpoint.read(self._best(self.progress.best_epoch))
            if found is None:
                raise CheckFailed(f"the weights of epoch {self.progress.best_epoch + 1} are gone; run the same again")
            self.learner.set_weights(found[0])

    def decision(self) -> dict[str, Any]:
        """How answers are best read off the weights that were kept."""
        logits = self._validate() if self._logits is None else self._logits
        return self.task.decide(logits, self.data.validation, self.data.labels)

    def history(self) -> dict[str, Any]:
        state = self.progress
        return {
            "steps": self.data.steps_an_epoch * state.epoch,
            "loss": [{"step": step, "loss": loss} for step, loss in state.losses],
            "epochs": state.epochs,
            "kept_epoch": state.best_epoch + 1,
            "validation": state.epochs[state.best_epoch],
            "parameters": self.learner.parameters(),
        }

    def speed(self) -> dict[str, Any]:
        state = self.progress
        seconds = max(1e-9, state.seconds)
        return {
            "seconds": round(state.seconds, 2),
            "rows_per_second": round(len(self.data.train) * state.epoch / seconds, 1),
            "tokens_per_second": round(state.tokens / seconds, 1),
            **self.learner.facts(),
        }

    def _epoch(self, board: Board, advance: Advance) -> None:
        """The rest of the current epoch."""
        state, training = self.progress, self.training
        every = -(-self.steps // POINTS)
        for group in self.data.groups(state.epoch)[state.step :]:
            begun = time.monotonic()
            number = state.epoch * self.data.steps_an_epoch + state.step
            rate = training.learning_rate * linear(number, self.steps, training.warmup_ratio)
            batches = [self.data.batch(rows, state.epoch) for rows in group]
            state.pending.append(_finite(self.learner.step(batches, rate), "loss", f"after {number} steps"))
            if (number + 1) % every == 0 or number + 1 == self.steps:
                mean = sum(state.pending) / len(state.pending)
                state.losses.append((number + 1, round(mean, 6)))
                state.pending.clear()
                board.add("train/loss", mean, number + 1)
                board.add("train/learning_rate", rate, number + 1)
            state.step += 1
            state.seconds += time.monotonic() - begun
            state.tokens += sum(int(self.data.train.lengths[rows].sum()) for rows in group)
            advance(sum(map(len, group)))
            if time.monotonic() - self.saved > training.checkpoint_seconds:
                self._save()

    def _tell(self, board: Board, found: dict[str, float]) -> None:
        state = self.progress
        state.epochs.append(found)
        for name, value in found.items():
            board.add(f"validation/{name}", value, (state.epoch + 1) * self.data.steps_an_epoch)
        numbers = "  ".join(f"{name} {value:.4f}" for name, value in found.items())
        say(f"epoch {state.epoch + 1}/{self.training.epochs}  validation: {numbers}")

    def _validate(self) -> np.ndarray:
        return self.data.in_units(self.learner.validate())

    def _monitored(self, logits: np.ndarray) -> dict[str, float]:
        found = self.task.monitor(logits, self.data.validation, self.data.labels)
        when = f"after epoch {self.progress.epoch + 1}"
        return {name: _finite(value, f"validation {name}", when) for name, value in found.items()}

    def _remember_if_best(self, found: dict[str, float], logits: np.ndarray) -> None:
        state = self.progress
        value = found[self.training.metric] * (-1 if self.training.metric in LOWER else 1)
        if state.best is None or value > state.best:
            state.best, state.best_epoch, self._logits = value, state.epoch, logits
            if state.epoch + 1 < self.training.epochs:
                checkpoint.write(self._best(state.epoch), self.learner.weights(), {})

    def _out_of_patience(self) -> bool:
        waited = self.progress.epoch - 1 - self.progress.best_epoch
        return 0 < self.training.patience <= waited

    def _save(self) -> None:
        weights = {f"weights.{name}": value for name, value in self.learner.weights().items()}
        state = {f"state.{name}": value for name, value in self.learner.state().items()}
        checkpoint.write(self.resume / "checkpoint.safetensors", {**weights, **state}, asdict(self.progress))
        self.saved = time.monotonic()
        for older in self.resume.glob("best-*"):  # only now does no checkpoint speak of them any more
            if older != self._best(self.progress.best_epoch):
                older.unlink()

    def _best(self, epoch: int) -> Path:
        """The weights after an epoch that was the best so far."""
        return self.resume / f"best-{epoch}.safetensors"

    def _go_on(self) -> None:
        """Take up the state that a killed call left, if it is whole, the best weights that it speaks of included."""
        found = checkpoint.read(self.resume / "checkpoint.safetensors")
        if found and (found[1]["best_epoch"] < 0 or checkpoint.read(self._best(found[1]["best_epoch"]))):
            tensors, facts = found
            self.learner.set_weights(checkpoint.under("weights.", tensors))
            self.learner.set_state(checkpoint.under("state.", tensors))
            self.progress = Progress(**facts)
            say(f"going on from epoch {self.progress.epoch + 1}, step {self.progress.step}")


def _finite(value: float, what: str, when: str) -> float:
    """The value, unless the training has come apart."""
    if not math.isfinite(value):
        raise UserError(
            f"training: the {what} is {value} {when}; lower training.learning_rate, or use training.precision=fp32"
        )
    return value
