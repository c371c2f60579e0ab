"""Users who ask to be forgotten: deletes their rows from every table; later runs do not read their events.

python -m jobs.forget_users --conf conf/local.yaml --user 196 --user 22
SPARK_CONF_DIR=conf/local spark-submit jobs/forget_users.py --conf conf/local.yaml --table prod.privacy.requests

Files of older table versions go when jobs/maintain.py has run after maintenance.retention_days, ids among the
statistics of Delta's logs with these (delta.logRetentionDuration, 30 days unless set). Models that learned from the
users' rows stay, and so do the team's own tables.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.command_line import flags
from trackrec.runtime.ledger import RecordedRun


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    parser = flags("jobs.forget_users", __doc__)
    parser.add_argument("--user", action="append", default=[], metavar="ID", help="a user's id; repeatable")
    parser.add_argument("--table", help="a Delta table with a column user_id: a path or catalog.schema.table")
    arguments = parser.parse_args(argv)
    with RecordedRun("forget_users", arguments) as job:
        from trackrec.stages.forget import forget_users, users_of
        from trackrec.stages.opening import open_warehouse

        run, tables = open_warehouse(job)
        forget_users(run, tables, users_of(tables, arguments.user, arguments.table))
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
