# Runs what is awaited in a turn. An agent that keeps clients from turn to turn keeps them in one event loop: what they
# hold open belongs to the loop that opened it.

_loop = None


def run_in_own_loop(coroutine):
    """Returns or raises what the coroutine does."""
    import asyncio

    return asyncio.run(coroutine)


def run_in_one_loop(coroutine):
    """
    Like asyncio.run, in the same loop each time. What the coroutine leaves running is cancelled; clients and their
    connections stay.
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
