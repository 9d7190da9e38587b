// Egress rules as data: what an allow-list allows, and which addresses are public.

import { describe, expect, test } from "@jest/globals";
import { networkInterfaces } from "node:os";
import {
  decideEgress,
  dial,
  egressHosts,
  EgressRuleError,
  isPublicAddress,
  parseEgressRules,
  type EgressBound,
} from "../src/index.ts";

test.each(["93.184.216.34", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])("%s is public", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test.each([
  ["0.0.0.0", "this machine"],
  ["127.0.0.1", "loopback"],
  ["127.255.0.9", "loopback"],
  ["10.0.0.1", "private"],
  ["172.31.255.255", "private"],
  ["192.168.0.1", "private"],
  ["169.254.169.254", "link-local, where clouds keep metadata"],
  ["100.64.0.1", "carrier-grade NAT"],
  ["100.100.100.200", "a cloud's metadata"],
  ["168.63.129.16", "a cloud's host agent"],
  ["192.0.0.192", "a cloud's metadata"],
  ["224.0.0.1", "multicast"],
  ["255.255.255.255", "broadcast"],
  ["::", "this machine"],
  ["::1", "loopback"],
  ["::ffff:8.8.8.8", "mapped"],
  ["::ffff:7f00:1", "mapped loopback"],
  ["64:ff9b::7f00:1", "NAT64"],
  ["2002:7f00:1::", "6to4 of loopback"],
  ["2001::1", "Teredo"],
  ["fe80::1", "link-local"],
  ["fe80::1%eth0", "link-local with a zone"],
  ["fd00:ec2::254", "unique local, a cloud's metadata"],
  ["ff02::1", "multicast"],
  ["localhost", "no address"],
  ["", "no address"],
])("%s is not public: %s", (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test("this machine's own addresses are not public", () => {
  const own = Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map((one) => one.address));
  expect(own.filter(isPublicAddress)).toEqual([]);
});

describe("an allow-list", () => {
  const policy = (mode: "off" | "allow" | "open", text: string) => ({ mode, rules: parseEgressRules(text) });

  test.each([
    ["api.example.com", "API.example.com.", 443, true],
    // A resolver would ignore the last dot as well.
    ["api.example.com", "api.example.com..", 443, true],
    ["api.example.com", "x.api.example.com", 443, false],
    ["*.example.com", "a.b.example.com", 443, true],
    ["*.example.com", "example.com", 443, false],
    ["*.example.com", "evilexample.com", 443, false],
    ["example.com:8443", "example.com", 8443, true],
    ["example.com:8443", "example.com", 443, false],
    ["10.0.0.5:8000", "10.0.0.5", 8000, true],
    ["10.0.0.5:8000", "10.0.0.5", 8001, false],
    ["[fd00::5]:8000", "[fd00::5]", 8000, true],
    ["example.com", "example.com", 25, false],
  ])("%s and %s:%i", (allow, host, port, allowed) => {
    expect(decideEgress(policy("allow", allow), host, port).allowed).toBe(allowed);
  });

  test("of an allow-list, only an endpoint by its address is exempt from the address check", () => {
    expect(decideEgress(policy("open", "10.0.0.5:80"), "10.0.0.5", 80)).toEqual({ allowed: true, exact: true });
    expect(decideEgress(policy("open", "a.example:80"), "a.example", 80)).toEqual({ allowed: true, exact: false });
  });

  test("each rule must allow a destination as well, and the one that does not says what to do", () => {
    const bound = (mode: "off" | "allow" | "open", hosts: string[], advice: string): EgressBound => {
      return { mode, hosts: egressHosts(hosts), advice };
    };
    const bounds = [bound("open", [], "ask us"), bound("allow", ["*.example.com", "10.0.0.5:80"], "ask the admin")];
    const bounded = { ...policy("open", "10.0.0.5:80, 10.0.0.6:80"), bounds: [...bounds] };
    expect(decideEgress(bounded, "A.example.com", 443)).toEqual({ allowed: true, exact: false });
    expect(decideEgress(bounded, "10.0.0.5", 80)).toEqual({ allowed: true, exact: true });
    for (const host of ["example.com", "10.0.0.6"]) {
      expect(decideEgress(bounded, host, 80)).toEqual({ allowed: false, reason: "ask the admin" });
    }
    bounded.bounds.push(bound("off", [], "deploy again"));
    expect(decideEgress(bounded, "a.example.com", 443)).toEqual({ allowed: false, reason: "deploy again" });
    const closed = { ...policy("allow", "a.example.com"), advice: "ask its operators", bounds };
    const reason = "it is not on the allow-list; ask its operators";
    expect(decideEgress(closed, "b.example.com", 443)).toEqual({ allowed: false, reason });
  });

  test("a service is exactly its name and port, in every mode, whatever its address", () => {
    for (const mode of ["off", "allow"] as const) {
      const rules = [{ kind: "service", name: "registry.example", port: 4873 }] as const;
      expect(decideEgress({ mode, rules }, "Registry.example.", 4873)).toEqual({ allowed: true, exact: true });
      expect(decideEgress({ mode, rules }, "registry.example", 443).allowed).toBe(false);
      expect(decideEgress({ mode, rules }, "a.registry.example", 4873).allowed).toBe(false);
    }
  });

  test("a name without a public address tells that only the address of a private service can be allowed", async () => {
    const dialled = dial({ ...policy("open", ""), advice: "ask" }, "model.internal", 443, () =>
      Promise.resolve(["10.0.0.5"]),
    );
    await expect(dialled).rejects.toThrow(
      /^its name has no public address; .* allow a private service by its address:port$/,
    );
  });

  test.each(["10.0.0.1", "example.com:0", "example.com:70000", "https://example.com", "*", "a b", "*.*.com"])(
    "%s is refused",
    (text) => expect(() => parseEgressRules(text)).toThrow(EgressRuleError),
  );
});
