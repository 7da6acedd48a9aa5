"""Models that write text, run by ONNX Runtime on the CPU, with numpy and nothing of PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UserError
from pipeline.features import Inputs
from pipeline.formats import search
from pipeline.formats.onnx import session
from pipeline.formats.rules import Rules, Settings

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime

    Values = dict[str, onnxruntime.OrtValue]

BEYOND = "indices element out of data bounds"  # what ONNX Runtime says where a place has no weight


class Graph:
    """A graph, as :mod:`pipeline.formats.onnx_graphs` has them."""

    def __init__(self, file: Path) -> None:
        self._session = session(file)
        self.inputs = {one.name: one.shape for one in self._session.get_inputs()}
        self.outputs = [one.name for one in self._session.get_outputs()]
        self.presents = [name for name in self.outputs if name.startswith("present.")]

    def run(self, values: Values, outputs: Sequence[str]) -> Values:
        """These outputs, and no more work than they need.

        Raises:
            UserError: the model has a weight for each place, and too few of these.
        """
        import onnxruntime
        from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

        options = onnxruntime.RunOptions()
        options.only_execute_path_to_fetches = len(outputs) < len(self.outputs)
        try:
            found = self._session.run_with_ort_values(outputs, values, options)
        except InvalidArgument as error:
            if BEYOND not in str(error):
                raise
            raise UserError(
                "generation.max_new_tokens: the model has no places for so many tokens behind so long a text; set it lower"
            ) from None
        return dict(zip(outputs, found, strict=True))

    def past(self, rows: int) -> Values:
        """What is kept before the first token: nothing, of the right shape."""
        import numpy as np

        shapes = {name: self.inputs[name] for name in map(_past, self.presents)}
        return {
            name: _value(np.zeros((rows, heads, 0, size), np.float32)) for name, (_, heads, _, size) in shapes.items()
        }


@dataclass(frozen=True)
class State:
    """What is kept while texts are written, a row each.

    ``past``: keys and values of the tokens so far; ``read``: of what was read; ``mask``: of what was read, or of the
    prompts and what follows (rows × tokens); ``texts``: which of the texts each row is of, several where there are beams.
    """

    past: Values
    read: Values
    mask: np.ndarray
    texts: np.ndarray
    length: int = 0  # tokens so far

    def take(self, rows: np.ndarray | None) -> State:
        """Some rows, in this order."""
        import numpy as np

        if rows is None or np.array_equal(rows, np.arange(len(self.texts))):
            return self
        texts = self.texts[rows]
        read = self.read if np.array_equal(texts, self.texts) else _taken(self.read, rows)
        return replace(self, past=_taken(self.past, rows), read=read, mask=self.mask[rows], texts=texts)


class OnnxWriter:
    """``encoder.onnx`` and ``decoder.onnx``, or ``model.onnx``, with ``generation_config.json``.

    Raises:
        UserError: nothing says what a decoder begins with.
    """

    def __init__(self, folder: Path) -> None:
        self._settings = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
        two = (folder / "encoder.onnx").is_file()
        self._encoder = Graph(folder / "encoder.onnx") if two else None
        self._decoder = Graph(folder / ("decoder.onnx" if two else "model.onnx"))
        self.start = _start(Settings.of(self._settings)) if two else None

    def logits(self, inputs: Inputs, decoder_input_ids: np.ndarray | None = None) -> np.ndarray:
        """See :class:`pipeline.formats.checks.Writer`."""
        ids = inputs["input_ids"] if decoder_input_ids is None else decoder_input_ids
        return self._answer(ids, self._begin(inputs))[0]

    def generate(self, inputs: Inputs, settings: Mapping[str, Any], seed: int = 0) -> list[list[int]]:
        """See :class:`pipeline.formats.checks.Writer`."""
        import numpy as np

        how = Settings.of({**self._settings, **settings})
        inputs = inputs if self._encoder else search.behind_padding(inputs)
        prompt, starts = inputs["input_ids"], inputs["attention_mask"].argmax(-1)
        if self._encoder:
            prompt, starts = np.full((len(prompt), 1), _start(how), np.int64), np.zeros(len(prompt), np.int64)
        rules = Rules(how, prompt.shape[1])
        return search.follow(self._step, self._begin(inputs), prompt, starts, rules, seed)

    def _begin(self, inputs: Inputs) -> State:
        import numpy as np

        mask, read = inputs["attention_mask"], {}
        if self._encoder:
            values = {name: _value(inputs[name]) for name in self._encoder.inputs}
            found = self._encoder.run(values, self._encoder.presents)
            read = {_past(name): value for name, value in found.items()}
        return State(self._decoder.past(len(mask)), read, mask, np.arange(len(mask)))

    def _step(self, tokens: np.ndarray, state: State, rows: np.ndarray | None) -> tuple[np.ndarray, State]:
        state = state.take(rows)
        if tokens.shape[1] > 1:  # the scores of all words behind each token of a prompt would fill the memory
            state = self._advance(tokens[:, :-1], state, [])[1]
        logits, state = self._answer(tokens[:, -1:], state)
        return logits[:, -1], state

    def _answer(self, ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Logits behind each token (rows × tokens × vocabulary)."""
        values, state = self._advance(ids, state, ["logits"])
        logits: np.ndarray = values["logits"].numpy().copy()
        return logits, state

    def _advance(self, ids: np.ndarray, state: State, outputs: list[str]) -> tuple[Values, State]:
        """Have the decoder see more tokens."""
        import numpy as np

        length, mask = state.length + ids.shape[1], state.mask
        if not self._encoder:
            mask = np.concatenate([mask, np.ones((len(mask), max(0, length - mask.shape[1])), np.int64)], 1)
        arrays = {"input_ids": ids, "encoder_attention_mask" if self._encoder else "attention_mask": mask}
        if not self._encoder:
            arrays["attention_mask"] = mask[:, :length]
        values = {name: _value(array) for name, array in arrays.items()}
        found = self._decoder.run({**values, **state.past, **state.read}, [*outputs, *self._decoder.presents])
        past = {_past(name): found.pop(name) for name in self._decoder.presents}
        return found, replace(state, past=past, mask=mask, length=length)


def _start(settings: Settings) -> int:
    """The token before the first that a decoder writes."""
    for token in (settings.decoder_start_token_id, settings.bos_token_id):
        if token is not None:
            return token
    raise UserError("generation_config.json: has no decoder_start_token_id, which the decoder begins with; set it")


def _past(present: str) -> str:
    """The input that an output is given to in the next step."""
    return present.replace("present", "past_key_values", 1)


def _value(array: np.ndarray) -> onnxruntime.OrtValue:
    import numpy as np
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


def _taken(values: Values, rows: np.ndarray) -> Values:
    return {name: _value(value.numpy().take(rows, 0)) for name, value in values.items()}
