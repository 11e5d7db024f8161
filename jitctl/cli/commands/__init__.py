"""One verb, one file.

The file of verb `do-this` is `do_this.py` and holds the function `do_this` (a typer callback whose
docstring is the help), or, for a verb with subcommands, `app`: a `typer.Typer`. It imports nothing heavy at
the top: whatever it needs beyond `control.client` and `render` is imported inside the function.
"""
