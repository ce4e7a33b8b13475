"""What was measured of a source once, by the hash of its content, so that it need not be measured again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from vmafcast.common.documents import Document, read_document, write_document
from vmafcast.common.errors import DataError
from vmafcast.common.files import sha256_bytes

DocumentT = TypeVar("DocumentT", bound=Document)


def default_cache() -> Path:
    """Return ``$XDG_CACHE_HOME/vmafcast``, else ``~/.cache/vmafcast``."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has relative paths ignored.
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "vmafcast"


def remembered(
    cache: Path | None, kind: str, key: Mapping[str, object], model: type[DocumentT], make: Callable[[], DocumentT]
) -> DocumentT:
    """Return the document that ``key`` stands for, from the cache where it is there, else made and put there.

    Parameters
    ----------
    cache
        The folder; None for no cache.
    kind
        The subfolder.
    key
        Everything that decides the document's numbers. Its text is hashed into the name of the file.
    model
        The document's class.
    make
        Makes it.

    Returns
    -------
    Document
        A file that cannot be read, or is not of this form, counts as not there and is replaced as a whole.

    Raises
    ------
    OutputError
        The cache cannot be written.
    """
    if cache is None:
        return make()
    text = "\n".join(f"{name}={key[name]}" for name in sorted(key))
    path = cache / kind / f"{sha256_bytes(text.encode())[:32]}.json"
    if path.is_file():
        try:
            return read_document(path, model)
        except DataError:
            path.unlink(missing_ok=True)
    document = make()
    write_document(path, document)
    return document
