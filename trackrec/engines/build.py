"""From a spec to an engine: the one place that knows them all."""

from __future__ import annotations

from trackrec.engines.call_log import logged
from trackrec.engines.interface import Engine
from trackrec.engines.spec import COUNTED, EngineSpec, resolved_engine
from trackrec.models.threads import use_threads
from trackrec.runtime.errors import BadInputError


def build_engine(spec: EngineSpec) -> Engine:
    """Start the engine that ``spec`` names, in this process, its calls logged where the environment says so.

    Raises BadInputError for a name that is none.
    """
    return logged(_engine_of(spec))


def _engine_of(spec: EngineSpec) -> Engine:
    name = resolved_engine(spec.engine)
    if name not in ("scripted", COUNTED, "vllm", "transformers", "packed"):
        remedy = "Write auto, vllm, transformers, packed, counted or scripted."
        raise BadInputError(f"engine {name!r} is not known.", remedy)
    if name == "scripted":
        from trackrec.engines.scripted import ScriptedEngine

        return ScriptedEngine(spec)
    if name == COUNTED:
        from trackrec.engines.counted import CountedScorer

        return CountedScorer(spec)
    use_threads(spec.threads)
    if name == "vllm":
        from trackrec.engines.vllm import VllmEngine, VllmScorer

        return VllmScorer(spec) if spec.answers else VllmEngine(spec)
    if name == "packed":
        from trackrec.engines.packed import PackedScorer

        return PackedScorer(spec)
    from trackrec.engines.transformers import TransformersEngine
    from trackrec.engines.transformers_scorer import TransformersScorer

    return TransformersScorer(spec) if spec.answers else TransformersEngine(spec)
