"""S-DPO: align G to what V preferred among its candidates. No Spark, only Delta files, Arrow and torch.

After jobs/generate_reccot.py and jobs/validate_reccot.py with the same settings:

python -m jobs.align_generator --conf conf/local.yaml --set 'generator.sampling={n: 10, temperature: 1}'

Prints the new G as generator.model.source takes it. Run again, it trains no step twice; killed, it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

from trackrec.runtime.ledger import Opened, Run, run_recorded
from trackrec.tables.catalog import open_lake
from trackrec.tables.lake import Lake


def main(argv: Sequence[str] | None = None) -> int:
    """Train the adapter, register it in ``model_versions``, print its figures. Returns the exit code."""
    return run_recorded("align_generator", __doc__, argv, _opened)


def _opened(run: Run) -> Opened:
    lake = open_lake(run.settings, run.name)
    return lake, lambda: _align(run, lake)


def _align(run: Run, lake: Lake) -> None:
    from trackrec.models.threads import use_threads

    use_threads(run.settings.generator.threads)  # before torch is imported
    from trackrec.models.registry import register
    from trackrec.stages.align import align_generator

    made = align_generator(run.settings, lake, lambda line: print(line, flush=True))
    model, number = register(run, lake, "generator", made)
    print(f"align_generator: round {number}, generator {model.version}, generator.model.source={made.source}")


if __name__ == "__main__":
    raise SystemExit(main())
