"""One GPU a task, for stages that hold a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackrec.runtime.settings import EngineSettings

if TYPE_CHECKING:
    from pyspark.resource import ResourceProfile


def gpu_profile(settings: EngineSettings) -> ResourceProfile | None:
    """One GPU a task, on clusters that offer GPUs; in local mode Spark refuses a profile."""
    if not settings.gpu_profile:
        return None
    from pyspark.resource import ExecutorResourceRequests, ResourceProfileBuilder, TaskResourceRequests

    executor = ExecutorResourceRequests().resource("gpu", 1)
    task = TaskResourceRequests().cpus(1).resource("gpu", 1)
    return ResourceProfileBuilder().require(executor).require(task).build
