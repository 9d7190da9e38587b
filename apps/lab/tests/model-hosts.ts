// Hosts of models on this machine, for workers that meter the requests of agents.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startFleet, type Fleet, type FleetOptions, type FleetRemains } from "../src/fleet.ts";

const hosts = ["api.openai.com", "api.anthropic.com"] as const;

/** Makes the worker reach the hosts on this machine. Operators cannot: they allow private services by address. */
const hostsHere = `
import dns from "node:dns/promises";
import net from "node:net";
import { syncBuiltinESMExports } from "node:module";
const isHost = (name) => ${JSON.stringify(hosts)}.includes(name);
const { resolve4 } = dns.Resolver.prototype;
const { connect } = net;
dns.Resolver.prototype.resolve4 = function (name) {
  return isHost(name) ? Promise.resolve(["8.8.8.8"]) : resolve4.call(this, name);
};
net.connect = (options, ...rest) =>
  isHost(options?.host) ? connect({ ...options, host: "127.0.0.1", lookup: undefined }) : connect(options, ...rest);
syncBuiltinESMExports();
`;

export interface ModelHosts {
  readonly fleet: Fleet;
  /** The port of both hosts. */
  readonly port: number;
  close(): Promise<FleetRemains>;
}

/** Starts a fleet with the credential MODEL_KEY for hosts that `serve` answers for. */
export async function startModelHosts(serve: RequestListener, options: FleetOptions): Promise<ModelHosts> {
  const dir = mkdtempSync(join(tmpdir(), "dari-models-"));
  const [key, cert, preload] = [join(dir, "key.pem"), join(dir, "cert.pem"), join(dir, "hosts-here.mjs")];
  const names = ["-subj", "/CN=models", "-addext", `subjectAltName=${hosts.map((host) => `DNS:${host}`).join()}`];
  const how = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", [...how, ...names, "-keyout", key, "-out", cert], { stdio: "ignore" });
  writeFileSync(preload, hostsHere);
  const models = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, serve);
  await once(models.listen(0, "127.0.0.1"), "listening");
  const { port } = models.address() as AddressInfo;
  const env = {
    DARI_EGRESS_ALLOW: hosts.map((host) => `${host}:${port}`).join(),
    NODE_OPTIONS: `--import=${preload}`,
    NODE_EXTRA_CA_CERTS: cert,
  };
  const fleet = await startFleet({ ...options, env: { ...env, ...options.env } });
  const credential = { value: "sk-1234567890", hosts: hosts.map((one) => `${one}:${port}`) };
  await fleet.client.putCredential("MODEL_KEY", credential);
  return {
    fleet,
    port,
    async close() {
      const remains = await fleet.close();
      models.close();
      models.closeAllConnections();
      rmSync(dir, { recursive: true });
      return remains;
    },
  };
}
