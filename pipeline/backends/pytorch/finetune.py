"""Fine-tuning with PyTorch: the stage, and the loop."""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import LOGS, RESUME, Model, Tokens
from pipeline.backends import Finetuning
from pipeline.backends.batches import Ragged, shuffled
from pipeline.backends.pytorch import checkpoint, dropout, network, optimization
from pipeline.backends.pytorch.vocabulary import Vocabulary
from pipeline.backends.schedule import linear
from pipeline.errors import CheckFailed, UserError
from pipeline.progress import say, work

if TYPE_CHECKING:
    import numpy as np

BATCH_SIZE = 64  # of validation; the same as in prediction, so that the numbers are the same
POINTS = 2_000  # of the loss curve, at most


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


def finetune(config: Finetuning, out: Path, *, base: Model, tokens: Tokens) -> Model:
    """Train ``base`` on ``tokens``, and keep the weights of the epoch that validates best.

    ``history.json`` holds the loss curve, the validation after each epoch, in full precision whatever
    that of training, and which epoch's weights were kept.  See :class:`pipeline.backends.Backend`.
    """
    import torch

    (out / RESUME).mkdir(exist_ok=True)
    labels = tokens.read("labels.json")
    torch.manual_seed(config.training.seed)
    net = _network(base, labels, config.task.head)
    loop = _Loop(config, net, tokens, out / RESUME)
    loop.run()
    loop.keep_best()
    net.config.problem_type = "single_label_classification"
    net.save_pretrained(out)
    for file in (tokens.path / "tokenizer").iterdir():
        shutil.copyfile(file, out / file.name)
    made = Model(out)
    made.write("labels.json", labels)
    made.write("source.json", base.read("source.json"))
    made.write("history.json", loop.history())
    shutil.move(out / RESUME / LOGS, out / LOGS)
    made.write(f"{LOGS}/speed.json", loop.speed())
    shutil.rmtree(out / RESUME)
    return made


def _network(base: Model, labels: list[str], head: str) -> Any:
    """The network with a head for ``labels``: the one it has if that is for the same labels in the same
    order, else a new one, for a head's numbers mean nothing without their names."""
    numbered = dict(enumerate(labels))
    config = base.read("config.json")
    had = [config["id2label"][str(i)] for i in range(len(config["id2label"]))] if "id2label" in config else []
    net = network.load(
        base.path,
        head,
        id2label=numbered,
        label2id={label: i for i, label in numbered.items()},
        ignore_mismatched_sizes=True,
    )
    if had and had != labels:
        say(f"its head is for {', '.join(had[:6])}: a new one is made")
        net = network.with_new_head(net)
    return net


