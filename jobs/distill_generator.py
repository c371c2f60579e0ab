"""Distillation: tune G on what a teacher writes about a few users (distill.share), which makes G_0. No Spark.

After jobs/build_histories.py with --set histories.windows=[alignment]:

python -m jobs.distill_generator --conf conf/local.yaml --set distill.share=0.2

With a large model as the teacher, behind any OpenAI-compatible endpoint (its key in the variable OPENAI_API_KEY):

python -m jobs.distill_generator --conf conf/local.yaml --set distill.teacher=openai \
    --set 'distill.endpoint={base_url: "http://127.0.0.1:8000/v1", model: Qwen/Qwen3-8B}'

Prints G_0 as generator.model.source takes it. Run again, it asks for no text and trains no step twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from trackrec.runtime.ledger import Opened, Run, run_recorded
from trackrec.tables.catalog import open_lake
from trackrec.tables.lake import Lake


def main(argv: Sequence[str] | None = None) -> int:
    """Train the adapter, register it in ``model_versions`` as round 0, print its figures. Returns the exit code."""
    return run_recorded("distill_generator", __doc__, argv, _opened)


def _opened(run: Run) -> Opened:
    lake = open_lake(run.settings, run.name)
    return lake, lambda: _distill(run, lake)


def _distill(run: Run, lake: Lake) -> None:
    from trackrec.models.threads import use_threads

    use_threads(run.settings.generator.threads)  # before torch is imported
    from trackrec.models.registry import register
    from trackrec.stages.distill import distill_generator

    made = distill_generator(run, lake, lambda line: print(line, flush=True))
    model, _ = register(run, lake, "generator", made, number=0)
    print(f"distill_generator: G_0 {model.version}, generator.model.source={made.source}")


if __name__ == "__main__":
    raise SystemExit(main())
