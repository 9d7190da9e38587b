// The system call filter: the committed bytes match the list, and what it refuses in a sandbox.

import { afterAll, afterEach, beforeEach, expect, test } from "@jest/globals";
import { probeCandidate, testGuarantee, testCoversSecurityTable } from "@dari/testkit/test-guarantee";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { findProgram } from "../src/launch/find-programs.ts";
import { assembleFilter } from "../src/seccomp/assemble-filter.ts";
import { createBwrapDriver, createLandlockDriver, createOciDriver, type SandboxDriver } from "../src/index.ts";
import { createChildDriver } from "./child-driver.ts";
import { makeSlot, nextSaid, ociOptions, specFor, withSandbox } from "./sandbox-fixture.ts";

const python = await findProgram("python3");
const [bwrap, oci, landlock] = [createBwrapDriver(), createOciDriver(ociOptions), createLandlockDriver()];
const child = createChildDriver();

async function sees(driver: SandboxDriver): Promise<boolean> {
  return (await driver.probe()).ok && python !== undefined && process.arch === "x64";
}

let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
});
afterEach(() => slot.remove());
afterAll(() => child.close?.());

test.each(["x64", "arm64"] as const)("the committed filter for %s is what the list makes", async (target) => {
  const committed = await readFile(fileURLToPath(new URL(`../src/seccomp/${target}.bpf`, import.meta.url)));
  expect(committed.equals(assembleFilter(target))).toBe(true);
});

/** [number, arguments, expected error]; without one the call succeeds or fails for another reason. */
type Call = readonly [name: string, number: number, args: readonly number[], error: string | undefined];

const calls: readonly Call[] = [
  ["mount", 165, [0, 0, 0, 0, 0], "EPERM"],
  ["unshare of a user namespace", 272, [0x10000000], "EPERM"],
  ["setns", 308, [0, 0], "EPERM"],
  ["clone into a pid namespace", 56, [0x20000000, 0, 0, 0, 0], "EPERM"],
  ["clone3", 435, [0, 0], "ENOSYS"],
  ["ptrace of its parent", 101, [16, 1, 0, 0], "EPERM"],
  ["process_vm_readv", 310, [1, 0, 0, 0, 0, 0], "EPERM"],
  ["init_module", 175, [0, 0, 0], "EPERM"],
  ["bpf", 321, [0, 0, 0], "EPERM"],
  ["keyctl", 250, [0, 0, 0, 0, 0], "EPERM"],
  ["userfaultfd", 323, [0], "EPERM"],
  ["perf_event_open", 298, [0, 0, 0, 0, 0], "EPERM"],
  ["io_uring_setup", 425, [1, 0], "ENOSYS"],
  ["open_by_handle_at", 304, [0, 0, 0], "EPERM"],
  ["a vsock socket", 41, [40, 1, 0], "EAFNOSUPPORT"],
  ["a packet socket", 41, [17, 3, 0], "EAFNOSUPPORT"],
  ["a kernel crypto socket", 41, [38, 5, 0], "EAFNOSUPPORT"],
  ["TIOCSTI", 16, [0, 0x5412, 0], "EPERM"],
  ["TIOCSTI with high bits set", 16, [0, 2 ** 32 + 0x5412, 0], "EPERM"],
  ["another personality", 135, [0x0008], "EPERM"],
  ["a lease of a file", 72, [3, 1024, 1], "EPERM"],
  ["a lease with high bits set", 72, [3, 2 ** 32 + 1024, 1], "EPERM"],
  ["a delegation of a file", 72, [3, 1040, 0], "EPERM"],
  ["notices of a directory", 72, [3, 1026, 0], "EPERM"],
  ["the flags of a descriptor", 72, [3, 1, 0], undefined],
  ["io_setup", 206, [1, 0], "ENOSYS"],
  ["a message queue", 240, [0, 0, 0, 0], "ENOSYS"],
  ["setxattr", 188, [0, 0, 0, 0, 0], "ENOTSUP"],
  ["lsetxattr", 189, [0, 0, 0, 0, 0], "ENOTSUP"],
  ["fsetxattr", 190, [3, 0, 0, 0, 0], "ENOTSUP"],
  ["setxattrat", 463, [0, 0, 0, 0, 0, 0], "ENOTSUP"],
  ["flags of a file", 16, [3, 0x40086602, 0], "ENOTSUP"],
  ["a project of a file", 16, [3, 0x401c5820, 0], "ENOTSUP"],
  ["file_setattr", 469, [0, 0, 0, 0, 0], "ENOSYS"],
  ["a call of the future", 700, [], "ENOSYS"],
  ["an x32 call", 0x40000000 + 39, [], "ENOSYS"],
  ["getpid", 39, [], undefined],
  ["an internet socket", 41, [2, 1, 0], undefined],
];

