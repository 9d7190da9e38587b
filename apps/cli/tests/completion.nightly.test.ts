// The completion scripts in real shells: what is offered after which words.

import { describe, expect, test } from "@jest/globals";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runDari, temporaryTree } from "./run-dari.ts";

const checkout = join(import.meta.dirname, "../../..");
const isInstalled = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;
const whereInstalled = (shell: string) => (isInstalled(shell) ? describe : describe.skip);

/** How each shell prints what it would offer for the words on its command line. */
const ask = {
  bash: (file: string, words: readonly string[]) => {
    const line = words.map((word) => `'${word}'`).join(" ");
    const place = `COMP_WORDS=(dari ${line}); COMP_CWORD=${words.length}`;
    return `source ${file}; ${place}; _dari; printf '%s\\n' "\${COMPREPLY[@]}"`;
  },
  // zsh completes only in its editor, so this prints what it would describe.
  zsh: (file: string, words: readonly string[]) => {
    const line = words.map((word) => `'${word}'`).join(" ");
    const inside = `_describe() { local all=("\${(@)\${(@P)2}%%:*}"); print -l -- \${(M)all:#\${words[CURRENT]}*} }
      compadd() { shift; print -l -- "$@" }
      _files() { }`;
    return `compdef() { }; source ${file}; ${inside}; words=(dari ${line}); CURRENT=${words.length + 1}; _dari`;
  },
  fish: (file: string, words: readonly string[]) => `source ${file}; complete -C 'dari ${words.join(" ")}'`,
} as const;

describe.each(Object.keys(ask) as (keyof typeof ask)[])("%s", (shell) => {
  whereInstalled(shell)("offers", () => {
    test.each([
      [["ses"], ["session"], ["deploy"]],
      [["session", "cr"], ["create"], ["session"]],
      [["org", "limits", ""], ["get", "set"], ["deploy"]],
      [["session", "list", "--status", ""], ["idle", "active"], ["--json"]],
      [
        ["session", "list", "--"],
        ["--status", "--json"],
        ["--async", "--version"],
      ],
      [["--"], ["--json", "--version"], ["--status"]],
      [["session", "send", "list", "--"], ["--async"], ["--status"]],
      [["completion", ""], ["bash", "zsh", "fish"], ["deploy"]],
    ])("after %j: %j", async (words, offered, absent) => {
      await using root = await temporaryTree({});
      const { code, stdout } = await runDari(["completion", shell], { cwd: root.path });
      expect(code).toBe(0);
      const file = join(root.path, "script");
      writeFileSync(file, stdout);
      const environment = { PATH: process.env["PATH"], HOME: root.path };
      const printed = execFileSync(shell, ["-c", ask[shell](file, words)], { encoding: "utf8", env: environment });
      const names = printed.split("\n").map((line) => line.split("\t")[0]);
      expect(names).toEqual(expect.arrayContaining(offered));
      for (const name of absent) expect(names).not.toContain(name);
    });
  });
});

test("an unknown shell is refused with the names of those that are known", async () => {
  await using root = await temporaryTree({});
  const { code, stderr } = await runDari(["completion", "cmd"], { cwd: root.path });
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("bash, zsh, fish") });
});

test("commands that pages and the console name are commands", async () => {
  await using root = await temporaryTree({});
  const { stdout } = await runDari(["completion", "bash"], { cwd: root.path });
  const known = new Set([...stdout.matchAll(/" ([a-z][a-z-]*(?: [a-z][a-z-]*)*)"/g)].map(([, path]) => path));
  const top = new Set([...known].map((path) => path?.split(" ")[0]));
  const listed = execFileSync("git", ["ls-files", "*.md", "apps/console/src"], { cwd: checkout, encoding: "utf8" });
  const pages = listed.split("\n").filter((name) => /\.(md|tsx)$/.test(name) && existsSync(join(checkout, name)));
  const named = pages.flatMap((name) => {
    const text = readFileSync(join(checkout, name), "utf8");
    return [...text.matchAll(/(?:^|`|run dari -- |command="|\$ )dari ([a-z][a-z-]*)(?: ([a-z-]+))?/gm)].map(
      ([, first = "", second]) => ({ name, first, second }),
    );
  });
  expect(named.length).toBeGreaterThan(50);
  const groups = new Set([...known].flatMap((path) => (path?.includes(" ") ? [path.split(" ")[0]] : [])));
  const wrong = named.filter(({ first, second }) => {
    if (!top.has(first)) return true;
    return groups.has(first) && second !== undefined && !known.has(`${first} ${second}`);
  });
  expect(wrong).toEqual([]);
});
