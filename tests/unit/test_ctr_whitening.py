"""Whitening: what it makes of the vectors it was fitted on, of constants, and of too few."""

import warnings

import numpy as np
import pytest

from trackrec.ctr.features import Vectors, whitened
from trackrec.ctr.whitening import fit_whitening
from trackrec.runtime.errors import BadInputError


@pytest.fixture
def encoded():
    """Vectors as an encoder gives them: a common mean much longer than what tells them apart."""
    random = np.random.default_rng(0)
    return (0.9 + 0.1 * random.standard_normal((200, 12)) @ np.diag(np.arange(1, 13))).astype(np.float32)


def test_outputs_of_the_fitted_rows_have_mean_0_and_deviation_1_and_no_correlation(encoded):
    output = fit_whitening(encoded, 5, "table t, c").apply(encoded)
    assert output.shape == (200, 5)
    assert np.allclose(output.mean(axis=0), 0, atol=1e-4)
    assert np.allclose(np.cov(output.T), np.eye(5), atol=1e-3)


def test_the_components_are_those_with_most_variance(encoded):
    directions = np.abs(fit_whitening(encoded, 3, "table t, c").components).argmax(axis=1)
    assert directions.tolist() == [11, 10, 9]


def test_constants_become_0_and_so_does_what_is_no_constant_later():
    constant = np.full((20, 4), 0.1, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning)  # sklearn's share of no variance
        whitening = fit_whitening(constant, 3, "table t, c")
    assert (whitening.apply(constant) == 0).all()
    assert (whitening.apply(constant + np.arange(4, dtype=np.float32)) == 0).all()


def test_a_direction_without_variance_stays_0(encoded):
    flat = np.concatenate([encoded[:, :2], np.full((200, 4), 0.3, dtype=np.float32)], axis=1)
    output = fit_whitening(flat, 4, "table t, c").apply(flat)
    assert np.allclose(output.std(axis=0), [1, 1, 0, 0], atol=0.01)


@pytest.mark.parametrize(("rows", "floats"), [(5, 8), (3, 8), (0, 8), (9, 4)])
def test_too_few_vectors_or_floats_are_refused_with_table_and_counts(rows, floats):
    with pytest.raises(BadInputError, match=rf"t, c: .* {rows} vectors of {floats} floats.* 5 principal") as error:
        fit_whitening(np.zeros((rows, floats), dtype=np.float32), 5, "table t, c")
    most = min(rows - 1, floats)
    assert (f"ower ctr.components to {most} or less" in str(error.value)) == (most > 0)
    assert ("raise histories.max_users" in str(error.value).lower()) == (floats >= 5)


def test_vectors_of_rows_that_are_not_fitted_do_not_change_the_map(encoded):
    present = np.ones(200, dtype=bool)
    other = encoded.copy()
    other[100:] = np.random.default_rng(1).standard_normal((100, 12))
    fitted = np.arange(100)
    first, _, _ = whitened({"liked": Vectors(encoded, present)}, fitted, 4, "reccot_vectors")
    second, _, _ = whitened({"liked": Vectors(other, present)}, fitted, 4, "reccot_vectors")
    assert np.array_equal(first[0][:100], second[0][:100])
    assert not np.array_equal(first[0][100:], second[0][100:])


def test_rows_without_a_vector_are_zeros_with_flag_0_and_teach_the_map_nothing(encoded):
    present = np.arange(200) % 4 != 0
    values, flags, maps = whitened({"liked": Vectors(encoded, present)}, np.arange(200), 4, "reccot_vectors")
    assert (values[0][~present] == 0).all()
    assert flags[:, 0].tolist() == present.astype(float).tolist()
    assert np.array_equal(maps["liked"].mean, fit_whitening(encoded[present], 4, "").mean)