/** Without namespaces: calls that would reach other processes of the machine, or leave something there. */
const fastOpen = 0x20000000;
const sharedCalls: readonly Call[] = [
  ["a UNIX socket", 41, [1, 1, 0], "EAFNOSUPPORT"],
  ["a socket for datagrams", 41, [2, 2, 0], "EACCES"],
  ["one of IPv6", 41, [10, 2, 17], "EACCES"],
  ["a raw socket", 41, [2, 3, 1], "EACCES"],
  ["a socket of MPTCP", 41, [2, 1, 262], "EACCES"],
  ["a socket of SCTP", 41, [2, 1, 132], "EACCES"],
  ["a socket of TCP by its number", 41, [10, 1, 6], undefined],
  ["the kernel's interfaces", 41, [16, 3, 0], undefined],
  ["the kernel's sockets", 41, [16, 3, 4], "EAFNOSUPPORT"],
  ["a pair of datagram sockets", 53, [1, 2, 0, 0], "EPROTONOSUPPORT"],
  ["a pair of internet sockets", 53, [2, 1, 0, 0], "EAFNOSUPPORT"],
  ["sendto that connects", 44, [0, 0, 0, fastOpen, 0, 0], "EPERM"],
  ["sendmsg that connects", 46, [0, 0, fastOpen], "EPERM"],
  ["sendmmsg that connects", 307, [0, 0, 0, fastOpen], "EPERM"],
  ["shared memory", 29, [0, 4096, 0o1600], "ENOSYS"],
  ["semaphores", 64, [0, 1, 0o1600], "ENOSYS"],
  ["a queue of messages", 68, [0, 0o1600], "ENOSYS"],
  ["shared memory that is there", 30, [0, 0, 0], "ENOSYS"],
  ["which shared memory is there", 31, [0, 13, 0], "ENOSYS"],
  ["semaphores that are there", 65, [0, 0, 0], "ENOSYS"],
  ["semaphores that are there, for a time", 220, [0, 0, 0, 0], "ENOSYS"],
  ["which semaphores are there", 66, [0, 0, 18, 0], "ENOSYS"],
  ["a message for others", 69, [0, 0, 0, 0], "ENOSYS"],
  ["a message of others", 70, [0, 0, 0, 0, 0], "ENOSYS"],
  ["which queues are there", 71, [0, 11, 0], "ENOSYS"],
  ["ports of others", 54, [0, 0, 51, 0, 0], "EPERM"],
  ["another option of what is no socket", 54, [0, 1, 51, 0, 0], "ENOTSOCK"],
];

const program = `
import ctypes, errno, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
said = []
for number, args in json.loads(sys.argv[1]):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(one) for one in args])
    name = errno.errorcode.get(ctypes.get_errno())
    said.append("ENOTSUP" if name == "EOPNOTSUPP" else name if result == -1 else None)
os.write(3, (json.dumps(said) + "\\n").encode())
`;

/** Answered as unknown instead of forbidden, because a supervisor may decide on it. */
const childsCalls = calls.map((call): Call => (call[1] === 56 ? [call[0], call[1], call[2], "ENOSYS"] : call));

for (const [title, driver, list] of [
  ["bwrap", bwrap, calls],
  ["a template's child", child, childsCalls],
  ["oci", oci, calls],
  ["landlock", landlock, [...calls, ...sharedCalls]],
] as const) {
  const shown = ["calls", "leases", "attributes", ...(driver === landlock ? (["ipc"] as const) : [])] as const;
  const testShown = (await sees(driver)) ? testGuarantee(shown, driver.name) : test.skip;
  testShown(`${title} refuses what a sandbox has no need of`, async () => {
    const asked = JSON.stringify(list.map(([, number, args]) => [number, args]));
    const argv = [python!, "-I", "-c", program, asked];
    const said = (await withSandbox(driver, specFor(slot, [], { argv }), nextSaid)) as (string | null)[];
    const found = list.map(([name], index) => [name, said[index] ?? undefined]);
    expect(found).toEqual(list.map(([name, , , error]) => [name, error]));
  });
}

const isOff = (): boolean => python === undefined || process.arch !== "x64";
testCoversSecurityTable(
  "system-calls",
  await Promise.all([bwrap, oci, landlock].map((driver) => probeCandidate(driver, isOff))),
);
