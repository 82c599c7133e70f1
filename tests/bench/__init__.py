"""``make bench``: what a flow costs, as ratios measured within one run (``docs/performance.md``)."""
