# Scripted agents that run steps. step-agents.mjs beside it plays the same.

import asyncio
import json
import math
from concurrent.futures import ThreadPoolExecutor


async def runsSteps(prompt, context):
    def ran(value):
        def run(key):
            context.emit("ran", key)
            return value

        return run

    async def later(key):
        await asyncio.sleep(0)
        context.emit("ran", key)
        return 3

    return [
        context.step("one", ran({"a": (1, None)})),
        context.step("one", ran("é")),
        await context.step("later", lambda key: later(key)),
        context.step("nothing", lambda: None),
    ]


async def runsStepsAtOnce(prompt, context):
    async def run(at, key):
        await asyncio.sleep(0)
        return [at, key]

    calls = enumerate(["a", "b", "a"])
    return await asyncio.gather(*[context.step(name, lambda key, at=at: run(at, key)) for at, name in calls])


def message_of(function):
    try:
        return function()
    except Exception as error:
        return str(error)


async def nestsSteps(prompt, context):
    outer = message_of(lambda: context.step("outer", lambda: context.step("inner", lambda: 1)))

    async def inside():
        await asyncio.sleep(0)
        return message_of(lambda: context.step("inner", lambda: 1))

    later = await context.step("later", inside)
    tasks = []
    context.step("starts", lambda: tasks.append(asyncio.create_task(inside())))
    return [outer, later, await tasks[0], context.step("inner", lambda: 2)]


async def failsInSteps(prompt, context):
    async def later():
        await asyncio.sleep(0)
        raise ValueError("no luck")

    def now():
        raise ValueError("none again")

    try:
        first = await context.step("x", later)
    except ValueError as error:
        first = str(error)
    second = message_of(lambda: context.step("x", now))
    return [first, second, context.step("x", lambda key: key)]


def stepsBadly(prompt, context):
    cycle = {}
    cycle["self"] = cycle
    calls = [
        ("", lambda: 1),
        ("two words", lambda: 1),
        ("a\u0001", lambda: 1),
        ("x" * 129, lambda: 1),
        (7, lambda: 1),
        ("a", 7),
        ("cycle", lambda: cycle),
        ("code", lambda: math.fabs),
        ("long", lambda: "x" * 262_143),
        ("deep", lambda: json.loads("[" * 200 + "]" * 200)),
    ]
    return [message_of(lambda: context.step(name, run)) for name, run in calls]


def runsTooManySteps(prompt, context):
    calls = []
    for _ in range(1_000):
        context.step("many", lambda: calls.append(1))
    refused = message_of(lambda: context.step("more", lambda: calls.append(1)))
    return [len(calls), refused]


def recordsTooMuch(prompt, context):
    for _ in range(16):
        context.step("large", lambda: "x" * 260_000)
    return message_of(lambda: context.step("more", lambda: "x" * 260_000))


def printsAfterItsStep(prompt, context):
    context.step("one", lambda: 1)
    print("after", flush=True)


async def printsAfterItsLaterStep(prompt, context):
    async def later():
        await asyncio.sleep(0)
        return 1

    await context.step("one", later)
    print("after", flush=True)


def nestsStepsInThread(prompt, context):
    with ThreadPoolExecutor() as pool:
        inner = []
        context.step("outer", lambda: inner.append(pool.submit(context.step, "inner", lambda: 1).result()))
    return inner
