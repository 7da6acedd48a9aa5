"""What comparisons have in common: a process for each side, and the stock Trainer at its best."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def measure(side: str, place: Path) -> dict[str, Any]:
    """What this script, called as it was and for one side, prints last in a process of its own."""
    command = [sys.executable, *sys.argv, f"--side={side}", f"--place={place}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def at_its_best(out: Path | str, metric: str, **settings: Any):
    """Arguments of the Trainer: what makes it fast, the best epoch's weights by ``metric`` kept, and these settings."""
    import torch
    import transformers

    return transformers.TrainingArguments(
        str(out), per_device_eval_batch_size=64, use_cpu=not torch.cuda.is_available(),
        train_sampling_strategy="group_by_length", optim="adamw_torch_fused", eval_strategy="epoch",
        save_strategy="epoch", save_only_model=True, load_best_model_at_end=True,
        metric_for_best_model=metric, report_to="none", disable_tqdm=True, logging_strategy="no", **settings,
    )  # fmt: skip


def step_clock():
    """A callback that adds up the time of training steps, batches included."""
    import transformers

    class Clock(transformers.TrainerCallback):
        seconds = 0.0

        def on_epoch_begin(self, *_, **__):
            self.begun = time.perf_counter()

        def on_epoch_end(self, *_, **__):
            self.seconds += time.perf_counter() - self.begun

    return Clock()
