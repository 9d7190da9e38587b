// The Helm chart, rendered without a cluster: its objects name what exists, and programs have probes and few rights.

import { spawn, spawnSync, type SpawnSyncReturns } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "@jest/globals";
import { load, loadAll } from "js-yaml";
import { root, textFiles } from "./files.ts";

interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly [field: string]: unknown;
}

interface Pod {
  readonly containers: readonly [Container, ...Container[]];
  readonly hostUsers?: boolean;
  readonly runtimeClassName?: string;
  readonly terminationGracePeriodSeconds: number;
  readonly [field: string]: unknown;
}

interface Deployment extends Rendered {
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
      readonly spec: Pod;
    };
  };
}

interface Policy extends Rendered {
  readonly spec: {
    readonly podSelector: { readonly matchLabels: object };
    readonly ingress?: readonly { readonly from?: unknown }[];
    readonly egress?: readonly { readonly to: readonly unknown[] }[];
  };
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly $ref?: string;
}

const chart = path.join(root, "infra/helm/dari");
const textOf = (name: string): string => textFiles.find((file) => file.path === name)?.text ?? "";
const candidates = [path.join(root, ".cache/bin/helm"), "helm"];
const helm = candidates.find((command) => spawnSync(command, ["version"], { stdio: "ignore" }).status === 0);
const needs = "needs helm 3 or 4 on the PATH or in .cache/bin: .ci/run has the lines that install it";
const describeChart = (title: string, suite: () => void): void =>
  helm === undefined ? describe.skip(`${title} (${needs})`, suite) : describe(title, suite);

const given = { image: { registry: "images.example.com/team" } };
const withIngress = { ...given, ingress: { enabled: true, host: "dari.example.com" } };

function runHelm(args: readonly string[], values: object): SpawnSyncReturns<string> {
  return spawnSync(helm ?? "helm", [...args, "--values", "-"], { input: JSON.stringify(values), encoding: "utf8" });
}

/** Renders the chart as the release `ours` in the namespace `theirs`. */
function render(values: object): Rendered[] {
  const { status, stdout, stderr } = runHelm(["template", "ours", chart, "--namespace", "theirs"], values);
  if (status !== 0) throw new Error(stderr);
  return (loadAll(stdout) as (Rendered | null)[]).filter((object) => object !== null);
}

/** Renders the chart as an upgrade does, for a cluster whose Deployments have these numbers of replicas. */
async function renderUpgrade(values: object, replicas: Readonly<Record<string, number>>): Promise<Rendered[]> {
  const kinds = [{ name: "deployments", kind: "Deployment", namespaced: true, verbs: ["get"] }];
  const cluster = createServer((request, response) => {
    const address = (request.url ?? "").split("?")[0] ?? "";
    const count = replicas[path.basename(address)];
    const isList = address === "/apis/apps/v1";
    response.writeHead(isList || count !== undefined ? 200 : 404, { "content-type": "application/json" });
    const deployment = { kind: "Deployment", apiVersion: "apps/v1", spec: { replicas: count } };
    response.end(
      JSON.stringify(isList ? { kind: "APIResourceList", groupVersion: "apps/v1", resources: kinds } : deployment),
    );
  });
  const directory = await mkdtemp(path.join(tmpdir(), "dari-chart-"));
  try {
    await once(cluster.listen(0, "127.0.0.1"), "listening");
    const server = `http://127.0.0.1:${(cluster.address() as AddressInfo).port}`;
    const config = {
      ...{ apiVersion: "v1", kind: "Config", "current-context": "test", users: [{ name: "test", user: {} }] },
      clusters: [{ name: "test", cluster: { server } }],
      contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    };
    await writeFile(path.join(directory, "config"), JSON.stringify(config));
    const options = ["--dry-run=server", "--kubeconfig", path.join(directory, "config"), "--values", "-"];
    const upgrade = spawn(helm ?? "helm", ["template", "ours", chart, "--namespace", "theirs", ...options]);
    upgrade.stdin.end(JSON.stringify(values));
    const [stdout, stderr] = await Promise.all([text(upgrade.stdout), text(upgrade.stderr)]);
    if (stdout === "") throw new Error(stderr);
    return (loadAll(stdout) as (Rendered | null)[]).filter((object) => object !== null);
  } finally {
    cluster.close();
    await rm(directory, { recursive: true });
  }
}

