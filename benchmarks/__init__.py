"""What recording costs, beside what else one could use. `python -m benchmarks --help`.

Machines are noisy, so nothing here is a bare time: contenders take turns in one process, block by
block, and what is printed are medians of ratios within a turn, with their spread.
"""
