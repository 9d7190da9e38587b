// What agents may connect to, as organizations and manifests say it: hosts as they are written, and what they match.

export const egressModes = ["off", "allow", "open"] as const;
export type EgressMode = (typeof egressModes)[number];

/** What an organization may reach, as the organization or the platform's operators have set it. */
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
  /** Every name below it, and not itself. */
  readonly subdomains: boolean;
  /** Undefined: all. */
  readonly port: number | undefined;
}

/** Undefined for what is not written as a host. */
export function parseEgressHost(text: string): EgressHost | undefined {
  const host = text.toLowerCase();
  if (host.length > egressHostChars || !pattern.test(host)) return undefined;
  const [name = "", portText] = host.split(":");
  const subdomains = name.startsWith("*.");
  return { name: subdomains ? name.slice(2) : name, subdomains, port: portText ? Number(portText) : undefined };
}

/** A name of DNS, the star and the port. */
export const egressHostChars = 261;

/** `name`: in lower case, without the root's dot. */
export function isEgressHost(host: EgressHost, name: string, port: number): boolean {
  if (host.port !== undefined && host.port !== port) return false;
  return host.subdomains ? name.endsWith(`.${host.name}`) : name === host.name;
}
