"""Adapters: small changes of layers whose weights stay as they are, made, saved and merged by peft.

What the base lacks, a new head above all, is learned whole and goes with the adapter: the two together are the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipeline.artifacts import ADAPTER, Model
from pipeline.backends import Training, classical, scratch
from pipeline.errors import UserError, nearest
from pipeline.fields import require

METHODS: dict[str, dict[str, bool]] = {"lora": {}, "rslora": {"use_rslora": True}, "dora": {"use_dora": True}}
ALL = "all-linear"
TASK_TYPES = {  # what peft calls heads; it has no name for multiple choice
    "classification": "SEQ_CLS", "multilabel": "SEQ_CLS", "regression": "SEQ_CLS", "tagging": "TOKEN_CLS",
    "questions": "QUESTION_ANS", "seq2seq": "SEQ_2_SEQ_LM", "causal": "CAUSAL_LM",
}  # fmt: skip


def attach(net: Any, base: Model, head: str, training: Training) -> Any:
    """Freeze ``net``, and put an adapter into its layers, in place; what comes back is for :func:`save`.

    Raises:
        UserError: ``adapter_modules`` names no layer, or the network is one that is trained from scratch.
    """
    from peft import LoraConfig, LoraModel
    from transformers.pytorch_utils import Conv1D

    require(
        net.config.model_type not in classical.TYPES,
        f"training.adapter={training.adapter}: mlp, cnn and lstm are learned from scratch and have nothing to adapt; leave "
        "it out, or use base.architecture=transformer",
    )
    known = base.read("config.json")
    kind = known["model_type"]
    require(
        net.config.model_type == kind and not scratch.described(known),
        f"training.adapter={training.adapter}: what is made anew of a {kind} model for {head} has to be learned whole; leave it "
        "out, or choose a model that was made for it",
    )
    whole = learned_whole(net, base)
    name, revision = origin(base)
    config = LoraConfig(
        r=training.adapter_rank,
        lora_alpha=training.adapter_alpha,
        lora_dropout=training.adapter_dropout,
        target_modules=targets(net, whole, training),
        modules_to_save=whole or None,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in net.modules()),  # as GPT-2 has its layers
        task_type=TASK_TYPES.get(head),
        base_model_name_or_path=name,
        revision=revision or None,
        **METHODS[training.adapter],
    )
    return LoraModel(net, config, "default")


def origin(base: Model) -> tuple[str, str]:
    """The base's id on the Hub and its commit; nothing where the Hub does not have it as it is."""
    if fine_tuned(base):
        return "", ""
    source = base.read("source.json")
    return source["model"], source["revision"]


def fine_tuned(base: Model) -> bool:
    """Whether the base is what an earlier step has trained."""
    return (base.path / "history.json").exists()


def learned_whole(net: Any, base: Model) -> list[str]:
    """The modules that hold what the base lacks, and those of a head that answers with labels, numbers or places; but not what
    is the word embedding as well."""
    body, words = f"{net.base_model_prefix}.", net.get_input_embeddings().weight
    found = {name.rpartition(".")[0] for name in net.new_tensors}
    if net.get_output_embeddings() is None:
        found |= {name.partition(".")[0] for name, _ in net.named_parameters() if not name.startswith(body)}
    if not fine_tuned(base):
        added = base.read("source.json").get("added", [])
        found |= {name if name.startswith(body) else body + name for name in added}
    own = [
        name
        for name, module in net.named_modules()
        if name in found and not any(weight is words for weight in module.parameters())
    ]
    return sorted(name for name in own if not _below(name, own))


def targets(net: Any, whole: Sequence[str], training: Training) -> list[str]:
    """The names, or their ends, of the linear layers that are to be changed."""
    import torch
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as USUAL
    from transformers.pytorch_utils import Conv1D

    layers = [
        name
        for name, module in net.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
        and module is not net.get_output_embeddings()
        and name not in whole
        and not _below(name, whole)
    ]
    usual = USUAL.get(net.config.model_type, ())
    wanted = training.adapter_modules or ([] if isinstance(usual, str) else usual)
    for end in training.adapter_modules:
        if end != ALL and not _ends(layers, end):
            known = nearest(end, sorted({name.rpartition(".")[2] for name in layers}))
            raise UserError(f"training.adapter_modules={end}: the model has no such linear layer; {known}")
    if ALL in wanted or not any(_ends(layers, end) for end in wanted):
        return layers
    return list(wanted)


def save(adapter: Any, out: Path) -> None:
    """Write the adapter as ``PeftModel.from_pretrained`` reads it, then merge it: its network is one like any other again."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder = out / ADAPTER
    folder.mkdir()
    tensors = get_peft_model_state_dict(adapter.model, save_embedding_layers=False)
    named = {f"base_model.model.{name}": tensor.cpu().contiguous() for name, tensor in tensors.items()}
    save_file(named, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = {**adapter.peft_config["default"].to_dict(), "inference_mode": True}
    text = json.dumps(config, indent=2, sort_keys=True, default=sorted)  # it has sets, of no order
    (folder / "adapter_config.json").write_text(text + "\n", encoding="utf-8")
    adapter.merge_and_unload()


def _ends(layers: Iterable[str], end: str) -> bool:
    return any(name == end or name.endswith(f".{end}") for name in layers)


def _below(name: str, modules: Iterable[str]) -> bool:
    return any(name.startswith(f"{module}.") for module in modules)
