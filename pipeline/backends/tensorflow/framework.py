"""Importing TensorFlow and Keras: on the right backend, and without their banners."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import UserError


def tensorflow() -> Any:
    """The module ``tensorflow``."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silence():
        import tensorflow as tf
    tf.config.experimental.enable_tensor_float_32_execution(False)  # else fp32 is not, on newer GPUs
    return tf


def keras() -> Any:
    """The module ``keras``, over TensorFlow.

    Raises:
        UserError: Keras is at work on another backend.
    """
    tensorflow()
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    with silence():
        import keras as module
    if (found := module.backend.backend()) != "tensorflow":
        raise UserError(f"Keras runs on {found} in this process; import it after this, or set KERAS_BACKEND=tensorflow")
    return module


def keras_hub() -> Any:
    """The module ``keras_hub``, over Keras over TensorFlow."""
    keras()
    with silence():
        import keras_hub as module
    return module


def device() -> str:
    """Where TensorFlow runs: a GPU if there is one."""
    return "gpu" if tensorflow().config.list_physical_devices("GPU") else "cpu"


def multiplies_bf16_fast() -> bool:
    """Whether the processor has instructions for products of bfloat16 matrices, or the GPU has."""
    tf = tensorflow()
    for gpu in tf.config.list_physical_devices("GPU"):
        major, _ = tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        return bool(major >= 8)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:  # noqa: PTH123 (no file of ours)
            flags = next((line.split() for line in stream if line.startswith("flags")), [])
    except OSError:  # not Linux
        return False
    return bool({"avx512_bf16", "amx_bf16"} & set(flags))


@contextmanager
def silence() -> Iterator[None]:
    """TensorFlow's C++ tells of processors and missing GPUs on the error stream when it is loaded, whatever its log
    level; what is told is lost, unless loading fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as told:
        os.dup2(told.fileno(), 2)
        try:
            yield
        except BaseException:
            told.seek(0)
            os.write(kept, told.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
