// Connects to a destination that the policy allows. It resolves the name, checks every address, and connects to a
// checked address, so that the name cannot resolve to something else in between.

import { lookup as lookUp, Resolver } from "node:dns/promises";
import { connect, isIP, isIPv6, type LookupFunction, type Socket } from "node:net";
import { isPublicAddress } from "./private-addresses.ts";
import { withAdvice, decideEgress, normalizeHost, type EgressPolicy } from "./policy.ts";

/** Returns the addresses of a name; rejects or returns nothing if it has none. */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** The destination is refused; the message says why, for the tenant. */
export class EgressRefusedError extends Error {
  override readonly name = "EgressRefusedError";
}

/**
 * A name has no address, or none that is allowed. Message and status are the same for both; otherwise a tenant could
 * find out which names the operator's private DNS has.
 */
export class NoPublicAddressError extends Error {
  override readonly name = "NoPublicAddressError";
}

/** The message says what is wrong with the host's certificate. */
export class UntrustedHostError extends Error {
  override readonly name = "UntrustedHostError";
}

/** Returns the reason that tenants see for a failed attempt. The system's own messages contain addresses. */
export function publicReason(error: unknown): string {
  const isPublic = [EgressRefusedError, NoPublicAddressError, UntrustedHostError].some((kind) => error instanceof kind);
  return error instanceof Error && isPublic ? error.message : "it could not be reached";
}

const connectWithinMs = 15_000;
const resolveWithinMs = 5_000;
const addressesMax = 8;

/**
 * Resolves with a connected socket.
 * @throws EgressRefusedError, NoPublicAddressError, or the connection's own error.
 */
export async function dial(policy: EgressPolicy, host: string, port: number, resolve: Resolve): Promise<Socket> {
  const addresses = await permittedAddresses(policy, host, port, resolve);
  const lookup: LookupFunction = (_name, options, callback) => {
    const found = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
    if (options.all === true) callback(null, found);
    else callback(null, found[0]!.address, found[0]!.family);
  };
  // `lookup` returns the checked addresses. An IP address is not looked up.
  const socket = connect({ host: normalizeHost(host), port, lookup, autoSelectFamily: true, allowHalfOpen: true });
  socket.setTimeout(connectWithinMs, () => socket.destroy(new Error("it did not answer in time")));
  await new Promise<void>((connected, failed) => {
    socket.once("connect", connected);
    socket.once("error", failed);
    socket.once("close", () => failed(new Error("the connection was closed")));
  });
  socket.setTimeout(0);
  return socket;
}

async function permittedAddresses(
  policy: EgressPolicy,
  host: string,
  port: number,
  resolve: Resolve,
): Promise<readonly string[]> {
  const decision = decideEgress(policy, host, port);
  if (!decision.allowed) throw new EgressRefusedError(decision.reason);
  const name = normalizeHost(host);
  if (decision.exact) return isIP(name) === 0 ? await findService(name) : [name];
  if (isIP(name) !== 0) {
    if (isPublicAddress(name)) return [name];
    throw new EgressRefusedError(withAdvice(policy, "its address is not a public one"));
  }
  const addresses = (await resolve(name).catch(() => [])).slice(0, addressesMax);
  // One private address among public ones is an attack, or a name that is meant for another network.
  if (addresses.length > 0 && addresses.every(isPublicAddress)) return addresses;
  throw new NoPublicAddressError(`its name has no public address${noAddressAdvice(policy)}`);
}

/** Allowing the name would not help: a private service is allowed by its address. */
function noAddressAdvice({ advice }: EgressPolicy): string {
  return advice === undefined ? "" : "; the platform's operators can allow a private service by its address:port";
}

/** Resolves a name like every program of this machine, with its hosts file and search domains. */
async function findService(name: string): Promise<string[]> {
  const found = await lookUp(name, { all: true });
  return found.slice(0, addressesMax).map(({ address }) => address);
}

/** Asks the machine's name servers, without its hosts file, and without the thread pool that file access uses. */
export async function resolveName(name: string): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: resolveWithinMs, tries: 2 });
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
}
