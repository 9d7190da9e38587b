# Runs coroutines in one event loop for all turns, because an agent's clients belong to the loop in which they opened
# their connections.

_loop = None


def run_in_own_loop(coroutine):
    """Returns or raises what the coroutine does."""
    import asyncio

    return asyncio.run(coroutine)


def run_in_one_loop(coroutine):
    """
    Like asyncio.run, but always in the same loop. Cancels the tasks that the coroutine leaves running; clients keep
    their connections.
    """
    global _loop
    import asyncio

    if _loop is None:
        _loop = asyncio.new_event_loop()
        asyncio.set_event_loop(_loop)
    try:
        return _loop.run_until_complete(coroutine)
    finally:
        rest = asyncio.all_tasks(_loop)
        for task in rest:
            task.cancel()
        if rest:
            _loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        _loop.run_until_complete(_loop.shutdown_asyncgens())
