"""What a reader that misses nothing gains from RecCoTs: where they say what decides, and where they do not."""

from dataclasses import replace

import numpy as np
import pytest

from bench.reader import gains, table
from bench.reading import counting_way
from bench.reading_rows import Row, Rows, named_in

TASTES = ("They prefer Drama and are less drawn to Comedy.", "They prefer Comedy and are less drawn to Drama.")


def rows(users, each, *, decides, seed):
    """Events of users who like a Drama or a Comedy by their taste with chance ``decides``, by lot else."""
    dice = np.random.default_rng(seed)
    for user in range(users):
        taste = user % 2
        for number in range(each):
            genre = ("Drama", "Comedy")[dice.integers(2)]
            suits = (genre == "Drama") == (taste == 0)
            label = int(suits if dice.random() < decides else dice.random() < 0.5)
            drawn = int((genre == "Drama") == (taste == 0))
            named = (f"Film ({genre})", (genre,), drawn, 1 - drawn)
            yield Row(f"{user}-{number // 5}", f"u{user}", label, "", TASTES[taste], *named, 5, 10, 5, 10)


def test_the_attributes_of_an_item_are_counted_as_the_reccot_names_them():
    (row,) = rows(1, 1, decides=1, seed=0)
    drama = replace(row, attributes=("Drama",))
    assert named_in([drama, drama], list(TASTES)) == [(1, 0), (0, 1)]


def test_reccots_that_say_what_decides_are_seen_with_few_events():
    earlier, later = (list(rows(40, 20, decides=0.8, seed=seed)) for seed in (1, 2))
    found = gains(earlier, later, each=10)
    value, low, _ = found["uauc"]["own - shuffled"]
    assert low > 0.1
    assert value > 0.2, "another's taste is the opposite one half of the times"
    assert 0 < found["seen_with"] < 400
    assert found["weights"]["liked"] > 1 > -1 > found["weights"]["avoided"]
    assert f"| {found['seen_with']} |" in table({50: found})


def test_reccots_that_say_nothing_are_not_seen_with_thousands():
    earlier, later = (list(rows(40, 20, decides=0, seed=seed)) for seed in (1, 2))
    found = gains(earlier, later, each=10)
    assert abs(found["uauc"]["own - offset alone"][0]) == pytest.approx(0, abs=0.06)
    assert found["seen_with"] == -1 or found["seen_with"] > 1000


def test_beside_the_ways_of_an_llm_stands_a_reader_that_counts_fitted_on_as_many_events():
    taught, held = (tuple(rows(40, 20, decides=0.8, seed=seed)) for seed in (1, 2))
    (found,) = counting_way(Rows(taught, held), 400).values()
    assert found["uauc"]["own - shuffled"][1] > 0.1
    assert found["uauc"]["V - offset alone"][1] > 0.1
    assert found["reading"][1] > 0.9, "it moves by what another's RecCoT names, and by nothing else"
    (fewer,) = counting_way(Rows(taught, held), 40).values()
    assert (found["events"], fewer["events"]) == (400, 40)
    assert found["validator"]["own"] != fewer["validator"]["own"]


def test_a_reader_that_cannot_be_fitted_leaves_the_other_ways_their_table(capsys):
    contrary = tuple(replace(row, label=1 - row.label) for row in rows(40, 20, decides=1, seed=1))
    assert counting_way(Rows(contrary, contrary), 400) == {}
    assert "a reader that counts is left out" in capsys.readouterr().out
