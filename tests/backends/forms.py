"""Forms that do not what they say, in a module of their own, which another process can import."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from pipeline.formats.safetensors import Safetensors


class Careless(Safetensors):
    """It needs PyTorch, and does not say so."""

    needs = ()


class Violent(Safetensors):
    """It is killed."""

    @staticmethod
    def load(folder: Path) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)
