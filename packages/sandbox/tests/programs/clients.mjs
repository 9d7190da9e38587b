// Uses the clients of databases as their documentation shows, and reports the result or the error of each on its
// channel.
import net from "node:net";
import Redis from "ioredis";
import { MongoClient } from "mongodb";
import mysql from "mysql2/promise";
import pg from "pg";

const clients = {
  async pg(url) {
    const client = new pg.Client(url);
    await client.connect();
    const { rows } = await client.query("SELECT 40 + 2 AS sum");
    await client.end();
    return rows[0].sum;
  },
  async mysql2(url) {
    const connection = await mysql.createConnection(url);
    const [rows] = await connection.query("SELECT 40 + 2 AS sum");
    await connection.end();
    return rows[0].sum;
  },
  async ioredis(url) {
    const client = new Redis(url);
    // The client reports each attempt so, and tries again.
    const failed = new Promise((_, reject) => client.once("error", reject));
    try {
      return await Promise.race([client.ping(), failed]);
    } finally {
      client.disconnect();
    }
  },
  async mongodb(url) {
    const client = new MongoClient(url);
    try {
      return (await client.db("test").command({ ping: 1 })).ok;
    } finally {
      await client.close();
    }
  },
};

const said = [];
for (const [client, url] of JSON.parse(process.argv[2])) {
  said.push(await clients[client](url).catch((error) => `${error.name}: ${error.message}`));
}
new net.Socket({ fd: 3 }).write(`${JSON.stringify(said)}\n`);
