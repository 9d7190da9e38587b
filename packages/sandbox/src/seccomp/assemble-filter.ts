// Assembles the system call filter as classic BPF.

import { absent, attributes, forbidden, inspected, newestKnown, shared } from "./system-calls.ts";

export type Architecture = "x64" | "arm64";

/**
 * What the program runs in. `namespaces`: its own network. `namespaces, template`: the same, and its supervisor decides
 * on namespaces of its children. `none`: the host's network, with TCP sockets that its supervisor opens. `none, open
 * network`: the host's network without limits.
 */
export type FilterProfile = "namespaces" | "namespaces, template" | "none" | "none, open network";

const audit = { x64: 0xc000003e, arm64: 0xc00000b7 };
const column = { x64: 0, arm64: 1 } as const;

const allow = 0x7fff0000;
/** The call waits until the supervisor has executed it. */
const ask = 0x7fc00000;
/** The process's tracer decides. Without a tracer, the call fails as unknown. */
const trace = 0x7ff00000;
const refuse = (errno: number): number => 0x00050000 | errno;
const EPERM = 1;
const EACCES = 13;
const ENOSYS = 38;
const EPROTONOSUPPORT = 93;
const EOPNOTSUPP = 95;
const EAFNOSUPPORT = 97;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const namespaceFlags = 0x7e020000;
/** Writing into a terminal's input: TIOCSTI and TIOCLINUX. */
const terminalInput = [0x5412, 0x541c];
/** FS_IOC_SETFLAGS, FS_IOC_SETVERSION and FS_IOC_FSSETXATTR, which `chattr` uses on a file. */
const fileFlags = [0x40086602, 0x40087602, 0x401c5820];
/**
 * F_SETLEASE, F_NOTIFY and F_SETDELEG. While a process holds a lease on a file that sandboxes share, every other
 * process that opens the file waits, up to 45 s each time.
 */
const leases = [1024, 1026, 1040];
/** AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK, which lists interfaces. */
const socketFamilies = [1, 2, 10, 16];
const [unixFamily, netlinkFamily] = [1, 16];
const internetFamilies = [2, 10] as const;
const tcp = 6;
const [stream, seqpacket, typeBits] = [1, 5, 0xf];
/** Connects without a call of `connect`, so a filter of `connect` does not see it. */
const fastOpen = 0x20000000;
/** SOL_IP and IP_LOCAL_PORT_RANGE: the range of ports for sockets without bind. */
const [ipLevel, localPorts] = [0, 51];
/** PER_LINUX, and the query for the current value. */
const personalities = [0, 0xffffffff];

/** One instruction: code, jump if true, jump if false, constant. */
type Instruction = readonly [number, number, number, number];

const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const number = load(0);
const architecture = load(4);
/** Returns the lower half of argument `index`; both architectures are little-endian. */
const argument = (index: number): Instruction => load(16 + 8 * index);
const skipUnlessEqual = (value: number, skip: number): Instruction => [0x15, 0, skip, value];
const skipIfEqual = (value: number, skip: number): Instruction => [0x15, skip, 0, value];
const keepBits = (bits: number): Instruction => [0x54, 0, 0, bits];
const skipUnlessAnyBit = (bits: number, skip: number): Instruction => [0x45, 0, skip, bits];
const skipUnlessOver = (value: number, skip: number): Instruction => [0x25, 0, skip, value];
const end = (verdict: number): Instruction => [0x06, 0, 0, verdict];

