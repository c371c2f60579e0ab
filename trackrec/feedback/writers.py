"""Under which settings RecCoTs are written: as G is served, as candidates, and those that V is tuned on."""

from __future__ import annotations

from trackrec.runtime.settings import SamplingSettings, Settings


def with_generator(settings: Settings, source: str) -> Settings:
    """The settings with G from ``source``, writing as it is served."""
    model = settings.generator.model.model_copy(update={"source": source, "sha256": None})
    return settings.model_copy(update={"generator": settings.generator.model_copy(update={"model": model})})


def with_candidates(settings: Settings, count: int) -> Settings:
    """The settings with G drawing ``count`` texts a history at temperature 1 and without penalties.

    Candidates are drawn from G itself: S-DPO compares probabilities of the model, not of a model bent by sampling.
    """
    served = settings.generator.sampling
    sampling = SamplingSettings(temperature=1.0, n=count, max_tokens=served.max_tokens, stop=served.stop)
    return settings.model_copy(update={"generator": settings.generator.model_copy(update={"sampling": sampling})})


def tuning_writers(settings: Settings) -> list[Settings]:
    """The settings under which the RecCoTs that V is tuned on are written, those of ``settings`` first.

    G and each of ``tune.also``: as it is served, and ``tune.candidates`` texts a history as candidates are drawn, for
    V judges such texts.
    """
    served = [settings, *(with_generator(settings, source) for source in settings.tune.also)]
    count = settings.tune.candidates
    drawn = [with_candidates(writer, count) for writer in served] if count else []
    unique: list[Settings] = []
    for writer in (*served, *drawn):
        if all(writer.generator != other.generator for other in unique):
            unique.append(writer)
    return unique
