// What agents may connect to, as organizations and manifests define it: how hosts are written and what they match.

export const egressModes = ["off", "allow", "open"] as const;
export type EgressMode = (typeof egressModes)[number];

/** What an organization's agents may connect to, as set by the organization or by operators. */
export interface EgressSetting {
  /** `off`: nothing. `allow`: the hosts. `open`: every public address. */
  readonly mode: EgressMode;
  readonly hosts: readonly string[];
}

const port = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

/** How a host is written: a name, or `*.` and a name for all subdomains, then an optional port. IPv4 is a name too. */
export const egressHostPattern = `^(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*(:${port})?$`;
export const egressHostExpected = "a host, as in api.example.com, *.example.com or example.com:8443";
const pattern = new RegExp(egressHostPattern);

export interface EgressHost {
  /** In lower case. */
  readonly name: string;
  /** Matches every name below it, but not itself. */
  readonly subdomains: boolean;
  /** Undefined: all. */
  readonly port: number | undefined;
}

/** Returns undefined for a text that is not a host. */
export function parseEgressHost(text: string): EgressHost | undefined {
  const host = text.toLowerCase();
  if (host.length > egressHostChars || !pattern.test(host)) return undefined;
  const [name = "", portText] = host.split(":");
  const subdomains = name.startsWith("*.");
  return { name: subdomains ? name.slice(2) : name, subdomains, port: portText ? Number(portText) : undefined };
}

/** A DNS name, the star and the port. */
export const egressHostChars = 261;

/** `name`: in lower case, without the final dot. */
export function isEgressHost(host: EgressHost, name: string, port: number): boolean {
  if (host.port !== undefined && host.port !== port) return false;
  return host.subdomains ? name.endsWith(`.${host.name}`) : name === host.name;
}
