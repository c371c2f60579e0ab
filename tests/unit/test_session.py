"""Which Spark is one process, where what is evaluated once stays in it."""

from types import SimpleNamespace

import pytest

from trackrec.runtime.session import is_local


def session(master):
    return SimpleNamespace(conf=SimpleNamespace(get=lambda key, default: master if key == "spark.master" else default))


@pytest.mark.parametrize("master", ["local", "local[2]", "local[*]", "local[2,4]"])
def test_a_local_master_is_one_process(master):
    assert is_local(session(master))


@pytest.mark.parametrize("master", ["local-cluster[2,1,1024]", "spark://host:7077", "yarn", "k8s://https://host", None])
def test_executors_of_any_other_master_can_be_lost_alone(master):
    assert not is_local(session(master))
