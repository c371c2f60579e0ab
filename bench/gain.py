"""What RecCoTs are worth to a CTR model that reads the items' own words, beside the controls that prove the instrument.

python -m bench.gain                                          # MovieLens-100k, all users, 5 seeds, G of 135 M: 2 cores
python -m bench.gain --set 'ctr.further_backbones=[DCNv2]' --set 'ctr.seeds=[1,2,3,4,5,6,7,8,9,10]'

Histories, RecCoTs, vectors and items are made first, by the jobs that a night runs, where they are not there yet: G's
4,820 texts take 40 to 70 minutes on two cores and are resumed where they were left; with them the bench takes as long
as its fits. ``--without-generator`` leaves G's RecCoTs out: the teacher's, the counts and the controls need no LLM.
Last line one JSON object; the figures are those of the run's rows in feature_gain and gain_slices.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from jobs import train_ctr
from trackrec.report.gain import GainFigures
from trackrec.report.stored_gain import stored_figures
from trackrec.runtime.settings_files import load_settings
from trackrec.tables.lake import Lake

_WITH_G = ("jobs.nightly", "jobs.publish_teacher")
_WITHOUT_G = ("jobs.build_histories", "jobs.encode_items", "jobs.publish_teacher")
_ARMS_WITHOUT_G = "ctr.arms=[plain,without_item_text,planted,permuted,tallies,teacher]"


def main(argv: Sequence[str] | None = None) -> int:
    """Make the vectors, measure, print the job's table and the JSON line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conf", type=Path, default=Path("conf/gain.yaml"))
    parser.add_argument("--set", action="append", default=[], help="key=value, as of every job")
    parser.add_argument("--without-generator", action="store_true", help="leave G's RecCoTs out")
    arguments = parser.parse_args(argv)
    flags = ["--conf", str(arguments.conf), *(part for text in arguments.set for part in ("--set", text))]
    for job in _WITHOUT_G if arguments.without_generator else _WITH_G:
        done = subprocess.run([sys.executable, "-m", job, *flags], check=False)
        if done.returncode:
            return done.returncode
    if arguments.without_generator:
        flags += ["--set", _ARMS_WITHOUT_G]
    code = train_ctr.main(flags)
    if code == 0:
        settings = load_settings(arguments.conf, arguments.set)
        stored = {figures.backbone: figures for figures in stored_figures(Lake(settings.warehouse))}
        names = dict.fromkeys((settings.ctr.backbone, *settings.ctr.further_backbones))
        print(json.dumps(line_of([stored[name] for name in names])))
    return code


def line_of(figures: Sequence[GainFigures]) -> dict[str, object]:
    """The bench's JSON line: the first backbone's figures, those of each further one under its name."""
    first, *further = figures
    line = {"bench": "gain", "backbone": first.backbone, **_figures(first)}
    return line | ({"further": {other.backbone: _figures(other) for other in further}} if further else {})


def _figures(figures: GainFigures) -> dict[str, object]:
    """Plain's AUC, what was found of the planted signal, the smallest gain that would have been seen, all arms."""
    gains = figures.gains
    tested = gains["reccot" if "reccot" in gains else "teacher"]  # the teacher's where there are no RecCoTs of G
    return {
        "plain_auc": _rounded(figures.plain_auc),
        "planted_found": _rounded(gains["planted"].mean),
        "planted_worth": _rounded(gains["planted"].planted_worth),
        "minimum_detectable": _rounded(tested.minimum_detectable),
        "arms": {
            arm: {"gain": _rounded(gain.mean), "low": _rounded(gain.interval[0]), "high": _rounded(gain.interval[1])}
            for arm, gain in gains.items()
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


if __name__ == "__main__":
    sys.exit(main())
