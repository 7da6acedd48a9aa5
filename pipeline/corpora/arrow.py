"""Rows out of Parquet and Arrow files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.corpora import columns
from pipeline.corpora.columns import Layouts
from pipeline.errors import UserError


def cells(file: Path, layouts: Layouts) -> Iterator[tuple[Path, int, dict[str, Any], dict[str, str]]]:
    """(file, row, fields, names) of each row.

    Raises:
        UserError: the file is not what its ending says, or lacks a column.
    """
    import pyarrow as pa

    try:
        schema, batches = _opened(file, layouts)
        names = {column.field: name for column, name in columns.found(schema.names, layouts, file)}
        number = 0
        for batch in batches:
            taken = [batch[name].to_pylist() for name in names.values()]
            for values in zip(*taken, strict=True):
                number += 1
                yield file, number, dict(zip(names, values, strict=True)), names
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{file}: not {file.suffix[1:]}, or cut off: {str(error).splitlines()[0]}; write it again"
        ) from None


def _opened(file: Path, layouts: Layouts) -> tuple[Any, Iterator[Any]]:
    """The schema and the batches of a Parquet or Arrow file.  Arrow comes as a stream (as ``datasets`` writes it)
    or as a file (Feather)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.suffix.lower() == ".parquet":
        opened = pq.ParquetFile(file)
        known = {name for layout in layouts for column in layout for name in (column.name, *column.others)}
        names = [name for name in opened.schema_arrow.names if name in known]
        return opened.schema_arrow, opened.iter_batches(columns=names)
    mapped = pa.memory_map(str(file))
    try:
        stream = pa.ipc.open_stream(mapped)
        return stream.schema, iter(stream)
    except pa.ArrowInvalid:
        whole = pa.ipc.open_file(mapped)
        return whole.schema, (whole.get_batch(i) for i in range(whole.num_record_batches))


def class_names(file: Path, layouts: Layouts) -> list[str]:
    """The label names that ``datasets`` keeps in the schema of a Parquet or Arrow file, if it does: of one label a row, or
    of a list of them."""
    if file.suffix.lower() not in (".parquet", ".arrow"):
        return []
    try:
        schema = _opened(file, layouts)[0]
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        targets = [name for column, name in columns.found(schema.names, layouts, file) if column.target]
        feature = features[targets[0]]
        names: list[str] = feature["names"] if "names" in feature else feature["feature"]["names"]
        return names
    except Exception:  # whatever is wrong with the file is said when its rows are read
        return []


def type_of(name: str) -> Any:
    """The Arrow type of this name; ``list<…>`` is one of lists, ``list<list<…>>`` of lists of them."""
    import pyarrow as pa

    if name.startswith("list<"):
        return pa.list_(type_of(name.removeprefix("list<").removesuffix(">")))
    return pa.type_for_alias(name)