function ofKind<Kind extends Rendered>(objects: readonly Rendered[], kind: string): Kind[] {
  return objects.filter((object) => object.kind === kind) as Kind[];
}

function findObject<Kind extends Rendered>(objects: readonly Rendered[], kind: string, name: string): Kind {
  const found = ofKind<Kind>(objects, kind).find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`the chart renders no ${kind} ${name}`);
  return found;
}

const podOf = (objects: readonly Rendered[], program: string): Pod =>
  findObject<Deployment>(objects, "Deployment", `ours-${program}`).spec.template.spec;

function envOf(objects: readonly Rendered[], program: string): Record<string, string> {
  const [container] = podOf(objects, program).containers;
  return Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));
}

describeChart("the values", () => {
  test("pass helm lint", () => {
    const { status, stdout } = runHelm(["lint", "--strict", chart], {});
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining("0 chart(s) failed") });
  });

  test("have a default in values.yaml for everything that the schema knows", () => {
    const schema = JSON.parse(textOf("infra/helm/dari/values.schema.json")) as Schema;
    const missing = (part: Schema, values: unknown, at: string): string[] => {
      const resolved = part.$ref === undefined ? part : schema.definitions?.[path.basename(part.$ref)];
      return Object.entries(resolved?.properties ?? {}).flatMap(([name, inner]) => {
        const isThere = typeof values === "object" && values !== null && name in values;
        const value = isThere ? (values as Record<string, unknown>)[name] : undefined;
        return isThere ? missing(inner, value, `${at}${name}.`) : [`${at}${name}`];
      });
    };
    // Helm itself passes `global`.
    expect(missing(schema, load(textOf("infra/helm/dari/values.yaml")), "")).toEqual(["global"]);
  });

  test("in docs/cluster.md are known to the chart", () => {
    const blocks = [...textOf("docs/cluster.md").matchAll(/```yaml\n(.*?)```/gs)].map(([, block = ""]) => load(block));
    expect(blocks).toHaveLength(2);
    for (const values of blocks) expect(render({ ...given, ...(values as object) }).length).toBeGreaterThan(10);
  });

  test.each([
    ["no registry", {}, /Dari has no public images/],
    ["an unknown name", { ...given, worker: { slot: 4 } }, /slot/],
    ["a setting that is a number", { ...given, settings: { DARI_LEASE_MS: 5_000 } }, /DARI_LEASE_MS/],
    ["slots in settings", { ...given, worker: { settings: { DARI_WORKER_SLOTS: "8" } } }, /set worker\.slots instead/],
    ["an ingress without a host", { ...given, ingress: { enabled: true } }, /ingress\.host is empty/],
    [
      "two runtime classes",
      { ...given, worker: { runtimeClassName: "kata", controlGroups: { enabled: true } } },
      /a pod has one runtime class/,
    ],
  ])("are refused with %s", (_what, values, message) => {
    expect(() => render(values)).toThrow(message);
  });
});

