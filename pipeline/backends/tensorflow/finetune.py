"""Fine-tuning with TensorFlow."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import processors
from pipeline.artifacts import Model, Tokens
from pipeline.backends import VALIDATION_BATCH, Finetuning, check, heads, writing
from pipeline.backends.batches import answers
from pipeline.backends.checkpoint import Tensors, under
from pipeline.backends.data import Batch, Data, criterion
from pipeline.backends.loop import train
from pipeline.backends.tensorflow import framework, layers, network, weights
from pipeline.backends.tensorflow.losses import LOSSES
from pipeline.backends.tensorflow.optimization import LIMITS, Optimizer

if TYPE_CHECKING:
    import numpy as np


def finetune(config: Finetuning, out: Path, *, base: Model, tokens: Tokens) -> Model:
    """Train ``base`` on ``tokens``, and keep the weights of the epoch that validates best.

    Raises:
        UserError: a setting is PyTorch's alone.
    """
    check("tensorflow", LIMITS, config.training)
    data = Data(config, tokens)
    return train(config, Pupil(config, base, data), data, out, base=base, tokens=tokens)


class Pupil:
    """A network of Keras in training; see :class:`pipeline.backends.loop.Learner`."""

    def __init__(self, config: Finetuning, base: Model, data: Data) -> None:
        training = self.training = config.training
        self.data = data
        self.bf16 = training.precision == "bf16" or (training.precision == "auto" and framework.multiplies_bf16_fast())
        self.head, self.base = config.task.head, base
        self.loss = LOSSES[self.head]
        self.net = network.load(base, config.task.head, data, training, mixed=self.bf16)
        self.criterion = criterion(config, data.class_weights)
        self.noise = layers.Noise(training.seed)
        layers.use(self.net.model, self.noise)
        self.optimizer = Optimizer(training, self.net.ports)
        self._variables = [port.variable.value for port in self.net.ports]
        self._compile()

    def step(self, batches: list[Batch], rate: float) -> float:
        import numpy as np
        import tensorflow as tf

        whole = np.float32(sum(batch.weight for batch in batches) or 1.0)
        total, gradients = 0.0, None
        for batch in batches:
            targets = batch.targets.astype(self.loss.dtype)
            loss, found = self._gradients(network.whole_numbers(batch.inputs), targets, whole)
            total += float(loss)
            gradients = found if gradients is None else [tf.add(*pair) for pair in zip(gradients, found, strict=True)]
        self._apply(gradients, tf.constant(rate, tf.float32))
        return total

    def validate(self) -> np.ndarray:
        data = self.data
        if heads.HEADS[self.head].predicts:
            return network.measured(
                self.net, self._answer, self.head, data.validation, VALIDATION_BATCH, renumber=data.renumbered
            )
        return answers(
            lambda inputs: self._answer(data.renumbered(inputs)), data.validation, VALIDATION_BATCH, len(data.labels),
            tokens=self.net.head.tokens,
        )  # fmt: skip

    def weights(self) -> Tensors:
        return {port.name: port.value() for port in self.net.ports}

    def set_weights(self, tensors: Tensors) -> None:
        for port in self.net.ports:
            port.load(tensors[port.name])

    def state(self) -> Tensors:
        moments = {f"optimizer.{name}": value for name, value in self.optimizer.state().items()}
        return {**moments, "noise": self.noise.step.numpy()}

    def set_state(self, tensors: Tensors) -> None:
        self.optimizer.set_state(under("optimizer.", tensors))
        self.noise.step.assign(tensors["noise"])

    def save(self, out: Path) -> None:
        weights.write(out, self.net.tensors(), self.net.saved_config())
        if heads.HEADS[self.head].writes:
            writing.settings(self.base, self.data.train.special).save_pretrained(out)
        if self.head == "masked":
            heads.keep_pooler(out, self.base.path, self.net.prefix.rstrip("."))

    def parameters(self) -> dict[str, int]:
        trained = sum(math.prod(port.shape) for port in self.net.ports)
        return {"all": sum(tensor.size for tensor in self.net.tensors().values()), "trained": trained}

    def facts(self) -> dict[str, Any]:
        import tensorflow as tf

        threads = tf.config.threading.get_intra_op_parallelism_threads() or processors.available()
        return {"device": framework.device(), "precision": "bf16" if self.bf16 else "fp32", "threads": threads}

    def _compile(self) -> None:
        """The graphs of a step, traced once for every batch size and length."""
        import numpy as np
        import tensorflow as tf

        names = list(self.data.batch(np.arange(1)).inputs)
        targets = tf.TensorSpec([None] * self.loss.rank, self.loss.dtype)
        signature = [network.signature(names), targets, tf.TensorSpec([], tf.float32)]
        self._gradients = tf.function(self._differentiate, input_signature=signature, autograph=False)
        self._apply = tf.function(self.optimizer.apply, autograph=False)
        with self.net.in_full_precision():
            self._answer = network.compiled(self.net, names)

    def _differentiate(self, inputs: Any, targets: Any, whole: Any) -> Any:
        """The sum of the losses over ``whole``, and its gradients."""
        import tensorflow as tf

        self.noise.begin()
        with tf.GradientTape() as tape:
            logits = self.net(inputs, training=True)
            loss = self.loss.compute(logits, targets, inputs["attention_mask"], self.criterion) / whole
        return loss, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, self._variables)]
