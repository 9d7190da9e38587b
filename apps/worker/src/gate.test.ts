// The gate alone: slots, memory, closing.

import { expect, test } from "@jest/globals";
import { createGate } from "./gate.ts";

test("lets in as many as there are slots, and the next one when a slot comes free", async () => {
  const gate = createGate({ slots: 2 });
  const [first, second] = [gate.tryEnter(), gate.tryEnter()];
  expect([gate.tryEnter(), gate.free, gate.taken, gate.offered]).toEqual([undefined, 0, 2, 2]);
  const opened = gate.opened();
  first?.();
  first?.();
  await opened;
  expect([gate.free, gate.taken]).toEqual([1, 1]);
  const emptied = gate.emptied();
  second?.();
  await emptied;
});

test("while memory is short nobody gets in, what runs goes on, and the worker counts for that only", async () => {
  let hasFreeMemory = true;
  const gate = createGate({ slots: 3, hasFreeMemory: () => hasFreeMemory });
  const leave = gate.tryEnter();
  hasFreeMemory = false;
  expect([gate.tryEnter(), gate.free, gate.taken, gate.offered]).toEqual([undefined, 0, 1, 1]);
  const opened = gate.opened();
  hasFreeMemory = true;
  // No turn ends: the gate checks by itself.
  await opened;
  expect([gate.free, gate.offered]).toEqual([2, 3]);
  leave?.();
});

test("closed, it lets nobody in and releases waiters", async () => {
  const gate = createGate({ slots: 1 });
  const leave = gate.tryEnter();
  const opened = gate.opened();
  gate.close();
  await opened;
  leave?.();
  await gate.emptied();
  expect([gate.closed, gate.tryEnter(), gate.free, gate.offered]).toEqual([true, undefined, 0, 0]);
});
