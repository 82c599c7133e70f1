"""``make bench``: what a flow costs, as ratios within one run (``docs/performance.md``)."""
