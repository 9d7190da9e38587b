// Which addresses are on the public internet. All others belong to the worker's machine or its network.

import { BlockList, isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";

const closedIPv4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  // A cloud's host agent, which gives the secrets of guest machines to them at a public address.
  "168.63.129.16/32",
];

/** Parts of 2000::/3 that lead elsewhere, such as tunnels to IPv4, which could carry a private address. */
const closedIPv6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

const publicIPv6 = blockListOf(["2000::/3"], "ipv6");
const closed = { ipv4: blockListOf(closedIPv4, "ipv4"), ipv6: blockListOf(closedIPv6, "ipv6") };

/** Returns false for an invalid address, and for this machine's own addresses, public or not. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !closed.ipv4.check(address, "ipv4") && !isOwnAddress(address);
  if (!isIPv6(address) || address.includes("%")) return false;
  return publicIPv6.check(address, "ipv6") && !closed.ipv6.check(address, "ipv6") && !isOwnAddress(address);
}

function isOwnAddress(address: string): boolean {
  const own = new BlockList();
  for (const each of Object.values(networkInterfaces()).flat()) {
    if (each !== undefined) own.addAddress(each.address, each.family === "IPv4" ? "ipv4" : "ipv6");
  }
  return own.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

function blockListOf(subnets: readonly string[], family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [net, prefix] = subnet.split("/");
    list.addSubnet(net!, Number(prefix), family);
  }
  return list;
}
