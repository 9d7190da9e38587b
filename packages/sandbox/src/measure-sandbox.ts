// Measures a running sandbox: by its control group, otherwise by its processes.

import type { ControlGroup } from "./control-groups.ts";
import { measureCpu } from "./cpu-use.ts";
import { measureProcess, measureTree } from "./tree-use.ts";
import type { SandboxMeasurement } from "./types.ts";

/**
 * Measures the control group, or the processes below the root, without the root itself, if the group does not count
 * memory and processor time. With `countsRoot`, the root is measured as well.
 */
export async function measureSandbox(
  group: Pick<ControlGroup, "memoryBytes" | "cpuSeconds"> | undefined,
  findRoot: () => Promise<number | undefined>,
  { countsRoot = false }: { readonly countsRoot?: boolean } = {},
): Promise<SandboxMeasurement> {
  const [memoryBytes, cpuSeconds] = [group?.memoryBytes(), group?.cpuSeconds()];
  if (memoryBytes !== undefined && cpuSeconds !== undefined) return { memoryBytes, cpuSeconds };
  const root = await findRoot();
  if (root === undefined) return { memoryBytes, cpuSeconds };
  const tree = await measureTree(root);
  const pids = countsRoot ? [root, ...tree.pids] : tree.pids;
  return {
    memoryBytes: memoryBytes ?? tree.memoryBytes + (countsRoot ? await measureProcess(root) : 0),
    cpuSeconds: cpuSeconds ?? (await measureCpu(root, pids)),
  };
}
