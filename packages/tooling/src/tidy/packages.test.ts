// Every package has a README and a package.json of the same form.

import { describe, expect, test } from "@jest/globals";
import { textFiles } from "./files.ts";

const textOf = new Map(textFiles.map(({ path, text }) => [path, text]));
const manifestPath = /^((?:apps|packages)\/[^/]+)\/package\.json$/;
const packages = [...textOf.keys()].flatMap((name) => manifestPath.exec(name)?.[1] ?? []);

interface Manifest {
  readonly name: string;
  readonly description?: string;
  readonly license?: string;
  readonly type?: string;
}

const manifestOf = (pkg: string): Manifest => JSON.parse(textOf.get(`${pkg}/package.json`) ?? "{}") as Manifest;

describe.each(packages)("%s", (pkg) => {
  test("has a README whose first paragraph is the package's description", () => {
    const [title, first] = (textOf.get(`${pkg}/README.md`) ?? "").split(/\n\s*\n/);
    const { name, description } = manifestOf(pkg);
    expect([title, first?.replace(/\s*\n\s*/g, " ").trim()]).toEqual([`# ${name}`, description]);
  });

  test("is an ES module", () => {
    expect(manifestOf(pkg)).toMatchObject({ type: "module", license: "Apache-2.0" });
  });
});
