"""Errors for people: one line, no traceback, non-zero exit."""

import sys
from collections.abc import Callable


class PipelineError(Exception):
    """A mistake that the user can mend; its text names the file or parameter, expected and found."""


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main` and turn every error that a user can cause into one line each on stderr."""
    try:
        main()
    except PipelineError as error:
        sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))
    except OSError as error:
        sys.exit(f"error: {error.filename or 'operating system'}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted")