describeChart("the objects", () => {
  const programs = ["api", "reconciler", "worker"];
  const objects = helm === undefined ? [] : render(given);
  const settings = textOf("docs/config.md");

  test("are the three programs, with the release's version of their images", () => {
    const deployments = ofKind<Deployment>(objects, "Deployment");
    const { version } = JSON.parse(textOf("package.json")) as { version: string };
    const images = deployments.map(({ spec }) => spec.template.spec.containers.map(({ image }) => image));
    const expected = programs.map((program) => [`images.example.com/team/dari-${program}:${version}`]);
    expect(images.sort()).toEqual(expected);
  });

  test("contain no secret, and name one", () => {
    expect(ofKind(objects, "Secret")).toEqual([]);
    const sources = programs.map((program) => podOf(objects, program).containers[0]["envFrom"]);
    const expected = [{ configMapRef: { name: "ours-settings" } }, { secretRef: { name: "dari" } }];
    expect(sources).toEqual([expected, expected, expected]);
  });

  test.each(programs)("the %s has health probes on its health port", (program) => {
    expect(podOf(objects, program).containers[0]).toMatchObject({
      ports: expect.arrayContaining([{ name: "health", containerPort: 4871 }]),
      startupProbe: { httpGet: { path: "/healthz", port: "health" } },
      livenessProbe: { httpGet: { path: "/healthz", port: "health" } },
      readinessProbe: { httpGet: { path: "/readyz", port: "health" } },
    });
  });

  test.each(programs)("the %s runs as an ordinary user, within bounds", (program) => {
    const pod = podOf(objects, program);
    expect(pod).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
    // newuidmap in the worker's image needs two capabilities, within the pod's own user namespace.
    const isWorker = program === "worker";
    expect(pod.containers[0]).toMatchObject({
      securityContext: {
        allowPrivilegeEscalation: isWorker,
        capabilities: isWorker ? { drop: ["ALL"], add: ["SETUID", "SETGID"] } : { drop: ["ALL"] },
      },
      resources: { limits: { memory: expect.any(String) }, requests: expect.anything() },
    });
    expect(pod.hostUsers ?? true).toBe(!isWorker);
    findObject(objects, "PodDisruptionBudget", `ours-${program}`);
  });

  test("the worker has no capability where the cluster refuses them", () => {
    const strict = render({ ...given, worker: { hostUserPerOrganization: false } });
    const { securityContext } = podOf(strict, "worker").containers[0];
    const rights = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, procMount: "Unmasked" };
    expect(securityContext).toEqual(rights);
  });

  test("set only settings that exist", () => {
    const shared = findObject<Rendered & { data: object }>(objects, "ConfigMap", "ours-settings");
    const names = [...programs.flatMap((program) => Object.keys(envOf(objects, program))), ...Object.keys(shared.data)];
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !settings.includes(`| \`${name}\` |`))).toEqual([]);
  });

  test("give the API and the workers the same bound of a turn's memory, whose change restarts both", () => {
    const boundOf = (values: object) => {
      const rendered = render({ ...given, ...values });
      const { data } = findObject<Rendered & { data: Record<string, string> }>(rendered, "ConfigMap", "ours-settings");
      const found = programs.map((program) => envOf(rendered, program)["DARI_TURN_MEMORY_MAX_BYTES"]);
      expect(found).toEqual([undefined, undefined, undefined]);
      const [pods] = ofKind<Deployment>(rendered, "Deployment").map(({ spec }) => spec.template.metadata.annotations);
      return [data["DARI_TURN_MEMORY_MAX_BYTES"], pods?.["checksum/settings"]];
    };
    const [byDefault, checksum] = boundOf({});
    expect(byDefault).toBe("1610612736");
    const worker = { settings: { DARI_TURN_MEMORY_BYTES: "2147483648" } };
    const [raised, changed] = boundOf({ worker });
    expect([raised, changed === checksum]).toEqual(["2147483648", false]);
    const settings = { DARI_TURN_MEMORY_MAX_BYTES: "4294967296" };
    expect(boundOf({ worker, settings })[0]).toBe("4294967296");
  });

  test("give a worker longer to end than its turns", () => {
    const slow = render({ ...given, worker: { shutdownGraceSeconds: 3_600, slots: 8 } });
    expect(envOf(slow, "worker")).toMatchObject({ DARI_SHUTDOWN_GRACE_MS: "3600000", DARI_WORKER_SLOTS: "8" });
    expect(podOf(slow, "worker").terminationGracePeriodSeconds).toBe(3_630);
  });

  test("of two releases never select each other's pods", () => {
    const selected = ofKind<Policy>(objects, "NetworkPolicy").map(({ spec }) => spec.podSelector.matchLabels);
    expect(selected.length).toBeGreaterThan(5);
    const release = { "app.kubernetes.io/name": "dari", "app.kubernetes.io/instance": "ours" };
    expect(selected).toEqual(selected.map((): unknown => expect.objectContaining(release)));
  });
});

