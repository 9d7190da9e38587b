// A run of the SDK that each template makes before its first fork: nothing of the agent is called, and nothing is left.

import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, test } from "@jest/globals";
import { checkRehearsal, installSdks } from "./check-rehearsal.ts";
import { closeTemplates } from "./node-template-fixture.ts";
import { nodeCases, pythonCases } from "./rehearsal-cases.ts";

const says = "import os, sys; print(os.path.realpath(sys.executable))";
const python = spawnSync("python3", ["-c", says], { encoding: "utf8" }).stdout.trim();

beforeAll(installSdks);
afterAll(closeTemplates);

test.each(nodeCases)("Node, an agent that changes $title", (one) => checkRehearsal(one, {}));
test.each(pythonCases)("Python, an agent that changes $title", (one) => checkRehearsal(one, { python }));
