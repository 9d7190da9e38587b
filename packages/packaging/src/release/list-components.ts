// The components of a release, as SPDX 2.3: what pnpm's lockfile has, the native programs, Python and Node.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { PythonPackage } from "../read-python-package.ts";

interface Component {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo?: string;
  readonly downloadLocation: string;
  readonly filesAnalyzed: boolean;
  readonly licenseDeclared?: string;
  readonly externalRefs?: readonly { readonly referenceLocator: string }[];
  readonly checksums?: readonly { readonly algorithm: string; readonly checksumValue: string }[];
  readonly [field: string]: unknown;
}

interface Document {
  readonly packages: readonly Component[];
  readonly [field: string]: unknown;
}

export interface Release {
  readonly version: string;
  readonly commit: string;
  /** Time of the commit, in ISO 8601. */
  readonly committedAt: string;
}

/** Members of the workspace that are not part of a release. */
const notReleased = ["lab", "testkit", "tooling"];
const top = "SPDXRef-RootPackage";
const platforms = ["linux-x64", "linux-arm64"];

/** Returns the document's text. `pnpm` must be on the PATH. */
export async function listComponents(
  root: string,
  release: Release,
  pythonPackages: readonly PythonPackage[],
): Promise<string> {
  const { version, commit, committedAt } = release;
  const npm = await npmDocument(root, version);
  const native = await nativeComponents(root, version);
  const found = [...npm.packages, ...native, ...pythonComponents(pythonPackages), await nodeComponent(root)];
  const packages = found.sort((a, b) => (a.SPDXID < b.SPDXID ? -1 : 1));
  const parts = packages.filter(({ SPDXID }) => SPDXID !== top);
  const document = {
    ...npm,
    documentNamespace: `https://spdx.org/spdxdocs/dari-${version}-${commit}`,
    creationInfo: { created: committedAt, creators: ["Tool: dari-release"] },
    packages,
    relationships: [
      relationship("SPDXRef-DOCUMENT", "DESCRIBES", top),
      ...parts.map(({ SPDXID }) => relationship(top, "CONTAINS", SPDXID)),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/**
 * Returns pnpm's document with the members' version, and with ids that do not depend on pnpm's order. That order, and
 * which package pnpm says depends on which, change from run to run.
 */
async function npmDocument(root: string, version: string): Promise<Document> {
  const filters = notReleased.map((name) => `--filter=!@dari/${name}`);
  const args = [...filters, "sbom", "--sbom-format=spdx", "--sbom-type=application", "--prod"];
  const { stdout } = await promisify(execFile)("pnpm", args, { cwd: root, maxBuffer: 64 * 1024 * 1024 });
  const document = JSON.parse(stdout) as Document;
  const packages = document.packages.map((found) => {
    if (found.SPDXID === top) return found;
    const own = found.name.startsWith("@dari/") ? versioned(found, version) : found;
    return { ...own, SPDXID: idOf("npm", own) };
  });
  return { ...document, packages };
}

function versioned(component: Component, version: string): Component {
  const externalRefs = component.externalRefs?.map((reference) => ({
    ...reference,
    referenceLocator: reference.referenceLocator.replace(/@[^@/]*$/, `@${version}`),
  }));
  return { ...component, versionInfo: version, ...(externalRefs === undefined ? {} : { externalRefs }) };
}

async function nativeComponents(root: string, version: string): Promise<Component[]> {
  const programs = platforms.map(async (platform) => {
    const content = await readFile(path.join(root, "packages/native/bin", platform, "dari-native"));
    const checksumValue = createHash("sha256").update(content).digest("hex");
    const checksums = [{ algorithm: "SHA256", checksumValue }];
    return { ...component("native", `dari-native-${platform}`, version, "Apache-2.0"), checksums };
  });
  const compiler = /^ziglang==(\S+)/m.exec(await readFile(path.join(root, "packages/native/compiler.txt"), "utf8"))![1];
  const libc = { ...component("native", "musl", undefined, "MIT"), comment: `The C library of Zig ${compiler}.` };
  return [...(await Promise.all(programs)), libc];
}

function pythonComponents(packages: readonly PythonPackage[]): Component[] {
  const own = packages.map(({ project: { name, version, license } }) => component("pypi", name, version, license));
  const requirements = packages.flatMap(({ project }) => project.dependencies ?? []);
  const required = requirements.map((requirement) => ({
    ...component("pypi", /^[\w.-]+/.exec(requirement)![0], undefined, "NOASSERTION"),
    comment: `The environment that installs it chooses the version: ${requirement}`,
  }));
  return [...own, ...required];
}

/** Images run on it. Their Debian packages have the versions of the day on which they are built. */
async function nodeComponent(root: string): Promise<Component> {
  const dockerfile = await readFile(path.join(root, "infra/api.Dockerfile"), "utf8");
  return component("generic", "node", /NODE_VERSION=(\S+)/.exec(dockerfile)![1], "MIT");
}

function component(kind: string, name: string, version: string | undefined, license: string): Component {
  return {
    SPDXID: idOf(kind, { name, ...(version === undefined ? {} : { versionInfo: version }) }),
    name,
    ...(version === undefined ? {} : { versionInfo: version }),
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: license,
    licenseDeclared: license,
    copyrightText: "NOASSERTION",
  };
}

function relationship(spdxElementId: string, relationshipType: string, relatedSpdxElement: string): object {
  return { spdxElementId, relationshipType, relatedSpdxElement };
}

/** An id has only letters, digits, dots and hyphens. */
function idOf(kind: string, { name, versionInfo }: { readonly name: string; readonly versionInfo?: string }): string {
  const words = [kind, name, versionInfo ?? ""].filter((word) => word !== "").join("-");
  return `SPDXRef-${words.replaceAll(/[^A-Za-z0-9.]+/g, "-")}`;
}
