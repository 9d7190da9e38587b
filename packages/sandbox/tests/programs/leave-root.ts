// In the root group of a namespace, as in a container: prints whether a controller can be delegated before and after.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { leaveRootGroup } from "../../src/limits/leave-root-group.ts";

const [, , root = "", controller = ""] = process.argv;

function handOn(): string {
  try {
    writeFileSync(join(root, "cgroup.subtree_control"), `+${controller}`);
    return readFileSync(join(root, "cgroup.subtree_control"), "utf8").trim();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "?";
  }
}

const group = (): string => /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "";
const before = [group(), handOn()];
await leaveRootGroup(root);
console.log(JSON.stringify({ before, after: [group(), handOn()] }));
