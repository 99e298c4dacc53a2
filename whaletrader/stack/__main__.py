"""The supervisor process: `python -m whaletrader.stack '<options as JSON>'`.

The composition root of a stack. `whaletrader up` starts it detached, or calls `supervise` itself
in the foreground.
"""

from __future__ import annotations

import asyncio
import sys

from whaletrader.stack.errors import StackError
from whaletrader.stack.options import StackOptions
from whaletrader.stack.plan import plan
from whaletrader.stack.supervisor import Supervisor

EXIT_FAILED = 1
EXIT_USAGE = 2


def main(arguments: list[str]) -> int:
    """Supervise until stopped; the exit code says whether the stack could be run."""
    if len(arguments) != 1:
        print("usage: python -m whaletrader.stack '<options as JSON>'", file=sys.stderr)
        return EXIT_USAGE
    try:
        supervise(StackOptions.model_validate_json(arguments[0]))
    except StackError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return 0


def supervise(options: StackOptions) -> None:
    """Run a stack until SIGINT or SIGTERM. Blocks; raises StackError when it cannot be run."""
    asyncio.run(_supervise(options))


async def _supervise(options: StackOptions) -> None:
    supervisor = Supervisor(options.data_dir, options=options.described())
    supervisor.acquire()
    reason = "ended by an error, see its log"
    try:
        # Blocking on purpose: nothing else runs yet, and helpers such as initdb are tied to the
        # thread that starts them.
        planned = plan(options)
        await supervisor.run(planned.specs, planned.settings)
        reason = ""
    except StackError as error:
        reason = str(error)
        raise
    finally:
        supervisor.release(reason)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
