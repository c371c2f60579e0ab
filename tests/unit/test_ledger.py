"""A run that does not come as far as its tables: one line, its exit code, and what is to be done at the end is done."""

import pytest

from tests.conftest import CONF
from trackrec.runtime.ledger import recorded_run


@pytest.mark.parametrize("flags", [["--conf", "/nowhere/conf.yaml"], ["--conf", str(CONF), "--set", "nope=1"]])
def test_settings_that_cannot_be_read_end_with_2_and_one_line(flags, capsys):
    with recorded_run("nightly", None, flags) as job:
        job.run  # noqa: B018  reads the settings
    error = capsys.readouterr().err
    assert job.exit_code == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("error", [None, ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_what_is_to_be_done_at_the_end_is_done_however_the_run_ends(error, capsys):
    done = []
    try:
        with recorded_run("nightly", None, ["--conf", str(CONF)]) as job:
            job.at_end(lambda: 1 / 0)
            job.at_end(lambda: done.append("released"))
            if error is not None:
                raise error
    except SystemExit:
        done.append("passed on")
    assert done == ["released", "passed on"] if isinstance(error, SystemExit) else done == ["released"]
