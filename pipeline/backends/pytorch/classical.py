"""The networks of :mod:`pipeline.backends.classical` in PyTorch, saved and loaded as models of transformers are.

Padding changes no answer: what stands at it is left out of means, set to zero before a convolution and never a
maximum after one, and comes after all words whichever way an LSTM reads.  No packed sequences: ONNX has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.backends import classical

if TYPE_CHECKING:
    import numpy as np
    import torch


def new(config: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> Any:
    """The network that ``config`` describes, with these ``weights``, in fp32."""
    import torch

    kind = classes()[classical.TYPES[config["model_type"]].architecture]
    network = kind(kind.config_class(**config))
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in weights.items()})
    return network


@cache
def classes() -> dict[str, Any]:
    """The classes of these networks by the names that ``architectures`` in ``config.json`` has for them."""
    kinds = (_mlp(), _cnn(), _lstm())
    return {kind.__name__: kind for kind in kinds}


@cache
def _text_classifier() -> Any:
    """What the three have in common: words go in, the features of a text come out and are told apart."""
    import torch
    from transformers import PreTrainedModel
    from transformers.modeling_outputs import SequenceClassifierOutput

    class TextClassifier(PreTrainedModel):
        def __init__(self, config: Any, features: int) -> None:
            super().__init__(config)
            words = torch.nn.Embedding(config.vocab_size, config.embedding_size)
            self.embeddings = torch.nn.ModuleDict({"word_embeddings": words})
            self.dropout = torch.nn.Dropout(config.dropout)
            self.classifier = torch.nn.Linear(features, config.num_labels)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SequenceClassifierOutput:
            found = self.features(self.embeddings["word_embeddings"](input_ids), attention_mask)
            return SequenceClassifierOutput(logits=self.classifier(self.dropout(found)))

        def features(self, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            """From (batch × length × embedding) and the attention mask to (batch × features)."""
            raise NotImplementedError

        def get_input_embeddings(self) -> torch.nn.Module:
            found: torch.nn.Module = self.embeddings["word_embeddings"]
            return found

        def set_input_embeddings(self, value: torch.nn.Module) -> None:
            self.embeddings["word_embeddings"] = value

        def set_attn_implementation(self, *args: Any, **kwargs: Any) -> None:
            """There is no attention to be computed in another way."""

    return TextClassifier


def _config(name: str) -> Any:
    from transformers import PreTrainedConfig

    return type("TextConfig", (PreTrainedConfig,), {"model_type": classical.KINDS[name].model_type})


def _mlp() -> Any:
    import torch

    class TextMlpForSequenceClassification(_text_classifier()):  # type: ignore[misc]
        config_class = _config("mlp")

        def __init__(self, config: Any) -> None:
            super().__init__(config, config.hidden_size)
            self.hidden = torch.nn.Linear(config.embedding_size, config.hidden_size)
            self.post_init()

        def features(self, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            real = mask[..., None].to(words.dtype)
            mean = (words * real).sum(1) / real.sum(1).clamp(min=1)
            return torch.relu(self.hidden(self.dropout(mean)))

    return TextMlpForSequenceClassification


def _cnn() -> Any:
    import torch

    class TextCnnForSequenceClassification(_text_classifier()):  # type: ignore[misc]
        config_class = _config("cnn")

        def __init__(self, config: Any) -> None:
            super().__init__(config, config.filters * len(config.kernel_sizes))
            self.convolutions = torch.nn.ModuleList(
                torch.nn.Conv1d(config.embedding_size, config.filters, width) for width in config.kernel_sizes
            )
            self.post_init()

        def features(self, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            real = mask[:, None].to(words.dtype)
            words = words.transpose(1, 2) * real
            found = []
            for convolve in self.convolutions:
                (width,) = convolve.kernel_size
                around = torch.nn.functional.pad(words, ((width - 1) // 2, width // 2))  # an answer at every word
                # After ReLU nothing is below zero, so zeros at padding are never more than what a text has itself.
                found.append((torch.relu(convolve(around)) * real).amax(-1))
            return torch.cat(found, -1)

    return TextCnnForSequenceClassification


def _lstm() -> Any:
    import torch

    class TextLstmForSequenceClassification(_text_classifier()):  # type: ignore[misc]
        config_class = _config("lstm")

        def __init__(self, config: Any) -> None:
            super().__init__(config, 2 * config.hidden_size)
            self.forward_lstm = torch.nn.LSTM(config.embedding_size, config.hidden_size, batch_first=True)
            self.backward_lstm = torch.nn.LSTM(config.embedding_size, config.hidden_size, batch_first=True)
            self.post_init()
            for lstm in (self.forward_lstm, self.backward_lstm):
                lstm.bias_hh_l0.requires_grad_(False).zero_()  # one bias is enough, and all that Keras has

        def features(self, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            words = self.dropout(words)
            lengths, places = mask.sum(1, keepdim=True), torch.arange(words.shape[1], device=words.device)
            mirrored = (lengths - 1 - places).clamp(min=0)[..., None].expand_as(words)
            last = (places == lengths - 1)[..., None].to(words.dtype)
            forward, _ = self.forward_lstm(words)
            backward, _ = self.backward_lstm(words.gather(1, mirrored))
            return torch.cat([(forward * last).sum(1), (backward * last).sum(1)], -1)

    return TextLstmForSequenceClassification