describeChart("the ingress", () => {
  const clients = (objects: readonly Rendered[]) =>
    findObject<Policy>(objects, "NetworkPolicy", "ours-clients").spec.ingress?.[0]?.from;

  test("gives the API its address, and is its only client", () => {
    const objects = render(withIngress);
    expect(envOf(objects, "api")).toMatchObject({
      DARI_PUBLIC_URL: "https://dari.example.com",
      DARI_TRUST_PROXY: "1",
    });
    const labels = { "kubernetes.io/metadata.name": "ingress-nginx" };
    expect(clients(objects)).toEqual([{ namespaceSelector: { matchLabels: labels } }]);
  });

  test("can be another program's, with its own addresses and number of proxies", () => {
    const peer = { ipBlock: { cidr: "10.1.0.0/16" } };
    const policies = { apiClients: [peer], extraEgress: [peer] };
    const objects = render({ ...given, publicUrl: "https://x.example", trustProxy: 2, networkPolicies: policies });
    expect(envOf(objects, "api")).toMatchObject({ DARI_PUBLIC_URL: "https://x.example", DARI_TRUST_PROXY: "2" });
    expect(clients(objects)).toEqual([peer]);
    const stores = findObject<Policy>(objects, "NetworkPolicy", "ours-stores");
    expect(stores.spec.egress?.[0]?.to).toContainEqual(peer);
    const direct = render(given);
    expect(envOf(direct, "api")).toMatchObject({ DARI_TRUST_PROXY: "0" });
    expect(clients(direct)).toBeUndefined();
  });
});

describeChart("optional objects", () => {
  test.each(["keda", "hpa"])("autoscaling by %s asks for metrics that exist", (mode) => {
    const objects = render({ ...given, worker: { autoscaling: { mode } } });
    const scaler = findObject(objects, mode === "keda" ? "ScaledObject" : "HorizontalPodAutoscaler", "ours-worker");
    const asked = JSON.stringify(scaler).match(/dari_[a-z_]+/g) ?? [];
    expect(asked.length).toBeGreaterThan(1);
    const metrics = textOf("docs/metrics.md");
    expect(asked.filter((name) => !metrics.includes(`| \`${name}\` |`))).toEqual([]);
    // A number of replicas here would undo the autoscaler's at each upgrade.
    expect(findObject<Deployment>(objects, "Deployment", "ours-worker").spec.replicas).toBeUndefined();
  });

  test.each(["keda", "hpa"])("the switch to %s keeps the pods that run", async (mode) => {
    const values = { ...given, worker: { autoscaling: { mode } } };
    const objects = await renderUpgrade(values, { "ours-worker": 7, "ours-api": 3 });
    const replicasOf = (name: string) => findObject<Deployment>(objects, "Deployment", name).spec.replicas;
    expect([replicasOf("ours-worker"), replicasOf("ours-api")]).toEqual([7, 3]);
    const fresh = await renderUpgrade(values, {});
    expect(findObject<Deployment>(fresh, "Deployment", "ours-worker").spec.replicas).toBeUndefined();
  });

  test("control groups come with the runtime class that the worker names", () => {
    const objects = render({ ...given, worker: { controlGroups: { enabled: true } } });
    // Runtime classes belong to the cluster.
    const { runtimeClassName } = podOf(objects, "worker");
    expect(runtimeClassName).toBe("theirs-ours-control-groups");
    findObject(objects, "RuntimeClass", runtimeClassName!);
  });

  test("the alerts and the dashboard are those of infra/", () => {
    const enabled = { enabled: true };
    const objects = render({ ...given, monitoring: { prometheusRule: enabled, dashboard: enabled } });
    const rule = findObject<Rendered & { spec: object }>(objects, "PrometheusRule", "ours-alerts");
    expect(rule.spec).toEqual(load(textOf("infra/prometheus/alerts.yml")));
    const board = findObject<Rendered & { data: { "dari.json": string } }>(objects, "ConfigMap", "ours-dashboard");
    expect(JSON.parse(board.data["dari.json"])).toEqual(JSON.parse(textOf("infra/grafana/dari.json")));
  });

  test("the scraped service has the job of the dashboard and every program's pods", () => {
    interface Monitor extends Rendered {
      readonly spec: { readonly jobLabel: string; readonly selector: { readonly matchLabels: object } };
    }
    const objects = render({ ...given, monitoring: { serviceMonitor: { enabled: true } } });
    const { spec } = findObject<Monitor>(objects, "ServiceMonitor", "ours-metrics");
    const service = findObject<Rendered & { spec: { selector: object } }>(objects, "Service", "ours-metrics");
    expect(service.metadata.labels).toMatchObject(spec.selector.matchLabels);
    const jobs = new Set(textOf("infra/grafana/dari.json").match(/job=\\"\w+/g));
    expect([...jobs]).toEqual([`job=\\"${service.metadata.labels[spec.jobLabel]}`]);
    const release = { "app.kubernetes.io/name": "dari", "app.kubernetes.io/instance": "ours" };
    expect(service.spec.selector).toEqual(release);
  });
});
