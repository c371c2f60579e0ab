"""The arrays that figures, and the CTR job, take: one entry a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]  # codes, row numbers, counts, microseconds
Labels = npt.NDArray[np.int64]  # (rows,) 0 or 1
Scores = npt.NDArray[np.float64]  # (rows,) what ranks the rows; a probability where the function says so
Weights = npt.NDArray[np.float64]  # (rows,) how often a row counts
Users = npt.NDArray[Any]  # (rows,) whose row it is: ids or codes
