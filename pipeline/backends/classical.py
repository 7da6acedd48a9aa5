"""Networks from before Transformers, trained from scratch on the same tokens: what a Transformer has to beat.

Here is what no framework decides: what they are called, how large they are, which tensors they have, and the weights
that they start from, drawn with numpy so that a training starts from the same in every framework.  What they compute
is written once for each framework, in its module ``classical``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from pipeline.fields import require

if TYPE_CHECKING:
    import numpy as np

Config = Mapping[str, Any]  # config.json

WORDS = "embeddings.word_embeddings.weight"
SPREAD = 0.25  # words start uniform within ± this, as those without pretrained vectors in Kim 2014
HEADS = ("classification", "multilabel", "regression")  # what they can do: one answer to a text
GATES = 4  # of an LSTM, one below the other in its tensors: input, forget, cell, output


@dataclass(frozen=True)
class Kind:
    """What ``config.json`` says of a kind: its ``model_type``, its class in ``architectures``, its sizes."""

    model_type: str
    architecture: str
    sizes: Mapping[str, Any]


# By the names that ``base.architecture`` gives them.
KINDS = {
    # The words' mean through a hidden layer: the deep averaging network of Iyyer et al. 2015.
    "mlp": Kind(
        "text-mlp", "TextMlpForSequenceClassification", {"embedding_size": 128, "hidden_size": 256, "dropout": 0.3}
    ),
    # The largest answer of each filter anywhere in the text: Kim 2014.
    "cnn": Kind(
        "text-cnn", "TextCnnForSequenceClassification",
        {"embedding_size": 128, "filters": 100, "kernel_sizes": [3, 4, 5], "dropout": 0.5},
    ),
    # Long short-term memory (Hochreiter & Schmidhuber 1997) read in both directions; dropout on what goes in and comes
    # out, and on nothing that recurs (Zaremba et al. 2014).
    "lstm": Kind(
        "text-lstm", "TextLstmForSequenceClassification", {"embedding_size": 128, "hidden_size": 128, "dropout": 0.5}
    ),
}  # fmt: skip
TYPES = {kind.model_type: kind for kind in KINDS.values()}


def configuration(name: str, vocabulary: int, pad: int) -> dict[str, Any]:
    """``config.json`` of a new network of this kind, for so many token ids of which ``pad`` fills rows up."""
    kind = KINDS[name]
    # It does not tell the two texts of a pair apart.
    known = {"model_type": kind.model_type, "vocab_size": vocabulary, "pad_token_id": pad, "type_vocab_size": 1}
    return {**known, **kind.sizes}


def described(config: Config) -> bool:
    """Whether ``config`` is that of such a network."""
    return config.get("model_type") in TYPES


def check(head: str) -> None:
    """Such a network answers once a text.

    Raises:
        UserError: the head needs an answer for each token, or a comparison of choices.
    """
    require(head in HEADS, f"base.architecture: mlp, cnn and lstm cannot do {head}; use base.architecture=transformer")


def weights(config: Config, seed: int, seen: np.ndarray) -> dict[str, np.ndarray]:
    """What a training starts from: every tensor (float32) by its name in a checkpoint.

    Args:
        config: with ``id2label``.
        seen: the token ids of the training texts.
    """
    import numpy as np

    found = {name: first(name, shape, seed) for name, shape in shapes(config).items()}
    # A pretrained network knows words that no training text has; this one would add what was drawn for them, noise,
    # to every later text that has them.  At zero they say nothing.  They are from the start, and no gradient, decay
    # or penalty moves a zero that is not looked up: so the validation of each epoch is that of the model as saved.
    unseen = np.ones(config["vocab_size"], bool)
    unseen[seen] = False
    found[WORDS][unseen] = 0
    return found


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Every tensor of the network that ``config`` describes, matrices as (outputs, inputs), convolutions as
    (filters, inputs, width)."""
    size = config["embedding_size"]
    found: dict[str, tuple[int, ...]] = {WORDS: (config["vocab_size"], size)}
    match config["model_type"]:
        case "text-mlp":
            features = config["hidden_size"]
            found |= _layer("hidden", features, size)
        case "text-cnn":
            features = config["filters"] * len(config["kernel_sizes"])
            for number, width in enumerate(config["kernel_sizes"]):
                found |= _layer(f"convolutions.{number}", config["filters"], size, width)
        case _:
            features = 2 * config["hidden_size"]
            for way in ("forward_lstm", "backward_lstm"):
                found |= _lstm(way, config["hidden_size"], size)
    return {**found, **_layer("classifier", len(config["id2label"]), features)}


def first(name: str, shape: Sequence[int], seed: int) -> np.ndarray:
    """First weights (float32) of one tensor.  Matrices are uniform within ± √(6 / (inputs + outputs)) (Glorot & Bengio
    2010), each gate of an LSTM being one of its own.  Biases are 0, but that of an LSTM's forget gate is 1, so that it
    remembers before it has learned to (Gers et al. 2000)."""
    import numpy as np

    if "bias" in name:
        bias = np.zeros(shape, np.float32)
        if name.endswith("bias_ih_l0"):
            bias.reshape(GATES, -1)[1] = 1
        return bias
    bound = SPREAD
    if name != WORDS:
        outputs = shape[0] // GATES if name.endswith("_l0") else shape[0]
        bound = math.sqrt(6 / (math.prod(shape[1:]) + outputs * math.prod(shape[2:])))
    return np.random.default_rng([seed, crc32(name.encode())]).uniform(-bound, bound, shape).astype(np.float32)


def _layer(name: str, outputs: int, *inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, *inputs), f"{name}.bias": (outputs,)}


def _lstm(name: str, hidden: int, inputs: int) -> dict[str, tuple[int, ...]]:
    """As PyTorch calls them; of its two biases, which are added up, the second stays zero."""
    rows = GATES * hidden
    return {
        f"{name}.weight_ih_l0": (rows, inputs), f"{name}.weight_hh_l0": (rows, hidden),
        f"{name}.bias_ih_l0": (rows,), f"{name}.bias_hh_l0": (rows,),
    }  # fmt: skip
