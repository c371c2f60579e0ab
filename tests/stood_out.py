"""What stands out of drawn counts, for tests over many histories."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from trackrec.histories.shares import Shares, Tally


def drawn_shares(attributes: Sequence[str]) -> st.SearchStrategy[Shares]:
    """Shares of histories whose counts of ``attributes`` stand on the side of their lift, however small it is."""
    tallies = st.lists(
        st.builds(Tally, st.sampled_from(attributes), st.integers(0, 30), st.integers(0, 30)).filter(lambda t: t.total),
        unique_by=lambda t: t.attribute,
    )
    return st.builds(_stood_out, st.integers(0, 60), st.integers(1, 60), tallies)


def _stood_out(liked: int, others: int, tallies: Sequence[Tally]) -> Shares:
    share = liked / (liked + others)
    above, below = ([t for t in tallies if side * t.lift(share) > 0] for side in (1, -1))
    return Shares(liked, liked + others, above, below)
