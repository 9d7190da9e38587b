// Malicious agents on a whole platform whose worker isolates them: what they try, what they get, and that the platform
// continues unharmed.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { existsSync, readFileSync } from "node:fs";
import { createServer, connect, type AddressInfo } from "node:net";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { MessageRecord } from "@dari/contract";
import { createBwrapDriver, createLandlockDriver, createOciDriver } from "@dari/sandbox";
import { findService, isNightly, waitUntil } from "@dari/testkit";
import { probeCandidate, testGuarantee, testCoversSecurityTable } from "@dari/testkit/test-guarantee";
import { deploy, filesOf, manifestFile, send, textOf, textPart } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { processesMarked } from "../src/processes.ts";
import { checkout } from "../src/program.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const secret = `planted-${process.pid}-secret`;

/** Each attempt to reach something outside the sandbox, and its error. */
const ways = [
  { name: "bwrap", hidden: /^ENOENT$/, unreached: /^(ECONNREFUSED|ENETUNREACH)$/, sealed: /^(EROFS|EBUSY)$/ },
  {
    name: "oci",
    hidden: /^ENOENT$/,
    unreached: /^(ECONNREFUSED|E(NET|HOST)UNREACH)$/,
    sealed: /^(EROFS|EBUSY|EACCES)$/,
  },
  { name: "landlock", hidden: /^(ENOENT|EACCES)$/, unreached: /^EACCES$/, sealed: /^(EACCES|EPERM|EXDEV)$/ },
];
/** By day, one driver is enough: the conformance suite has all. If the operator names a runtime, the test uses it. */
const { DARI_OCI_RUNTIME: runtime = "" } = process.env;
const usable: typeof ways = [];
const drivers = [createBwrapDriver(), createOciDriver({ ...(runtime && { runtime }) }), createLandlockDriver()];
for (const driver of drivers) {
  if ((await driver.probe()).ok) usable.push(...ways.filter(({ name }) => name === driver.name));
}

/** Sends an event that is nested too deeply, on the platform's channel. Only where HTTP_PROXY is set, so in turns. */
const speaksEarly = `
import { writeSync } from "node:fs";
const event = '{"t":"event","name":"early","data":' + "[".repeat(30_000) + "]".repeat(30_000) + "}\\n";
if (process.env.HTTP_PROXY) writeSync(3, event);
export const agent = () => "called";
`;

let fleet: Fleet;
let agentId: string;

async function newSession(): Promise<string> {
  return (await fleet.client.createSession(agentId)).id;
}

/** The result of the agent's call, however the turn ended. */
function play(session: string, ...call: readonly [string, ...unknown[]]): Promise<MessageRecord> {
  return send(fleet, session, { parts: [textPart(JSON.stringify(call))] });
}

async function did(session: string, ...call: readonly [string, ...unknown[]]): Promise<unknown> {
  return JSON.parse(textOf(await play(session, ...call)));
}

function hostile(): Record<string, string> {
  return {
    ...filesOf(join(checkout, "apps/lab/tests/agents/hostile")),
    ...manifestFile({
      entrypoint: "src/agent.mjs:agent",
      runtime: { language: "typescript", timeout_seconds: 240 },
      retries: { max_attempts: 1 },
    }),
  };
}

const inRun = isNightly() ? usable : usable.slice(0, 1);
const suite = (inRun.length > 0 ? describe : describe.skip).each(inRun.length > 0 ? inRun : ways);

