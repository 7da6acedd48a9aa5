"""Fine-tuning with PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Model, Tokens
from pipeline.backends import VALIDATION_BATCH, Finetuning
from pipeline.backends.checkpoint import Tensors, under
from pipeline.backends.data import Batch, Data, criterion
from pipeline.backends.loop import train
from pipeline.backends.pytorch import dropout, losses, network, optimization

if TYPE_CHECKING:
    import numpy as np


def finetune(config: Finetuning, out: Path, *, base: Model, tokens: Tokens) -> Model:
    """Train ``base`` on ``tokens``, and keep the weights of the epoch that validates best."""
    data = Data(config.training, tokens, config.task.head)
    return train(config, Pupil(config, base, data), data, out, base=base, tokens=tokens)


class Pupil:
    """A transformers model in training; see :class:`pipeline.backends.loop.Learner`."""

    def __init__(self, config: Finetuning, base: Model, data: Data) -> None:
        import torch

        torch.manual_seed(config.training.seed)
        self.training, self.data = config.training, data
        self.head = config.task.head
        self.net = network.load(base, self.head, data.labels, config.training, data.seen)
        self._whole = self.net.get_input_embeddings()
        self._shrink()
        self.device = network.device()
        self.net.to(self.device)
        if self.device.type == "cpu":
            dropout.use(self.net)
        self.net.train()
        self.bf16 = optimization.bf16(self.training.precision, self.device)
        self.optimizer = optimization.optimizer(self.net, self.training)
        self.criterion = criterion(config, torch.from_numpy(data.class_weights).to(self.device))

    def step(self, batches: list[Batch], rate: float) -> float:
        import torch

        whole = sum(batch.weight for batch in batches) or 1.0
        total = 0.0
        for batch in batches:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                logits = network.run(self.net, batch.inputs)
            targets, mask = (
                torch.from_numpy(array).to(self.device) for array in (batch.targets, batch.inputs["attention_mask"])
            )
            loss = losses.LOSSES[self.head](logits.float(), targets, mask, self.criterion)
            (loss / whole).backward()
            total += float(loss.detach())
        optimization.penalize(self.net, self.training)
        if self.training.max_grad_norm:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.training.max_grad_norm)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total / whole

    def validate(self) -> np.ndarray:
        data = self.data
        return network.answers(self.net, data.validation, VALIDATION_BATCH, renumber=data.renumbered)

    def weights(self) -> Tensors:
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.net.state_dict().items()}

    def set_weights(self, tensors: Tensors) -> None:
        import torch

        self.net.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})

    def state(self) -> Tensors:
        import torch

        moments = {
            f"optimizer.{number}.{name}": value.cpu().numpy()
            for number, state in self.optimizer.state_dict()["state"].items()
            for name, value in state.items()
            if value is not None
        }
        random = {"random.cpu": torch.get_rng_state().numpy()}
        if self.device.type != "cpu":
            random["random.device"] = getattr(torch, self.device.type).get_rng_state().cpu().numpy()
        return {**moments, **random}

    def set_state(self, tensors: Tensors) -> None:
        import torch

        moments: dict[int, dict[str, Any]] = {}
        for name, value in under("optimizer.", tensors).items():
            number, _, moment = name.partition(".")
            moments.setdefault(int(number), {})[moment] = torch.from_numpy(value)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        torch.set_rng_state(torch.from_numpy(tensors["random.cpu"]))
        if "random.device" in tensors and self.device.type != "cpu":
            getattr(torch, self.device.type).set_rng_state(torch.from_numpy(tensors["random.device"]))

    def save(self, out: Path) -> None:
        import torch

        part = self.net.get_input_embeddings()
        with torch.no_grad():
            self._whole.weight[torch.from_numpy(self.data.vocabulary.ids)] = part.weight.cpu()
        self.net.set_input_embeddings(self._whole.to(self.device))
        self.net.save_pretrained(out)

    def facts(self) -> dict[str, Any]:
        import torch

        precision = "bf16" if self.bf16 else "fp32"
        return {"device": str(self.device), "precision": precision, "threads": torch.get_num_threads()}

    def _shrink(self) -> None:
        """Train a word embedding of only the ids that the data uses."""
        import torch

        ids, whole = self.data.vocabulary.ids, self._whole
        self.data.vocabulary.check(whole.num_embeddings)
        part = torch.nn.Embedding(len(ids), whole.embedding_dim, padding_idx=whole.padding_idx)
        part.weight.data = whole.weight.data[torch.from_numpy(ids)].clone()
        self.net.set_input_embeddings(part)
