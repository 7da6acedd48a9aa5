"""Transformers models with the head that a task needs, and running them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Model, Tokens
from pipeline.backends import Training, batches, classical, heads, predicted, scratch, writing
from pipeline.backends.pytorch import classical as networks
from pipeline.backends.pytorch import decoders
from pipeline.errors import UserError
from pipeline.features import IGNORED, Features, Inputs

if TYPE_CHECKING:
    import numpy as np
    import torch

HEADS = {
    "classification": "AutoModelForSequenceClassification",
    "multilabel": "AutoModelForSequenceClassification",
    "regression": "AutoModelForSequenceClassification",
    "tagging": "AutoModelForTokenClassification",
    "questions": "AutoModelForQuestionAnswering",
    "choice": "AutoModelForMultipleChoice",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "causal": "AutoModelForCausalLM",
    "masked": "AutoModelForMaskedLM",
}
ADVICE = {"seq2seq": "a T5, BART or Marian, or an encoder such as BERT", "causal": "a GPT-2, Llama, Qwen or the like"}


def load(
    base: Model, head: str, labels: Sequence[str], training: Training, seen: np.ndarray, tokens: Tokens | None = None
) -> Any:
    """The network in ``base`` with this head for ``labels``, in fp32; a head that it lacks is made anew.

    Args:
        seen: the token ids of the training texts; a network that is trained from scratch knows no others.
        tokens: with tokenizers, for networks that get a vocabulary of their own.

    Raises:
        UserError: transformers has no such head for the model.
    """
    config = base.read("config.json")
    settings = heads.settings(base, head, labels, training)
    if classical.described(config):
        classical.check(head)
        config |= settings
        return networks.new(config, classical.weights(config, training.seed, seen))
    if scratch.described(config) or (head == "seq2seq" and not config.get("is_encoder_decoder")):
        if tokens is None:
            raise ValueError("a network that writes in a vocabulary of its own needs the tokens to learn")
        make = decoders.anew if scratch.described(config) else decoders.joined
        return make(base, tokens, training, settings)
    _check_direction(config, head)
    network, new = _pretrained(base, head, settings)
    if not heads.fits(base, head, labels):
        new |= {name for name in network.state_dict() if not name.startswith(f"{network.base_model_prefix}.")}
    refresh(network, new, training.seed)
    network.new_tensors = frozenset(new)  # what an adapter cannot leave to the base
    if head == "regression":
        _check_bias(network)
    if tokens and heads.HEADS[head].writes:
        writing.settle(network.generation_config, tokens.read("tokens.json")["special_ids"])
    return network


def _pretrained(base: Model, head: str, settings: dict[str, Any]) -> tuple[Any, set[str]]:
    """The network as transformers reads it, and the names of the tensors that the checkpoint lacks."""
    import torch
    import transformers

    try:
        network, report = getattr(transformers, HEADS[head]).from_pretrained(
            base.path,
            dtype=torch.float32,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **settings,
        )
    except ValueError as error:
        if "Unrecognized" not in str(error) and "trust_remote_code" not in str(error):
            raise
        raise UserError(
            f"base.model: a {base.read('config.json').get('model_type')} model cannot do {head}; choose "
            f"{ADVICE.get(head, 'a BERT, RoBERTa, DeBERTa or the like')}"
        ) from None
    for name, found, wanted in sorted(report["mismatched_keys"]):
        if name.startswith(f"{network.base_model_prefix}."):
            shapes = f"is of shape {tuple(found)}, but by config.json of {tuple(wanted)}"
            raise UserError(f"base.model: {name} {shapes}; get it again")
    return network, {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}


def _check_direction(config: dict[str, Any], head: str) -> None:
    """An encoder sees what comes next, and would learn to copy it."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as ENCODERS

    kind = config.get("model_type")
    if head == "causal" and (kind in ENCODERS or config.get("is_encoder_decoder")) and not config.get("is_decoder"):
        raise UserError(
            f"base.model: a {kind} model reads in both directions and cannot do causal; choose {ADVICE[head]}"
        )


def _check_bias(network: Any) -> None:
    if not any(heads.ends(name, tensor.shape) for name, tensor in network.named_parameters()):
        raise UserError(
            f"base.model: the head of a {network.config.model_type} model has no bias, which numbers need; choose a BERT, "
            "RoBERTa, DeBERTa or the like"
        )


def refresh(network: Any, new: set[str], seed: int) -> None:
    """Give the tensors that are ``new`` their first weights; norms keep theirs, which are ones and zeros."""
    import torch

    scale = getattr(network.config, "initializer_range", heads.SCALE)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if name in new and (tensor.ndim > 1 or name.endswith("bias")):
                tensor.copy_(torch.from_numpy(heads.fresh(name, tensor.shape, scale, seed)))


