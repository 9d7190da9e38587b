# Agents that take messages while their turn runs. inbox-agents.mjs has the same for Node.
import asyncio
import threading
from types import SimpleNamespace


async def takesMessages(prompt, context):
    inbox = context.inbox
    before = [inbox.is_waiting, await inbox.take()]
    loop, hinted = asyncio.get_running_loop(), asyncio.Event()
    stop = inbox.on_waiting(lambda: loop.call_soon_threadsafe(hinted.set))
    context.emit("ready")
    await hinted.wait()
    stop()
    is_waiting = inbox.is_waiting
    taken = [inbox.take(), await inbox.take()]
    return {"before": before, "isWaiting": is_waiting, "taken": taken, "after": [inbox.is_waiting, inbox.take()]}


async def iteratesInbox(prompt, context):
    got = []
    context.emit("ready")
    async for message in context.inbox:
        got.append(message["text"])
        if message["text"] == "break":
            break
        context.emit("got", message["text"])
    return got + [message["text"] for message in context.inbox.take()]


async def leavesMessages(prompt, context):
    context.emit("ready")
    async for _ in context.inbox:
        return "done"


async def leavesMessagesAndAsks(prompt, context):
    await leavesMessages(prompt, context)
    context.request_input("unknown", {})


async def leavesMessagesAndFails(prompt, context):
    await leavesMessages(prompt, context)
    raise ValueError("failed")


def endsWhileItAsks(prompt, context):
    """A thread waits in take() when the turn ends. The answer comes after that."""
    inbox = context.inbox
    hinted = threading.Semaphore(0)
    inbox.on_waiting(hinted.release)
    context.emit("ready")
    hinted.acquire()
    got = [message["text"] for message in inbox.take()]
    asked, ended = threading.Event(), threading.Event()
    deliver, send = inbox._deliver, inbox._channel.send
    inbox._deliver = lambda messages: ended.wait() and deliver(messages)
    inbox._channel = SimpleNamespace(send=lambda frame: (send(frame), asked.set()))
    context.emit("got")
    hinted.acquire()
    taking = threading.Thread(target=lambda: got.extend(message["text"] for message in inbox.take()))
    taking.start()
    asked.wait()
    inbox._end()
    ended.set()
    taking.join()
    return got


async def iteratesForever(prompt, context):
    """Ends its iteration when it is stopped, and then its work."""
    context.emit("ready")
    async for _ in context.inbox:
        pass
    context.report_usage({"ended": 1})
