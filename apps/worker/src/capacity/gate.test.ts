// The gate alone: slots, memory, starts, closing.

import { expect, test } from "@jest/globals";
import { createGate } from "./gate.ts";

const noMemory = () => ({ track: () => () => undefined, leave: () => undefined });

test("admits one caller per slot, and the next one when a slot becomes free", async () => {
  const gate = createGate({ slots: 2, startsMax: 9 });
  const [first, second] = [gate.tryEnter(), gate.tryEnter()];
  expect([gate.tryEnter(), gate.free, gate.taken, gate.offered]).toEqual([undefined, 0, 2, 2]);
  const opened = gate.opened();
  first?.leave();
  first?.leave();
  await opened;
  expect([gate.free, gate.taken]).toEqual([1, 1]);
  const emptied = gate.emptied();
  second?.leave();
  await emptied;
});

test("a few turns start at the same time, and each that has started admits another one", async () => {
  const gate = createGate({ slots: 100, startsMax: 2 });
  const [first, second] = [gate.tryEnter(), gate.tryEnter()];
  expect([gate.tryEnter(), gate.free, gate.taken, gate.offered]).toEqual([undefined, 0, 2, 100]);
  const opened = gate.opened();
  first?.started();
  first?.started();
  await opened;
  expect([gate.free, gate.taken]).toEqual([1, 2]);
  // A turn that ends before its agent is called has started as well.
  second?.leave();
  expect([gate.free, gate.taken]).toEqual([2, 1]);
});

test("turns that start slowly do not keep others waiting for long", async () => {
  const gate = createGate({ slots: 100, startsMax: 1, startingMs: 10 });
  const place = gate.tryEnter();
  expect(gate.free).toBe(0);
  await gate.opened();
  expect([gate.free, gate.taken]).toEqual([1, 1]);
  place?.leave();
});

test("while memory is short no caller is admitted, running turns continue, and no free slot is offered", async () => {
  let room = 3;
  const gate = createGate({ slots: 3, startsMax: 9, turns: { room: () => ({ turns: room }), admit: noMemory } });
  const place = gate.tryEnter();
  room = 0;
  expect([gate.tryEnter(), gate.free, gate.taken, gate.offered]).toEqual([undefined, 0, 1, 1]);
  const opened = gate.opened();
  room = 9;
  // No turn ends: the gate checks by itself.
  await opened;
  expect([gate.free, gate.offered]).toEqual([2, 3]);
  place?.leave();
});

test("closed, it admits no one and releases waiters", async () => {
  const gate = createGate({ slots: 1, startsMax: 9 });
  const place = gate.tryEnter();
  const opened = gate.opened();
  gate.close();
  await opened;
  place?.leave();
  await gate.emptied();
  expect([gate.closed, gate.tryEnter(), gate.free, gate.offered]).toEqual([true, undefined, 0, 0]);
});

test("a turn counts in memory from its admission until it leaves, also if it fails before its sandbox starts", () => {
  let counted = 0;
  const admit = () => {
    counted += 1;
    return { ...noMemory(), leave: () => void (counted -= 1) };
  };
  const gate = createGate({ slots: 9, startsMax: 9, turns: { room: () => ({ turns: 9 - counted }), admit } });
  const places = [gate.tryEnter(), gate.tryEnter()];
  expect([counted, gate.offered]).toEqual([2, 9]);
  for (const place of places) place?.leave();
  places[0]?.leave();
  expect([counted, gate.taken, gate.free]).toEqual([0, 0, 9]);
});
