"""Fine-tuning with PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Model, Tokens
from pipeline.backends import VALIDATION_BATCH, Finetuning, check, heads
from pipeline.backends.checkpoint import Tensors, under
from pipeline.backends.data import Batch, Data, criterion
from pipeline.backends.loop import train
from pipeline.backends.pytorch import adapters, dropout, losses, network, optimization, packing
from pipeline.backends.vocabulary import Vocabulary
from pipeline.features import IGNORED
from pipeline.progress import say

if TYPE_CHECKING:
    import numpy as np
    import torch


def finetune(config: Finetuning, out: Path, *, base: Model, tokens: Tokens) -> Model:
    """Train ``base`` on ``tokens``, and keep the weights of the epoch that validates best.

    Raises:
        UserError: the model, the device or what is installed cannot do what a setting asks for.
    """
    check("pytorch", optimization.LIMITS, config.training)
    data = Data(config, tokens)
    return train(config, Pupil(config, base, data), data, out, base=base, tokens=tokens)


class Pupil:
    """A transformers model in training; see :class:`pipeline.backends.loop.Learner`."""

    def __init__(self, config: Finetuning, base: Model, data: Data) -> None:
        import torch

        torch.manual_seed(config.training.seed)
        self.training, self.data = config.training, data
        self.head, self.base = config.task.head, base
        self.net = network.load(base, self.head, data.labels, config.training, data.seen, data.tokens)
        self._parameters = {"all": sum(parameter.numel() for parameter in self.net.parameters())}
        self._reader = self.net.encoder if self.head == "seq2seq" and data.vocabulary else self.net
        self._whole = self._reader.get_input_embeddings()
        if data.vocabulary:
            self._shrink(data.vocabulary)
        if config.training.gradient_checkpointing:
            optimization.save_memory(self.net)
        self._adapt(base)
        self.device = network.device()
        self.net.to(self.device)
        if self.device.type == "cpu":
            dropout.use(self.net)
        if config.training.packing:
            packing.check(self.net)
        self.net.train()
        self.bf16 = optimization.bf16(self.training.precision, self.device)
        self.optimizer = optimization.optimizer(self.net, self.training)
        self.criterion = criterion(config, torch.from_numpy(data.class_weights).to(self.device))

    def step(self, batches: list[Batch], rate: float) -> float:
        import torch

        whole = sum(batch.weight for batch in batches) or 1.0
        total = 0.0
        for batch in batches:
            loss = self._loss(batch)
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

    def _loss(self, batch: Batch) -> torch.Tensor:
        import torch

        places = batch.targets != IGNORED if heads.HEADS[self.head].predicts else None
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits = network.run(self.net, batch.inputs, places).float()
        targets, mask = batch.targets if places is None else batch.targets[places], batch.inputs.get("attention_mask")
        wanted, there = (
            array if array is None else torch.from_numpy(array).to(self.device) for array in (targets, mask)
        )
        return losses.LOSSES[self.head](logits, wanted, there, self.criterion)

    def validate(self) -> np.ndarray:
        data = self.data
        return network.answers(self.net, self.head, data.validation, VALIDATION_BATCH, renumber=data.renumbered)

    def weights(self) -> Tensors:
        tensors = self.net.state_dict()
        if self.adapter is not None:  # the rest is as the base has it
            tensors = {name: tensors[name] for name, weight in self.net.named_parameters() if weight.requires_grad}
        return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}

    def set_weights(self, tensors: Tensors) -> None:
        import torch

        found = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
        self.net.load_state_dict(found, strict=self.adapter is None)

    def state(self) -> Tensors:
        import torch

        moments = {f"optimizer.{name}": value for name, value in optimization.moments(self.optimizer).items()}
        random = {"random.cpu": torch.get_rng_state().numpy()}
        if self.device.type != "cpu":
            random["random.device"] = getattr(torch, self.device.type).get_rng_state().cpu().numpy()
        return {**moments, **random}

    def set_state(self, tensors: Tensors) -> None:
        import torch

        optimization.set_moments(self.optimizer, under("optimizer.", tensors))
        torch.set_rng_state(torch.from_numpy(tensors["random.cpu"]))
        if "random.device" in tensors and self.device.type != "cpu":
            getattr(torch, self.device.type).set_rng_state(torch.from_numpy(tensors["random.device"]))

    def save(self, out: Path) -> None:
        import torch

        if self.data.vocabulary:
            part = self._reader.get_input_embeddings()
            with torch.no_grad():
                self._whole.weight[torch.from_numpy(self.data.vocabulary.ids)] = part.weight.cpu()
            self._reader.set_input_embeddings(self._whole.to(self.device))
        if self.adapter is not None:
            adapters.save(self.adapter, out)
        self.net.save_pretrained(out)
        if self.head == "masked":
            heads.keep_pooler(out, self.base.path, self.net.base_model_prefix)

    def parameters(self) -> dict[str, int]:
        return self._parameters

    def facts(self) -> dict[str, Any]:
        import torch

        precision = "bf16" if self.bf16 else "fp32"
        return {"device": str(self.device), "precision": precision, "threads": torch.get_num_threads()}

    def _adapt(self, base: Model) -> None:
        """Leave the weights as they are, where an adapter is wanted, and learn that beside them."""
        self.adapter = None
        if self.training.adapter != "none":
            self.adapter = adapters.attach(self.net, base, self.head, self.training)
        self._parameters["trained"] = sum(p.numel() for p in self.net.parameters() if p.requires_grad)
        if self.adapter is not None:
            trained, all_of_them = self._parameters["trained"], self._parameters["all"]
            say(f"{self.training.adapter}: {trained:,} of {all_of_them:,} parameters are trained")

    def _shrink(self, vocabulary: Vocabulary) -> None:
        """Train a word embedding of only the ids that the data uses."""
        import torch

        whole = self._whole
        vocabulary.check(whole.num_embeddings)
        part = torch.nn.Embedding(len(vocabulary.ids), whole.embedding_dim, padding_idx=whole.padding_idx)
        part.weight.data = whole.weight.data[torch.from_numpy(vocabulary.ids)].clone()
        self._reader.set_input_embeddings(part)