def load_saved(folder: Path) -> Any:
    """The network in ``folder`` as it was saved, head and all, in fp32."""
    import torch
    import transformers

    architecture = transformers.PretrainedConfig.get_config_dict(folder)[0]["architectures"][0]
    found = networks.classes().get(architecture) or getattr(transformers, architecture)
    return found.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)


def device() -> torch.device:
    """Where to run: a GPU if there is one."""
    import torch
    from accelerate import PartialState

    found: torch.device = PartialState().device
    if found.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # as for products of matrices: else fp32 is not, on newer GPUs
    return found


def answers(
    network: Any,
    head: str,
    features: Features,
    batch_size: int,
    *,
    advance: Callable[[int], object] = lambda rows: None,
    renumber: Callable[[Inputs], Inputs] = lambda inputs: inputs,
) -> np.ndarray:
    """What ``network`` answers, as :class:`pipeline.tasks.Evidence` has it.

    Args:
        renumber: applied to the inputs, for a network with a vocabulary of its own.
    """
    with answering(network):
        if heads.HEADS[head].predicts:
            return measured(network, predicted.ASKED[head], features, batch_size, advance=advance, renumber=renumber)
        return batches.answers(
            lambda inputs: run(network, renumber(inputs)).float().cpu().numpy(),
            features, batch_size, network.config.num_labels, tokens=heads.HEADS[head].tokens, advance=advance,
        )  # fmt: skip


@contextmanager
def answering(network: Any) -> Iterator[None]:
    """Without dropout and gradients."""
    import torch

    training = network.training
    network.eval()
    with torch.inference_mode():
        yield
    network.train(training)


def measured(
    network: Any, asked: predicted.Asker, features: Features, batch_size: int, **more: Callable[..., Any]
) -> np.ndarray:
    """See :func:`pipeline.backends.predicted.measured`."""
    vocabulary = network.get_output_embeddings().weight.shape[0]
    return predicted.measured(partial(_measure, network), asked, features, batch_size, vocabulary, **more)


def _measure(network: Any, inputs: Inputs, targets: np.ndarray) -> np.ndarray:
    """Of each place that has a target, :data:`pipeline.tasks.MEASURED`, summed up by row."""
    import numpy as np
    import torch

    places = targets != IGNORED
    logits = run(network, inputs, places).float()
    wanted = torch.from_numpy(targets[places]).to(logits.device)
    losses = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
    each = torch.stack([losses, torch.ones_like(losses), (logits.argmax(-1) == wanted).float()], 1)
    found = np.zeros((len(targets), 3), np.float32)
    np.add.at(found, np.nonzero(places)[0], each.cpu().numpy())
    return found


def run(network: Any, inputs: Inputs, places: np.ndarray | None = None) -> torch.Tensor:
    """Logits (batch × outputs, or batch × length × outputs) for ``input_ids`` and the like (int64, batch × length).

    Args:
        places: at which tokens of the batch a vocabulary is to be answered with (bool, batch × length); the logits are
            then these places × vocabulary, and none are computed elsewhere.
    """
    import torch

    where = next(network.parameters()).device
    tensors = {name: torch.from_numpy(values).to(where) for name, values in inputs.items()}
    if places is None:
        return forward(network, tensors)
    chosen = torch.from_numpy(places).to(where)

    def choose(module: Any, given: Any, found: Any) -> Any:
        found.last_hidden_state = found.last_hidden_state[chosen][None]
        return found

    hook = _trunk(network).register_forward_hook(choose)
    try:
        more = {"use_cache": False} if network.can_generate() else {}  # with a cache, packed texts would see each other
        logits: torch.Tensor = network(**tensors, **more).logits[0]
    finally:
        hook.remove()
    return logits


def _trunk(network: Any) -> Any:
    """The part whose last hidden states the output layer reads, each by itself."""
    if type(network).__name__ == "EncoderDecoderModel":
        network = network.decoder
    return network.get_decoder() if network.base_model is network else network.base_model


def forward(network: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The same of tensors.  A network for multiple choice is given one choice at a time, and says how well it fits."""
    import torch

    if type(network).__name__.endswith("ForMultipleChoice"):
        inputs = {name: values[:, None] for name, values in inputs.items()}
    found = network(**inputs)
    if "start_logits" in found:
        return torch.stack([found.start_logits, found.end_logits], -1)
    logits: torch.Tensor = found.logits
    return logits
