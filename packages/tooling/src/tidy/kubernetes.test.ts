// The Kubernetes files, checked without a cluster: everything they name exists, and every program has probes.

import { readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { load, loadAll } from "js-yaml";
import { root, textFiles } from "./files.ts";

interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

interface Container {
  readonly image: string;
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources: { readonly limits: { readonly memory: string }; readonly requests: object };
  readonly securityContext: { readonly capabilities?: object };
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string; readonly port: string } };
}

interface Deployment extends Named {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly Container[];
        readonly automountServiceAccountToken: boolean;
        readonly hostUsers?: boolean;
        readonly securityContext: object;
        readonly terminationGracePeriodSeconds: number;
      };
    };
  };
}

const folder = "infra/kubernetes";
const textOf = (name: string): string => textFiles.find((file) => file.path === `${folder}/${name}`)?.text ?? "";
const base = readdirSync(path.join(root, folder, "base")).filter((name) => name !== "kustomization.yaml");
const objects = base.flatMap((name) => loadAll(textOf(`base/${name}`)) as Named[]);
const deployments = objects.filter(({ kind }) => kind === "Deployment") as Deployment[];
const settings = textFiles.find((file) => file.path === "docs/config.md")?.text ?? "";

test("the base lists each of its files", () => {
  const { resources } = load(textOf("base/kustomization.yaml")) as { resources: string[] };
  expect([...resources].sort()).toEqual(base.sort());
  expect(deployments.map(({ metadata }) => metadata.name).sort()).toEqual(["api", "reconciler", "worker"]);
});

describe.each(deployments)("the deployment $metadata.name", ({ metadata, spec }) => {
  const pod = spec.template.spec;
  const [container, ...others] = pod.containers;

  test("has one container, whose image is tagged by the base", () => {
    expect(others).toEqual([]);
    const { images } = load(textOf("base/kustomization.yaml")) as { images: { name: string; newTag: string }[] };
    expect(images).toContainEqual({ name: container?.image, newTag: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
  });

  test("is asked for life and progress on its health port", () => {
    expect(container?.ports).toContainEqual({ name: "health", containerPort: 4871 });
    expect(container?.startupProbe?.httpGet).toEqual({ path: "/healthz", port: "health" });
    expect(container?.livenessProbe?.httpGet).toEqual({ path: "/healthz", port: "health" });
    expect(container?.readinessProbe?.httpGet).toEqual({ path: "/readyz", port: "health" });
  });

  test("runs as a user without rights, within limits", () => {
    expect(pod).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
    // newuidmap in the worker's image needs two capabilities, within the pod's own user namespace.
    const isWorker = metadata.name === "worker";
    const added = isWorker ? { add: ["SETUID", "SETGID"] } : {};
    expect(container?.securityContext).toMatchObject({ allowPrivilegeEscalation: isWorker });
    expect(container?.securityContext?.capabilities).toEqual({ drop: ["ALL"], ...added });
    expect(pod?.hostUsers ?? true).toBe(!isWorker);
    expect(container?.resources).toMatchObject({ limits: { memory: expect.any(String) }, requests: expect.anything() });
  });

  test("is kept by a disruption budget", () => {
    const budgets = objects.filter(({ kind }) => kind === "PodDisruptionBudget").map((budget) => budget.metadata.name);
    expect(budgets).toContain(metadata.name);
  });

  test("is given settings that there are", () => {
    const shared = objects.find(({ kind }) => kind === "ConfigMap") as Named & { data: Record<string, string> };
    const names = [...(container?.env ?? []).map(({ name }) => name), ...Object.keys(shared.data)];
    expect(names.filter((name) => !settings.includes(`| \`${name}\` |`))).toEqual([]);
  });
});

test("the example says which name it has and which proxy is in front of it", () => {
  const api = deployments.find(({ metadata }) => metadata.name === "api");
  const names = api?.spec.template.spec.containers[0]?.env?.map(({ name }) => name) ?? [];
  const places = textOf("example/kustomization.yaml").matchAll(/containers\/0\/env\/(\d+)\/value\n\s+value: (\S+)/g);
  const set = [...places].map(([, index, value]) => [names[Number(index)], value]);
  expect(set).toEqual([
    ["DARI_PUBLIC_URL", "https://dari.example.com"],
    ["DARI_TRUST_PROXY", '"1"'],
  ]);
});

test("the worker has longer to end than its turns", () => {
  const pod = deployments.find(({ metadata }) => metadata.name === "worker")?.spec.template.spec;
  const grace = pod?.containers[0]?.env?.find(({ name }) => name === "DARI_SHUTDOWN_GRACE_MS");
  expect(Number(grace?.value) / 1_000).toBeLessThan(pod?.terminationGracePeriodSeconds ?? 0);
});

test("autoscaling asks for metrics that there are", () => {
  const metrics = textFiles.find((file) => file.path === "docs/metrics.md")?.text ?? "";
  const asked = ["keda", "hpa"].flatMap((kind) => [
    ...textOf(`autoscaling-${kind}/worker-scaler.yaml`).matchAll(/dari_[a-z_]+/g),
  ]);
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.filter(([name]) => !metrics.includes(`| \`${name}\` |`))).toEqual([]);
});
