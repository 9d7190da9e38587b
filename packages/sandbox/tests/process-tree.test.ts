// A tree whose launcher does not report what it has started.

import { expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { waitUntil } from "@dari/testkit";
import { createNamespaceTree } from "../src/processes/kill-process-tree.ts";
import { countSleepers } from "./sandbox-fixture.ts";

test("what a silent launcher has started is ended with it", async () => {
  const seconds = "86413";
  const launcher = spawn("/bin/sh", ["-c", `sleep ${seconds} & wait`], { stdio: "ignore" });
  const launcherExited = once(launcher, "exit");
  await waitUntil(() => countSleepers(seconds) === 1, { what: "the launcher's child" });
  const never = new Promise<undefined>(() => {});
  await createNamespaceTree({ launcherPid: launcher.pid!, launcherExited, init: never }).kill();
  expect(countSleepers(seconds)).toBe(0);
});
