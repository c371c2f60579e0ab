"""Which users teach whom inside the alignment window: V never judges what it was tuned on.

Users are split by hash: V is tuned on one part, G's candidates are judged for the other.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

_SALT = "trackrec alignment split"  # unlike histories.max_users, which takes the smallest hashes of the bare user_id


def is_validator_user(user: Column, share: float) -> Column:
    """Whether V is tuned on this user (else G's candidates are judged for them); ``share`` of all users are V's."""
    from pyspark.sql import functions as F

    digits = F.substring(F.sha2(F.concat(F.lit(_SALT), user), 256), 1, 8)
    return F.conv(digits, 16, 10).cast("bigint") < int(share * 2**32)


def in_share(user_id: str, share: float, salt: str = _SALT) -> bool:
    """``is_validator_user`` in Python; with another ``salt`` another part of the users, independent of that one."""
    digits = hashlib.sha256(f"{salt}{user_id}".encode()).hexdigest()[:8]
    return int(digits, 16) < int(share * 2**32)
