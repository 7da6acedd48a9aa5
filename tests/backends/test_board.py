"""TensorBoard's files are those that TensorBoard reads."""

from __future__ import annotations

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.backends.board import Board


def test_tensorboard_reads_what_is_written_and_forgets_what_a_killed_training_logged_twice(tmp_path: Path) -> None:
    with Board(tmp_path, 1) as board:
        for step in (1, 2, 3):
            board.add("train/loss", step / 2, step)
    with Board(tmp_path, 3) as board:  # the checkpoint was from step 2
        board.add("train/loss", 0.25, 3)
    found = EventAccumulator(str(tmp_path)).Reload().Scalars("train/loss")
    assert [(event.step, event.value) for event in found] == [(1, 0.5), (2, 1.0), (3, 0.25)]
