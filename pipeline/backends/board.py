"""TensorBoard's event files, without a framework to write them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any


class Board:
    """Writes numbers to a new event file in ``folder``; what older files there have from step ``purge`` on counts no more."""

    def __init__(self, folder: Path, purge: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        # Names must sort by time, for that is the order in which TensorBoard reads them.
        file = folder / f"events.out.tfevents.{time.time_ns():020d}.{os.getpid()}"
        self._records = RecordWriter(file.open("wb"))
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._write(Event(wall_time=time.time(), step=purge, session_log=SessionLog(status=SessionLog.START)))

    def add(self, name: str, value: float, step: int) -> None:
        """The value of a curve in a step."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
        self._write(Event(wall_time=time.time(), step=step, summary=summary))

    def __enter__(self) -> Board:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._records.close()

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())
        self._records.flush()  # whoever watches a training wants to see it now
