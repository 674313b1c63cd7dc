"""Other tools and published thresholds, run on the recordings of the zoo: docs/comparison.md.

Each module has a `TOOL`. None of what they need is a dependency of the project: `losslint` and
`trainpulse` are used where they are installed, and left out with a line where they are not.
"""
