"""Every number on the pages is traced to a result file, or is a setting that is given.

    python -m benchmarks.numbers

prints each traced sentence with its result file, and whether page and results agree, and then
each number that is neither traced nor given. `tests/benchmarks/test_numbers.py` fails in both
cases. Sentences are in `pages` and `guide`, and those of docs/evidence.md in `evidence`, `run`,
`others` and `one_fit`. Phrases that are given are in `given`.
"""
