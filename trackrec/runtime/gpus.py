"""One GPU a task, for stages that hold a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackrec.runtime.settings import EngineSettings

if TYPE_CHECKING:
    from pyspark.resource import ResourceProfile


def gpu_profile(settings: EngineSettings) -> ResourceProfile | None:
    """One GPU a task, on the executors that are there, which offer GPUs; in local mode Spark refuses a profile.

    It asks nothing of executors: a profile that does wants new ones, and without dynamic allocation Spark refuses it.
    """
    if not settings.gpu_profile:
        return None
    from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    return ResourceProfileBuilder().require(TaskResourceRequests().cpus(1).resource("gpu", 1)).build
