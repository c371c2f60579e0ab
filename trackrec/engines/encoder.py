"""Sentences into vectors of unit norm, with sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trackrec.models.threads import use_threads

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def load_encoder(path: str, threads: int) -> Any:
    """The SentenceTransformer in folder ``path``, on the GPU if there is one, else on ``threads`` CPU threads."""
    use_threads(threads)
    import torch
    from sentence_transformers import SentenceTransformer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    safe = {"use_safetensors": True}
    return SentenceTransformer(path, device=device, local_files_only=True, trust_remote_code=False, model_kwargs=safe)


def encode_texts(encoder: Any, texts: Sequence[str], batch_size: int) -> npt.NDArray[np.float32]:
    """Vectors [len(texts), d] float32 of unit norm, in the order of ``texts``; equal texts are encoded once.

    What lies beyond the encoder's ``max_seq_length`` is not seen (all-MiniLM-L6-v2: 256 tokens, about 1,000
    characters). ``encode`` itself sorts by length over all that it is given, so that a batch holds texts of one length:
    256 RecCoTs and their prompts took 16 CPU seconds in one call, 22 in calls of 128 texts, 33 in mixed batches of 64.
    """
    import numpy as np

    distinct = {text: index for index, text in enumerate(dict.fromkeys(texts))}
    if not distinct:
        return np.zeros((0, encoder.get_embedding_dimension()), np.float32)
    vectors = encoder.encode(
        list(distinct), batch_size=batch_size, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
    )
    return np.asarray(vectors, np.float32)[[distinct[text] for text in texts]]
