"""Rows out of Parquet and Arrow files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.corpora.columns import Columns, positions
from pipeline.errors import UserError


def records(file: Path, columns: Columns) -> Iterator[tuple[int, Any, Any]]:
    """(row, text, label) of each row.

    Raises:
        UserError: the file is not what its ending says, or lacks a column.
    """
    import pyarrow as pa

    try:
        schema, batches = _opened(file, columns)
        positions(schema.names, columns, file)
        number = 0
        for batch in batches:
            for text, label in zip(batch[columns.text].to_pylist(), batch[columns.label].to_pylist(), strict=True):
                number += 1
                yield number, text, label
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{file}: not {file.suffix[1:]}, or cut off: {str(error).splitlines()[0]}; write it again"
        ) from None


def _opened(file: Path, columns: Columns) -> tuple[Any, Iterator[Any]]:
    """The schema and the batches of a Parquet or Arrow file.  Arrow comes as a stream (as ``datasets`` writes it)
    or as a file (Feather)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.suffix.lower() == ".parquet":
        opened = pq.ParquetFile(file)
        names = [name for name in columns.names if name in opened.schema_arrow.names]
        return opened.schema_arrow, opened.iter_batches(columns=names)
    mapped = pa.memory_map(str(file))
    try:
        stream = pa.ipc.open_stream(mapped)
        return stream.schema, iter(stream)
    except pa.ArrowInvalid:
        whole = pa.ipc.open_file(mapped)
        return whole.schema, (whole.get_batch(i) for i in range(whole.num_record_batches))


def class_names(file: Path, columns: Columns) -> list[str]:
    """The label names that ``datasets`` keeps in the schema of a Parquet or Arrow file, if it does."""
    if file.suffix.lower() not in (".parquet", ".arrow"):
        return []
    try:
        metadata = _opened(file, columns)[0].metadata or {}
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        names: list[str] = features[columns.label]["names"]
        return names
    except Exception:  # whatever is wrong with the file is said when its rows are read
        return []
