"""What texts cost, in words and numbers; nothing is made up where nothing was measured."""

from trackrec.reccots.costs import Rates, cost_of


def test_hours_are_those_of_all_engines_together_and_money_is_of_each():
    cost = cost_of(7_200, Rates(300.0, 70.0, 0.5), engines=4, price_per_gpu_hour=2.5)
    assert cost.figures == {"prompt tokens": 2_160_000, "output tokens": 504_000, "hours": 1.0, "money": 10.0}
    assert str(cost) == "about 2.2 million read and 504,000 written tokens, 1.0 hours on 4 engines, 10.00 of money"


def test_a_short_time_is_said_in_minutes():
    assert "3.0 minutes on 1 engine" in str(cost_of(360, Rates(300.0, 70.0, 0.5), 1, None))


def test_what_is_not_measured_is_not_said():
    assert cost_of(10, Rates(300.0), 1, 2.5).figures == {"prompt tokens": 3_000}
    assert str(cost_of(10, Rates(300.0), 1, 2.5)) == "about 3,000 read tokens"
    assert "not known" in str(cost_of(10, Rates(), 1, 2.5))
