"""What was published stays as it was read, whatever the source says later; asked to, it changes, and changes back."""

import pytest

from jobs import build_histories, nightly, publish_features
from tests.e2e.logs import counts, log_rows, rows, write_conf, write_csv

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def published(folder) -> dict[str, str]:
    return {row["user_id"]: row["prompt_key"] for row in rows(folder, "reccot_vectors")}


def held(folder) -> dict[str, str]:
    """Of each user the prompt of the last revision."""
    histories = sorted(rows(folder, "user_histories"), key=lambda row: row["revision"])
    return {row["user_id"]: row["prompt_key"] for row in histories}


@pytest.fixture(scope="module")
def nights(spark, tmp_path_factory):
    """One night four times: titles A; titles B and a late event; these, rewriting the past; titles A, likewise.

    What the night came to: of the histories that hold, and of what is published.
    """
    folder = tmp_path_factory.mktemp("rewriting")
    flags = ["--conf", str(write_conf(folder, histories={"policy": "nightly", "as_of": "2024-01-13"}))]
    log = [row for row in log_rows() if str(row["at"]) < "2024-01-13"]
    write_csv(folder / "log.csv", log)
    seen = []

    def night(title: str, run_id: str, *more: str, job=nightly):
        write_csv(folder / "items.csv", [{"sku": f"i{n}", "name": f"{title} {n}", "genres": "War"} for n in range(9)])
        assert job.main([*flags, "--run-id", run_id, *more]) == 0
        seen.append(held(folder))

    night("A", "first")
    write_csv(folder / "log.csv", [*log, {"member": "u1", "sku": "i8", "at": "2024-01-12T09:00:00Z", "stars": 5}])
    night("B", "kept", job=build_histories)
    rewriting = ("--set", "histories.rewrite_past=true")
    night("B", "rewritten", *rewriting)
    assert published(folder) == seen[-1]
    write_csv(folder / "log.csv", log)
    night("A", "returned", *rewriting, job=build_histories)
    assert publish_features.main([*flags, "--run-id", "published"]) == 0
    return folder, seen


def test_a_late_event_and_changed_titles_leave_what_was_published(nights):
    folder, (first, kept, *_) = nights
    assert kept == first
    assert (counts(folder, "kept", "histories")["rows"], counts(folder, "kept", "histories")["kept as published"]) == (
        0,
        4,
    )


def test_asked_to_the_past_is_rewritten(nights):
    _, (first, _, rewritten, _) = nights
    assert set(rewritten) == set(first)
    assert not set(rewritten.values()) & set(first.values())


def test_titles_that_return_are_published_again(nights):
    folder, (first, _, _, returned) = nights
    assert returned == first == published(folder)
    assert {row["revision"] for row in rows(folder, "user_histories")} == {2, 3}
