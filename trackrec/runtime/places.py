"""Where tables lie: a folder or URI, or ``catalog.schema``. Only this module tells them apart; imports no Spark."""

from __future__ import annotations

import re

from trackrec.runtime.errors import BadInputError


def is_path(warehouse: str) -> bool:
    """Whether a warehouse is a folder or URI (it has a ``/`` or starts with ``.``) and not ``catalog.schema``.

    Raises BadInputError for what is neither. A single word is refused: a folder and a schema are equally meant by it.
    """
    if "/" in warehouse or warehouse.startswith("."):
        return True
    if not is_name(warehouse, parts=2):
        raise BadInputError(
            f"warehouse {warehouse!r} is neither a path nor catalog.schema.",
            f"Write ./{warehouse} for a folder, or both names for a schema, e.g. spark_catalog.reccot, unquoted.",
        )
    return False


def checked_place(warehouse: str) -> str:
    """``warehouse`` itself; raises as ``is_path`` does."""
    is_path(warehouse)
    return warehouse


def is_name(text: str, *, parts: int) -> bool:
    """Whether ``text`` has the form of a catalog name of so many parts: letters, digits, ``_`` and ``-``."""
    return re.fullmatch(r"[\w-]+" + r"\.[\w-]+" * (parts - 1), text) is not None


def quoted(name: str) -> str:
    """A catalog name as SQL takes it, whatever its parts are made of: a.b-c becomes `a`.`b-c`."""
    return ".".join(f"`{part}`" for part in name.split("."))


def without_scheme(uri: str) -> str:
    """``file:/x`` and ``file:///x`` as /x, any other URI or path as it is.

    Spark writes its local locations so, and a ``%`` in them is a letter of the name; delta-rs would decode it.
    """
    return re.sub(r"^file:/+", "/", uri)
