"""Which users teach whom inside the alignment window: V never judges what it was tuned on.

Users are split into two folds by hash. V^(0) is tuned on fold 0 and judges G's candidates for fold 1; with
feedback.cross_fit V^(1) is tuned on fold 1 and judges fold 0, so that every user teaches once and is judged once.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

FOLDS = (0, 1)
FOLD_FILE = "trackrec-fold.json"  # in the folder of a V's adapter without an offset, whose file has the fold
_SALT = "trackrec alignment split"  # unlike histories.max_users, which takes the smallest hashes of the bare user_id


def is_validator_user(user: Column, share: float) -> Column:
    """Whether V^(0) is tuned on this user (else it judges G's candidates for them); ``share`` of all users are its."""
    from pyspark.sql import functions as F

    digits = F.substring(F.sha2(F.concat(F.lit(_SALT), user), 256), 1, 8)
    return F.conv(digits, 16, 10).cast("bigint") < int(share * 2**32)


def fold_of(user: Column, share: float) -> Column:
    """The user's fold, an int: 0 for the users that V^(0) is tuned on, 1 for the others."""
    from pyspark.sql import functions as F

    return F.when(is_validator_user(user, share), 0).otherwise(1)


def in_share(user_id: str, share: float, salt: str = _SALT) -> bool:
    """``is_validator_user`` in Python; with another ``salt`` another part of the users, independent of that one."""
    digits = hashlib.sha256(f"{salt}{user_id}".encode()).hexdigest()[:8]
    return int(digits, 16) < int(share * 2**32)


def save_fold(path: Path, fold: int) -> None:
    """Write down in ``path`` which users a V is tuned on."""
    path.write_text(json.dumps({"fold": fold}) + "\n", encoding="utf-8")


def saved_fold(path: Path) -> int | None:
    """The fold in ``path``; None where there is no such file: V's of earlier versions have none."""
    return int(json.loads(path.read_text(encoding="utf-8"))["fold"]) if path.is_file() else None
