"""The commands, one file each: `HELP`, `add_arguments(parser)` and `run(arguments) -> dict` (the JSON result).

A command prints its result for a person in `show(result)`; `cli.py` does the rest: choosing the command, `--json`,
exit codes, and errors in one line. Heavy imports (torch, slicer) happen inside `run`.
"""
