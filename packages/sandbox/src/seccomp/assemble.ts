// Writes the filter of system calls as the kernel's classic BPF. A list in, bytes out.

import { absent, forbidden, inspected, newestKnown } from "./system-calls.ts";

export type Architecture = "x64" | "arm64";

const audit = { x64: 0xc000003e, arm64: 0xc00000b7 };
const column = { x64: 0, arm64: 1 } as const;

const allow = 0x7fff0000;
const refuse = (errno: number): number => 0x00050000 | errno;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const namespaceFlags = 0x7e020000;
/** Putting characters into a terminal's input: TIOCSTI and TIOCLINUX. */
const terminalInput = [0x5412, 0x541c];
/** AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK, by which interfaces are listed. */
const socketFamilies = [1, 2, 10, 16];
/** PER_LINUX, and the question what it is. */
const personalities = [0, 0xffffffff];

/** One instruction: code, jump if true, jump if false, constant. */
type Instruction = readonly [number, number, number, number];

const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const number = load(0);
const architecture = load(4);
/** The lower half of argument `index`; both architectures are little-endian. */
const argument = (index: number): Instruction => load(16 + 8 * index);
const skipUnlessEqual = (value: number, skip: number): Instruction => [0x15, 0, skip, value];
const skipUnlessAnyBit = (bits: number, skip: number): Instruction => [0x45, 0, skip, bits];
const skipUnlessOver = (value: number, skip: number): Instruction => [0x25, 0, skip, value];
const end = (verdict: number): Instruction => [0x06, 0, 0, verdict];

export function assembleFilter(target: Architecture): Buffer {
  const numberOf = (numbers: readonly [number, number | null]): number | null => numbers[column[target]];
  const each = (calls: Readonly<Record<string, readonly [number, number | null]>>, verdict: number): Instruction[] =>
    Object.values(calls)
      .map(numberOf)
      .filter((found) => found !== null)
      .flatMap((found) => [skipUnlessEqual(found, 1), end(verdict)]);
  const when = (numbers: readonly [number, number], body: readonly Instruction[]): Instruction[] => [
    skipUnlessEqual(numbers[column[target]], body.length),
    ...body,
  ];
  const onlyOneOf = (index: number, values: readonly number[], otherwise: number): Instruction[] => [
    argument(index),
    ...values.flatMap((value) => [skipUnlessEqual(value, 1), end(allow)]),
    end(otherwise),
  ];
  return encode([
    architecture,
    [0x15, 1, 0, audit[target]],
    end(refuse(ENOSYS)),
    number,
    skipUnlessOver(newestKnown, 1),
    end(refuse(ENOSYS)),
    ...each(absent, refuse(ENOSYS)),
    ...each(forbidden, refuse(EPERM)),
    ...when(inspected.clone, [argument(0), skipUnlessAnyBit(namespaceFlags, 1), end(refuse(EPERM)), end(allow)]),
    ...when(inspected.ioctl, [
      argument(1),
      ...terminalInput.flatMap((request) => [skipUnlessEqual(request, 1), end(refuse(EPERM))]),
      end(allow),
    ]),
    ...when(inspected.socket, onlyOneOf(0, socketFamilies, refuse(EAFNOSUPPORT))),
    ...when(inspected.socketpair, onlyOneOf(0, socketFamilies, refuse(EAFNOSUPPORT))),
    ...when(inspected.personality, onlyOneOf(0, personalities, refuse(EPERM))),
    end(allow),
  ]);
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, whenTrue, whenFalse, constant]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(whenTrue, index * 8 + 2);
    bytes.writeUInt8(whenFalse, index * 8 + 3);
    bytes.writeUInt32LE(constant, index * 8 + 4);
  }
  return bytes;
}
