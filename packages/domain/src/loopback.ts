// Hosts that are this machine, as `URL.hostname` shows them.

const loopbackHosts: ReadonlySet<string> = new Set(["127.0.0.1", "[::1]", "localhost"]);

export function isLoopbackHost(hostname: string): boolean {
  return loopbackHosts.has(hostname);
}