suite("under $name", ({ name, hidden, unreached, sealed }) => {
  beforeAll(async () => {
    fleet = await startFleet({
      redisUrl: findService("redis")?.url,
      env: {
        DARI_SANDBOX: name,
        DARI_OCI_RUNTIME: name === "oci" ? runtime : "",
        DARI_MINIMUM_ISOLATION: "watched",
        DARI_EGRESS_ALLOW: "",
        DARI_TURN_PROCESSES: "64",
        DARI_TURN_MEMORY_BYTES: String(1536 * MiB),
        DARI_TURN_DISK_BYTES: String(64 * MiB),
        DARI_WORKER_SLOTS: "2",
      },
    });
    ({ agentId } = await deploy(fleet, hostile()));
  }, 120_000);

  afterAll(async () => expect(await fleet.close()).toEqual(noRemains), 120_000);

  test("the worker took it, and stores what it gives", async () => {
    const record = await play(await newSession(), "read");
    const { rows } = await fleet.db.pool.query("select guarantees from attempts where message_id = $1", [record.id]);
    expect(fleet.workers[0]!.readLog()).toContain(`"sandbox":"${name}"`);
    expect(rows).toEqual([{ guarantees: expect.objectContaining({ isolated: true, network: "enforced" }) }]);
  });

  test("another session's files are nowhere", async () => {
    const mine = await newSession();
    expect(await did(mine, "write", "private-notes.txt", secret)).toBe("done");
    expect(await did(mine, "write", "~/private-home.txt", secret)).toBe("done");
    expect(await did(await newSession(), "find", "private-")).toEqual([]);
    expect(await did(mine, "read", "private-notes.txt")).toEqual([secret]);
  });

  testGuarantee("files", name)("the host's files and the worker's directory are nowhere", async () => {
    const ours = [fleet.dir, join(fleet.dir, "worker-1", "worker.json"), join(checkout, "package.json")];
    const paths = ["/etc/shadow", "/root/.profile", "/home", ...ours];
    expect(existsSync(paths[0]!)).toBe(true);
    const said = (await did(await newSession(), "read", ...paths)) as string[];
    expect(said.filter((word) => !hidden.test(word))).toEqual([]);
    expect(await did(await newSession(), "find", "dari-fleet-")).toEqual([]);
  });

  testGuarantee("processes", name)("no process and no environment but its own is seen", async () => {
    const worker = readFileSync(`/proc/${fleet.workers[0]!.pid}/environ`, "utf8");
    expect(worker).toMatch(/DARI_MASTER_KEY/);
    const { processes, text } = (await did(await newSession(), "spy")) as { processes: number; text: string };
    expect(processes).toBeLessThanOrEqual(4);
    expect(text.replaceAll("DARI_BUNDLE_DIR", "")).not.toMatch(/DARI_|DATABASE_URL|REDIS_URL|S3_|main\.ts/);
  });

  testGuarantee("services", name)("no service of the platform, of the host or of the cloud is reached", async () => {
    const services = [
      findService("postgres")?.url,
      findService("redis")?.url,
      findService("s3")?.endpoint,
      fleet.apiUrl,
    ]
      .filter((url) => url !== undefined)
      .map((url) => new URL(url))
      .map((url) => [url.hostname, Number(url.port || 5432)] as const);
    const everywhere = createServer((socket) => socket.destroy()).listen(0, "0.0.0.0");
    await once(everywhere, "listening");
    const { port } = everywhere.address() as AddressInfo;
    const own = Object.values(networkInterfaces()).flatMap((each) =>
      (each ?? []).filter(({ family }) => family === "IPv4").map(({ address }) => [address, port] as const),
    );
    try {
      // These servers answer this process, so silence inside the sandbox is proof.
      for (const [host, at] of [...services, ...own]) {
        const socket = connect(at, host);
        await once(socket, "connect");
        socket.destroy();
      }
      const cloud = [
        ["169.254.169.254", 80],
        ["100.100.100.200", 80],
        ["10.0.0.1", 443],
        ["localhost", port],
      ] as const;
      const targets = [...services, ...own, ...cloud];
      const said = (await did(await newSession(), "reach", ...targets)) as [string, number][];
      expect(said.map(([directly]) => directly).filter((word) => !unreached.test(word))).toEqual([]);
      expect(said.map(([, proxied]) => proxied).filter((status) => status !== 403 && status !== 502)).toEqual([]);
    } finally {
      everywhere.close();
    }
    // A worker writes the lines of its log in groups.
    const isLogged = (): boolean => fleet.workers[0]!.readLog().includes('"msg":"turn.egress"');
    await waitUntil(isLogged, { what: "the worker's log to name the connections" });
  });

  test("what the organization closes is refused, with what to do, from the next turn on", async () => {
    const session = await newSession();
    const target = ["closed.invalid", 443];
    const proxied = async (): Promise<unknown> => ((await did(session, "reach", target)) as [string, number][])[0]![1];
    expect(await proxied()).toBe(502);
    await fleet.client.putEgress({ mode: "allow", hosts: ["api.example.com"] });
    const record = await play(session, "reach", target);
    expect(JSON.parse(textOf(record))).toMatchObject([[expect.any(String), 403]]);
    const logs = await fleet.client.getMessageLogs(record.id);
    expect(logs).toContain(
      "[platform] egress: closed.invalid:443 refused: the organization does not allow it; an admin",
    );
    await fleet.client.deleteEgress();
    expect(await proxied()).toBe(502);
  });

  test("an answer without text names the connections that were refused", async () => {
    const code = `export const agent = async () => void (await fetch("https://closed.invalid/").catch(() => {}));`;
    const { agentId } = await deploy(fleet, { ...manifestFile({ entrypoint: "agent.mjs:agent" }), "agent.mjs": code });
    const { id } = await fleet.client.createSession(agentId);
    const { output } = await send(fleet, id, { parts: [textPart("hi")] });
    const refused = expect.stringMatching(/^closed\.invalid:443 (failed|refused): /);
    expect(output?.notes).toEqual(["the agent answered without text and changed no file", refused]);
  });

  test("a credential that is kept for a host is nowhere in the sandbox", async () => {
    const value = `kept-${"value".repeat(4)}`;
    await fleet.client.putCredential("KEPT", { value, hosts: ["api.example.com"] });
    const code = `import { readFileSync } from "node:fs";
      const { KEPT, NODE_EXTRA_CA_CERTS: file } = process.env;
      const isPlaceholder = /^dari_placeholder_[0-9a-f]{64}$/.test(KEPT);
      const certificates = () => readFileSync(file, "utf8").split("BEGIN CERTIFICATE").length - 1;
      export const agent = () => JSON.stringify([isPlaceholder, certificates(), KEPT]);`;
    const manifest = manifestFile({ entrypoint: "agent.mjs:agent", secrets: ["KEPT"] });
    const { agentId: keeper } = await deploy(fleet, { ...manifest, "agent.mjs": code });
    for (const _turn of ["cold", "perhaps one that has waited"]) {
      const { id } = await fleet.client.createSession(keeper);
      const said = JSON.parse(textOf(await send(fleet, id, { parts: [textPart("show")] })));
      expect(said).toEqual([true, 1, "[redacted:KEPT]"]);
    }
  });

  testGuarantee("tmp", name).each([
    ["a fork bomb", "forkBomb", "too_many_processes"],
    ["a memory bomb of several processes", "memoryBomb", "out_of_memory"],
    ["a program that fills the workspace", "fillDisk", "disk_full"],
    ["a program that fills a file without a name", "fillUnnamed", "disk_full"],
    ["a program that fills memory of no process", "shareMemory", "out_of_memory"],
    ["a program that fills /tmp", "fillTmp", "agent_error"],
    ["a leak of descriptors", "leakDescriptors", "agent_error"],
  ])(
    "%s ends with its own error, and the session continues",
    async (_title, verb, code) => {
      const session = await newSession();
      const failed = await play(session, verb);
      expect(failed).toMatchObject({ status: "failed", output: { error: { code } } });
      expect(await did(session, "read", "fill-0")).toEqual(["ENOENT"]);
    },
    240_000,
  );

  test("a daemon of a daemon dies with its turn", async () => {
    const mark = `hostile-daemon-${process.pid}`;
    expect(await did(await newSession(), "daemon", mark)).toBe("started");
    expect(processesMarked(mark)).toEqual([]);
  });

  test("no process is traced", async () => {
    expect(await did(await newSession(), "ptrace")).toBe("EPERM");
  });

  testGuarantee("links", name)("links lead nowhere but into the sandbox, for it and for the platform", async () => {
    const session = await newSession();
    const host = join(fleet.dir, "host-secret.txt");
    const said = (await did(session, "links", host)) as string[];
    expect(said.slice(0, 2).every((word) => word !== "done")).toBe(true);
    const read = (await did(
      session,
      "read",
      "soft-host",
      "soft-dir/host-secret.txt",
      "soft-root/etc/shadow",
    )) as string[];
    expect(read.filter((word) => !/^(ENOENT|EACCES|ELOOP|EPERM)$/.test(word))).toEqual([]);
    for (const path of ["soft-passwd", "soft-host", "soft-dir/host-secret.txt", "soft-root/etc/passwd"]) {
      const query = new URLSearchParams({ path });
      const response = await fetch(`${fleet.apiUrl}/v1/sessions/${session}/files/content?${query}`, {
        headers: { authorization: `Bearer ${fleet.apiKey}` },
      });
      expect([path, response.status >= 400, await response.text()]).toEqual([
        path,
        true,
        expect.not.stringMatching(/root:/),
      ]);
    }
  });

  testGuarantee("image", name)("the image is as it was", async () => {
    const said = (await did(await newSession(), "writeImage")) as string[];
    expect(said.filter((word) => !sealed.test(word))).toEqual([]);
    expect(await did(await newSession(), "write", "a", "b")).toBe("done");
  });

  testGuarantee("output", name)(
    "a flood of output is read to its end and kept in part",
    async () => {
      const session = await newSession();
      const record = await play(session, "flood", GiB);
      expect(JSON.parse(textOf(record))).toBe("0");
      expect((await fleet.client.getMessageLogs(record.id)).length).toBeLessThan(1.3 * MiB);
    },
    300_000,
  );

  test("code that speaks for the platform while it is loaded uses up its attempts, and ends", async () => {
    const { agentId: early } = await deploy(fleet, {
      "agent.mjs": speaksEarly,
      ...manifestFile({
        entrypoint: "agent.mjs:agent",
        runtime: { language: "typescript" },
        retries: { max_attempts: 2 },
      }),
    });
    const session = await fleet.client.createSession(early);
    const record = await send(fleet, session.id, { parts: [textPart("hello")] });
    expect(record).toMatchObject({ status: "failed", attempt: 2, output: { error: { code: "agent_error" } } });
  }, 120_000);
});

const candidates = await Promise.all(drivers.map((driver) => probeCandidate(driver)));
testCoversSecurityTable(
  "escapes",
  candidates,
  inRun.map((way) => ({ driver: way })),
);
