"""The default encoder and its UDF."""

import numpy as np
import pandas as pd
import pytest

from trackrec.engines.encoder import encode_texts, load_encoder
from trackrec.models.resolve import resolve_model
from trackrec.tables.schemas import VECTOR_SIZE
from udfs.encode import COLUMNS, encode_udf

pytestmark = pytest.mark.engine

TEXTS = ["a cat sat on the mat", "stock prices fell", "a kitten rests on a rug", "markets dropped today " * 30]


@pytest.fixture(scope="module")
def model(settings):
    return resolve_model(settings.encoder.model.source, settings.cache_dir())


@pytest.fixture(scope="module")
def encoder(model):
    return load_encoder(model.path, threads=2)


def test_vectors_are_float32_of_unit_norm(encoder):
    vectors = encode_texts(encoder, TEXTS, batch_size=2)
    assert vectors.shape == (4, VECTOR_SIZE)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_like_texts_are_near_and_order_is_kept(encoder):
    vectors = encode_texts(encoder, TEXTS, batch_size=2)
    near = vectors @ vectors.T
    assert near[0].argsort()[::-1][:2].tolist() == [0, 2]
    assert near[1].argsort()[::-1][:2].tolist() == [1, 3]
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(encode_texts(encoder, [text], batch_size=1)[0], vector, atol=1e-5)


def test_no_texts_are_no_vectors(encoder):
    assert encode_texts(encoder, [], batch_size=2).shape == (0, VECTOR_SIZE)


def test_the_udf_gives_each_row_the_vectors_of_its_own_text_and_prompt(encoder, model):
    frame = pd.DataFrame(
        {
            "row_key": ["r0", "r1", "r2", "r3"],
            "user_id": ["u"] * 4,
            "prompt_key": ["p", "p", "q", "q"],
            "as_of": pd.Timestamp("2024-05-02"),
            "source_max_time": pd.Timestamp("2024-05-01"),
            "text": TEXTS,
            "prompt_body": ["one prompt", "one prompt", "another", "another"],
        }
    )
    frames = [frame.iloc[:3], frame.iloc[3:], frame.iloc[:0]]
    out = pd.concat(encode_udf(model, 2, 2)(iter(frames)))
    assert list(out.columns) == COLUMNS
    assert out.row_key.tolist() == ["r0", "r1", "r2", "r3"]
    assert set(out.encoder_version) == {model.version}
    np.testing.assert_allclose(np.stack(out.reccot_vector), encode_texts(encoder, TEXTS, 4), atol=1e-5)
    np.testing.assert_allclose(
        np.stack(out.prompt_vector), encode_texts(encoder, list(frame.prompt_body), 4), atol=1e-5
    )
