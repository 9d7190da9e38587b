// Tests which changes a watch notices, on a real directory.

import { afterEach, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { watchFiles, type FileWatch } from "./watch-files.ts";

let watch: FileWatch | undefined;
let root: string;
afterEach(() => {
  watch?.[Symbol.dispose]();
  rmSync(root, { recursive: true, force: true });
});

/** Watches a directory with `src/agent.ts` and follows it. */
function open() {
  root = mkdtempSync(join(tmpdir(), "dari-watch-"));
  let wake = (): void => undefined;
  watch = watchFiles(root, () => wake());
  const path = join(root, "src/agent.ts");
  const write = (): void => {
    mkdirSync(join(root, "src"), { recursive: true });
    writeFileSync(path, String(Math.random()));
  };
  const follow = (): void => watch!.follow(["src/agent.ts"]);
  write();
  follow();
  /** Makes a change and waits until one is noticed. */
  const notices = async (change: () => void): Promise<void> => {
    const noticed = new Promise<void>((resolve) => (wake = resolve));
    change();
    await noticed;
  };
  /** Events of earlier changes can be late, but they are few. */
  const noticesMany = async (): Promise<void> => {
    for (let change = 0; change < 20; change++) await notices(write);
  };
  return { notices, noticesMany, write, follow };
}

test("a directory that was removed and made again is watched", async () => {
  const { notices, noticesMany, write, follow } = open();
  await notices(() => rmSync(join(root, "src"), { recursive: true }));
  await notices(write);
  follow();
  await noticesMany();
});

test("a root that was removed and made again is watched", async () => {
  const { notices, noticesMany, write, follow } = open();
  await notices(() => rmSync(root, { recursive: true }));
  await notices(write);
  follow();
  await noticesMany();
});
