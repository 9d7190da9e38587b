// Scripted agents that run steps. step_agents.py beside it plays the same.

export const runsSteps = async (_prompt, { step, emit }) => {
  const ran = (value) => (key) => {
    emit("ran", key);
    return value;
  };
  const later = async (key) => {
    await null;
    emit("ran", key);
    return 3;
  };
  return [
    await step("one", ran({ a: [1, null] })),
    await step("one", ran("é")),
    await step("later", later),
    await step("nothing", () => {}),
  ];
};

export const runsStepsAtOnce = async (_prompt, { step }) =>
  Promise.all(["a", "b", "a"].map((name, at) => step(name, async (key) => [at, key])));

export const nestsSteps = async (_prompt, { step }) => {
  const outer = await step("outer", () => step("inner", () => 1)).catch((error) => error.message);
  const later = await step("later", async () => {
    await null;
    return step("inner", () => 1).catch((error) => error.message);
  });
  let release;
  const released = new Promise((resolve) => (release = resolve));
  let background;
  await step("starts", () => {
    background = released.then(() => step("inner", () => 1)).catch((error) => error.message);
  });
  release();
  return [outer, later, await background, await step("inner", () => 2)];
};

export const failsInSteps = async (_prompt, { step }) => {
  const failed = [
    await step("x", () => Promise.reject(new Error("no luck"))).catch((error) => error.message),
    await step("x", () => {
      throw new Error("none again");
    }).catch((error) => error.message),
  ];
  return [...failed, await step("x", (key) => key)];
};

export const stepsBadly = async (_prompt, { step }) => {
  const cycle = {};
  cycle.self = cycle;
  const deep = JSON.parse("[".repeat(200) + "]".repeat(200));
  const calls = [
    ["", () => 1],
    ["two words", () => 1],
    ["a\u0001", () => 1],
    ["x".repeat(129), () => 1],
    [7, () => 1],
    ["a", 7],
    ["cycle", () => cycle],
    ["code", () => Math.abs],
    ["long", () => "x".repeat(262_143)],
    ["deep", () => deep],
  ];
  const refused = [];
  for (const [name, run] of calls) refused.push(await step(name, run).catch((error) => error.message));
  return refused;
};

export const runsTooManySteps = async (_prompt, { step }) => {
  let calls = 0;
  const run = () => (calls += 1);
  for (let i = 0; i < 1_000; i++) await step("many", run);
  const refused = await step("more", run).catch((error) => error.message);
  return [calls, refused];
};

export const recordsTooMuch = async (_prompt, { step }) => {
  for (let i = 0; i < 16; i++) await step("large", () => "x".repeat(260_000));
  return step("more", () => "x".repeat(260_000)).catch((error) => error.message);
};

export const printsAfterItsStep = async (_prompt, { step }) => {
  await step("one", () => 1);
  console.log("after");
};

export const printsAfterItsLaterStep = async (_prompt, { step }) => {
  await step("one", async () => {
    await null;
    return 1;
  });
  console.log("after");
};

export const waitsForNothingAfterItsStep = async (_prompt, { step }) => {
  await step("one", () => 1);
  await new Promise(() => {});
};
