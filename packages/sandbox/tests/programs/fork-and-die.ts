// A process that has a template forked twice, prints the host's pids of all of them, and waits to be killed.

import { readFileSync } from "node:fs";
import { openTemplates } from "../template-fixture.ts";

const templates = await openTemplates();
const template = await templates.hold();
const children = [await template.fork(), await template.fork()];
for (const child of children) await child.ask("result = 1");
const pids = children.map(({ pid }) => pid);
const forked = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pids[0]}/status`, "utf8"))![1];
process.stdout.write(`${JSON.stringify([Number(forked), ...pids])}\n`);
