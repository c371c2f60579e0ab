"""Errors on their way between processes."""

import pickle

from trackrec.runtime.errors import BadInputError, QualityGateError


def test_an_error_reaches_another_process_with_both_of_its_parts():
    for error in (BadInputError("table a has no rows.", "Write some."), QualityGateError("few rows.", "Look.")):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), copy.what, copy.remedy, str(copy)) == (type(error), error.what, error.remedy, str(error))