class _Loop:
    """One training: what it needs, made once, and the loop over it."""

    def __init__(self, config: Finetuning, net: Any, tokens: Tokens, resume: Path) -> None:
        import numpy as np

        self.task, self.training, self.net, self.resume = config.task, config.training, net, resume
        self.train, self.validation = Ragged(tokens, "train"), Ragged(tokens, "validation")
        self.pad = network.pad_id(tokens.path / "tokenizer")
        used = np.union1d(self.train.vocabulary(), self.validation.vocabulary())
        self.vocabulary = Vocabulary(net, used, self.pad)
        self.device = network.device()
        net.to(self.device)
        if self.device.type == "cpu":
            dropout.use(net)
        self.bf16 = optimization.bf16(self.training.precision, self.device)
        self.optimizer = optimization.adamw(net, self.training)
        batches = -(-len(self.train) // self.training.batch_size)
        self.steps_an_epoch = -(-batches // self.training.gradient_accumulation_steps)
        self.steps = self.steps_an_epoch * self.training.epochs
        labels = len(tokens.read("labels.json"))
        self.weights = optimization.class_weights(self.training, self.train.labels, labels).to(self.device)
        self.progress = Progress()
        self.saved = time.monotonic()

    def run(self) -> None:
        """Go through the epochs, from where a killed call was."""
        self._go_on()
        state, rows = self.progress, len(self.train)
        done = min(rows, state.step * self._rows_a_step) + state.epoch * rows
        with self._board() as board, work("training", rows * self.training.epochs, done=done) as advance:
            while state.epoch < self.training.epochs and not self._out_of_patience():
                self.net.train()
                self._epoch(board, advance)
                found = self._validate()
                state.epochs.append(found)
                for name, value in found.items():
                    board.add_scalar(f"validation/{name}", value, (state.epoch + 1) * self.steps_an_epoch)
                numbers = "  ".join(f"{name} {value:.4f}" for name, value in found.items())
                say(f"epoch {state.epoch + 1}/{self.training.epochs}  validation: {numbers}")
                self._remember_if_best(found)
                state.epoch, state.step = state.epoch + 1, 0

    def keep_best(self) -> None:
        """Put the best epoch's weights in, with the whole vocabulary."""
        if self.progress.best_epoch != self.progress.epoch - 1:
            found = checkpoint.read(self._best(self.progress.best_epoch))
            if found is None:
                raise CheckFailed(f"the weights of epoch {self.progress.best_epoch + 1} are gone; run the same again")
            self.net.load_state_dict(found[0])
        self.vocabulary.restore()

    def history(self) -> dict[str, Any]:
        state = self.progress
        return {
            "steps": self.steps_an_epoch * state.epoch,
            "loss": [{"step": step, "loss": loss} for step, loss in state.losses],
            "epochs": state.epochs,
            "kept_epoch": state.best_epoch + 1,
            "validation": state.epochs[state.best_epoch],
        }

    def speed(self) -> dict[str, Any]:
        import torch

        state = self.progress
        return {
            "seconds": round(state.seconds, 2),
            "rows_per_second": round(len(self.train) * state.epoch / max(1e-9, state.seconds), 1),
            "tokens_per_second": round(state.tokens / max(1e-9, state.seconds), 1),
            "device": str(self.device),
            "precision": "bf16" if self.bf16 else "fp32",
            "threads": torch.get_num_threads(),
        }

    @property
    def _rows_a_step(self) -> int:
        return self.training.batch_size * self.training.gradient_accumulation_steps

    def _epoch(self, board: Any, advance: Any) -> None:
        """The rest of the current epoch."""
        state, training = self.progress, self.training
        batches = shuffled(self.train.lengths, training.batch_size, training.seed, state.epoch)
        size = training.gradient_accumulation_steps
        groups = [batches[at : at + size] for at in range(0, len(batches), size)]
        every = -(-self.steps // POINTS)
        while state.step < len(groups):
            begun = time.monotonic()
            group, number = groups[state.step], state.epoch * self.steps_an_epoch + state.step
            rate = training.learning_rate * linear(number, self.steps, training.warmup_ratio)
            state.pending.append(_finite(self._step(group, rate), number))
            if (number + 1) % every == 0 or number + 1 == self.steps:
                mean = sum(state.pending) / len(state.pending)
                state.losses.append((number + 1, round(mean, 6)))
                state.pending.clear()
                board.add_scalar("train/loss", mean, number + 1)
                board.add_scalar("train/learning_rate", rate, number + 1)
            state.step += 1
            state.seconds += time.monotonic() - begun
            state.tokens += sum(int(self.train.lengths[batch].sum()) for batch in group)
            advance(sum(map(len, group)))
            if time.monotonic() - self.saved > training.checkpoint_seconds:
                self._save()

    def _step(self, group: list[np.ndarray], rate: float) -> float:
        """One update from a group of batches, weighted by their rows; the loss per row."""
        import torch

        targets = [torch.from_numpy(self.train.labels[batch]).to(self.device) for batch in group]
        whole = float(sum(self.weights[t].sum() for t in targets))
        total = 0.0
        for batch, target in zip(group, targets, strict=True):
            ids, mask = self.train.padded(batch, self.pad)
            inputs = {
                "input_ids": torch.from_numpy(self.vocabulary.renumber(ids)).to(self.device),
                "attention_mask": torch.from_numpy(mask).to(self.device),
            }
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                logits = self.net(**inputs).logits
            loss = torch.nn.functional.cross_entropy(
                logits.float(), target, self.weights, reduction="sum", label_smoothing=self.training.label_smoothing
            )
            (loss / whole).backward()
            total += float(loss.detach())
        if self.training.max_grad_norm:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.training.max_grad_norm)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total / whole

    def _validate(self) -> dict[str, float]:
        answers = network.logits(self.net, self.validation, self.pad, BATCH_SIZE, renumber=self.vocabulary.renumber)
        return self.task.monitor(answers, self.validation.labels)

    def _remember_if_best(self, found: dict[str, float]) -> None:
        state = self.progress
        value = found[self.training.metric] * (-1 if self.training.metric == "loss" else 1)
        if state.best is None or value > state.best:
            state.best, state.best_epoch = value, state.epoch
            if state.epoch + 1 < self.training.epochs:
                checkpoint.write(self._best(state.epoch), self.net.state_dict(), {})

    def _out_of_patience(self) -> bool:
        waited = self.progress.epoch - 1 - self.progress.best_epoch
        return 0 < self.training.patience <= waited

    def _save(self) -> None:
        tensors = checkpoint.gather(self.net, self.optimizer)
        checkpoint.write(self.resume / "checkpoint.safetensors", tensors, asdict(self.progress))
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
            checkpoint.spread(tensors, self.net, self.optimizer)
            self.progress = Progress(**facts)
            say(f"going on from epoch {self.progress.epoch + 1}, step {self.progress.step}")

    def _board(self) -> Any:
        """TensorBoard's writer; what was logged after the checkpoint is logged again."""
        from torch.utils.tensorboard import SummaryWriter

        done = self.progress.epoch * self.steps_an_epoch + self.progress.step
        return SummaryWriter(str(self.resume / LOGS / "tensorboard"), purge_step=done + 1)


def _finite(loss: float, step: int) -> float:
    """The loss, unless the training has come apart."""
    if not math.isfinite(loss):
        raise UserError(
            f"training: the loss is {loss} after {step} steps; lower training.learning_rate, or use training.precision=fp32"
        )
    return loss
