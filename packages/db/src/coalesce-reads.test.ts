// Reads of several callers as one: who shares, who waits for whom, and who fails.

import { expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import { coalesceReads } from "./coalesce-reads.ts";
import type { Database } from "./database.ts";

const db = {} as Database;

/** A read that lasts until it is answered; one of its keys cannot be read. */
function stage(keysMax = 10) {
  const looks: { keys: readonly string[]; answer: () => void }[] = [];
  const ask = coalesceReads<string>(
    async (_db, group, keys) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      looks.push({ keys, answer: resolve });
      await promise;
      if (keys.includes("damaged")) throw new Error("damaged");
      return new Map(keys.filter((key) => key !== "missing").map((key) => [key, `${group}/${key}`]));
    },
    { keysMax },
  );
  const answerNext = async (): Promise<readonly string[]> => {
    const one = await waitUntil(() => looks.shift(), { what: "a look" });
    one.answer();
    return one.keys;
  };
  return { ask, looks, answerNext };
}

test("a single read starts immediately; callers during it are answered by the next read", async () => {
  const { ask, looks, answerNext } = stage();
  const first = ask(db, "org", "a");
  expect(looks).toHaveLength(1);
  const others = ["a", "b", "b", "missing"].map((key) => ask(db, "org", key));
  expect(looks).toHaveLength(1);
  expect(await answerNext()).toEqual(["a"]);
  expect(await first).toBe("org/a");
  expect(await answerNext()).toEqual(["a", "b", "missing"]);
  expect(await Promise.all(others)).toEqual(["org/a", "org/b", "org/b", undefined]);
  const last = ask(db, "org", "c");
  expect(looks.map(({ keys }) => keys)).toEqual([["c"]]);
  await answerNext();
  expect(await last).toBe("org/c");
});

test("other groups and other transactions do not wait", async () => {
  const { ask, looks } = stage();
  const asked = [ask(db, "one", "a"), ask(db, "two", "a"), ask({ ...db }, "one", "a")];
  expect(looks).toHaveLength(3);
  for (const look of looks) look.answer();
  expect(await Promise.all(asked)).toEqual(["one/a", "two/a", "one/a"]);
});

test("a key that cannot be read fails alone", async () => {
  const { ask, answerNext } = stage();
  const first = ask(db, "org", "a");
  const [good, bad] = [ask(db, "org", "b"), ask(db, "org", "damaged")];
  bad.catch(() => undefined);
  await answerNext();
  await first;
  expect(await answerNext()).toEqual(["b", "damaged"]);
  expect([await answerNext(), await answerNext()]).toEqual([["b"], ["damaged"]]);
  expect(await good).toBe("org/b");
  await expect(bad).rejects.toThrow("damaged");
});

test("more callers than fit are read separately, and no one waits for a read that hangs", async () => {
  const { ask, looks, answerNext } = stage(2);
  const hanging = ask(db, "org", "a");
  const hung = looks.shift();
  const others = ["b", "c", "d", "c"].map((key) => ask(db, "org", key));
  expect([await answerNext(), await answerNext()]).toEqual([["d"], ["b", "c"]]);
  expect(await Promise.all(others)).toEqual(["org/b", "org/c", "org/d", "org/c"]);
  hung?.answer();
  expect(await hanging).toBe("org/a");
});
