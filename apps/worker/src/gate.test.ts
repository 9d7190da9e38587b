// The gate alone: slots, memory, closing.

import { expect, test } from "@jest/globals";
import { createGate } from "./gate.ts";

test("admits one caller per slot, and the next one when a slot becomes free", async () => {
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

test("while memory is short no caller is admitted, running turns continue, and no free slot is offered", async () => {
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

test("closed, it admits no one and releases waiters", async () => {
  const gate = createGate({ slots: 1 });
  const leave = gate.tryEnter();
  const opened = gate.opened();
  gate.close();
  await opened;
  leave?.();
  await gate.emptied();
  expect([gate.closed, gate.tryEnter(), gate.free, gate.offered]).toEqual([true, undefined, 0, 0]);
});
