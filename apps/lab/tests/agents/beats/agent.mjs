// Calls the address of its prompt ten times a second, for five seconds.

import { setTimeout as sleep } from "node:timers/promises";

export async function agent(prompt) {
  for (let beat = 0; beat < 50; beat++) {
    await fetch(prompt);
    await sleep(100);
  }
  return "whole";
}
