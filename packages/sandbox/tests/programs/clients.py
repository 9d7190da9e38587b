"""Uses network clients as their documentation shows, and reports the result or the error of each on its channel."""

import asyncio
import json
import os
import sys

import aiohttp
import asyncpg
import psycopg
import pymongo
import redis


async def use_aiohttp(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


async def use_asyncpg(url):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT 40 + 2")
    finally:
        await connection.close()


async def use_psycopg(url):
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 40 + 2").fetchone()[0]


async def use_pymongo(url):
    with pymongo.MongoClient(url) as client:
        return client.admin.command("ping")["ok"]


async def use_redis(url):
    with redis.from_url(url) as client:
        return client.ping()


async def main():
    for name, url in json.loads(sys.argv[1]):
        try:
            yield await globals()[f"use_{name}"](url)
        except Exception as error:
            yield f"{type(error).__name__}: {error}"


async def collect():
    return [answer async for answer in main()]


os.write(3, (json.dumps(asyncio.run(collect())) + "\n").encode())