export function assembleFilter(target: Architecture, profile: FilterProfile = "namespaces"): Buffer {
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
  const hasNamespaces = profile === "namespaces" || profile === "namespaces, template";
  const ofNamespaces = profile === "namespaces, template" ? trace : refuse(EPERM);
  return encode([
    architecture,
    [0x15, 1, 0, audit[target]],
    end(refuse(ENOSYS)),
    number,
    skipUnlessOver(newestKnown, 1),
    end(refuse(ENOSYS)),
    ...each(absent, refuse(ENOSYS)),
    ...each(forbidden, refuse(EPERM)),
    ...each(attributes, refuse(EOPNOTSUPP)),
    ...(hasNamespaces ? [] : each(shared, refuse(ENOSYS))),
    ...when(inspected.clone, [argument(0), skipUnlessAnyBit(namespaceFlags, 1), end(ofNamespaces), end(allow)]),
    ...when(inspected.ioctl, [
      argument(1),
      ...terminalInput.flatMap((request) => [skipUnlessEqual(request, 1), end(refuse(EPERM))]),
      ...fileFlags.flatMap((request) => [skipUnlessEqual(request, 1), end(refuse(EOPNOTSUPP))]),
      end(allow),
    ]),
    ...when(inspected.fcntl, [
      argument(1),
      ...leases.flatMap((command) => [skipUnlessEqual(command, 1), end(refuse(EPERM))]),
      end(allow),
    ]),
    ...(hasNamespaces
      ? [inspected.socket, inspected.socketpair].flatMap((call) =>
          when(call, onlyOneOf(0, socketFamilies, refuse(EAFNOSUPPORT))),
        )
      : [
          ...when(inspected.socket, profile === "none" ? supervisedSocket() : hostSocket()),
          ...when(inspected.socketpair, connectedPair()),
          ...(profile === "none" ? when(inspected.setsockopt, keptPorts()) : []),
          ...[inspected.sendto, inspected.sendmsg, inspected.sendmmsg].flatMap((call) =>
            when(call, [
              argument(call === inspected.sendmsg ? 2 : 3),
              skipUnlessAnyBit(fastOpen, 1),
              end(refuse(EPERM)),
              end(allow),
            ]),
          ),
        ]),
    ...when(inspected.personality, onlyOneOf(0, personalities, refuse(EPERM))),
    end(allow),
  ]);
}

/**
 * The supervisor opens TCP sockets, and interfaces can be listed. No other protocol, and no UNIX socket, because it can
 * have a path.
 */
function supervisedSocket(): Instruction[] {
  return [
    argument(0),
    skipUnlessEqual(netlinkFamily, 4),
    argument(2),
    skipUnlessEqual(0, 1),
    end(allow),
    end(refuse(EAFNOSUPPORT)),
    skipIfEqual(internetFamilies[0], 2),
    skipIfEqual(internetFamilies[1], 1),
    end(refuse(EAFNOSUPPORT)),
    argument(1),
    keepBits(typeBits),
    skipUnlessEqual(stream, 4),
    argument(2),
    skipIfEqual(0, 1),
    skipUnlessEqual(tcp, 1),
    end(ask),
    end(refuse(EACCES)),
  ];
}

function hostSocket(): Instruction[] {
  return [
    argument(0),
    skipIfEqual(internetFamilies[0], 3),
    skipIfEqual(internetFamilies[1], 2),
    skipIfEqual(netlinkFamily, 1),
    end(refuse(EAFNOSUPPORT)),
    end(allow),
  ];
}

/** The supervisor has set the sandbox's own ports for each socket: listening without bind needs no permission. */
function keptPorts(): Instruction[] {
  return [
    argument(1),
    skipUnlessEqual(ipLevel, 3),
    argument(2),
    skipUnlessEqual(localPorts, 1),
    end(refuse(EPERM)),
    end(allow),
  ];
}

/** No pairs of datagram sockets: either end could be connected to a path later. */
function connectedPair(): Instruction[] {
  return [
    argument(0),
    skipIfEqual(unixFamily, 1),
    end(refuse(EAFNOSUPPORT)),
    argument(1),
    keepBits(typeBits),
    skipIfEqual(stream, 2),
    skipIfEqual(seqpacket, 1),
    end(refuse(EPROTONOSUPPORT)),
    end(allow),
  ];
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
