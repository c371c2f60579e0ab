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


def by_semicolons(text, titles):
    """Parts for a test: what stands between semicolons; an x of each title."""
    liked, avoided, outlook = [*text.split(";"), "", ""][:3]
    return liked, avoided, outlook + "x" * len(titles)


def test_the_udf_gives_each_row_the_vectors_of_its_own_text_parts_and_facts(encoder, model):
    texts = ["a cat; a dog", "stock prices fell", "a kitten;;markets", "a cat; a dog"]
    frame = pd.DataFrame(
        {
            "row_key": ["r0", "r1", "r2", "r3"],
            "user_id": ["u"] * 4,
            "prompt_key": ["p", "p", "q", "q"],
            "as_of": pd.Timestamp("2024-05-02"),
            "source_max_time": pd.Timestamp("2024-05-01"),
            "text": texts,
            "facts": ["some facts", "some facts", "others", "others"],
            "titles": [[], [], ["Heat"], []],
        }
    )
    frames = [frame.iloc[:3], frame.iloc[3:], frame.iloc[:0]]
    out = pd.concat(encode_udf(model, "encoder@1+parts9", by_semicolons, 2, 2)(iter(frames)))
    assert list(out.columns) == COLUMNS
    assert out.row_key.tolist() == ["r0", "r1", "r2", "r3"]
    assert set(out.encoder_version) == {"encoder@1+parts9"}
    np.testing.assert_allclose(np.stack(out.reccot_vector), encode_texts(encoder, texts, 4), atol=1e-5)
    np.testing.assert_allclose(np.stack(out.prompt_vector), encode_texts(encoder, list(frame.facts), 4), atol=1e-5)
    parts = {
        "liked_vector": ["a cat", "stock prices fell", "a kitten", "a cat"],
        "avoided_vector": [" a dog", None, None, " a dog"],
        "outlook_vector": [None, None, "marketsx", None],
    }
    for column, of_rows in parts.items():
        assert [vector is None for vector in out[column]] == [text is None for text in of_rows], column
        for vector, text in zip(out[column], of_rows, strict=True):
            if text is not None:
                np.testing.assert_allclose(vector, encode_texts(encoder, [text], 1)[0], atol=1e-5)
