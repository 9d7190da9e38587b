// One configuration for the whole repository. `npm test` runs what people run before each commit. With
// DARI_TEST_MATRIX=1 (`npm run test:matrix`) it runs the rest: every `*.matrix.test.ts`, and the drivers of
// `*.drivers.test.ts` beside the machine's best. A path narrows both.
const kinds = process.env.DARI_TEST_MATRIX === "1" ? ".{matrix,drivers}" : "";

export default {
  runner: "<rootDir>/packages/tooling/jest/native-runner.mjs",
  // Node strips the types itself.
  transform: {},
  testMatch: [`<rootDir>/{apps,packages}/*/{src,tests}/**/*${kinds}.test.ts`],
  testPathIgnorePatterns: kinds === "" ? ["\\.matrix\\.test\\.ts$"] : [],
  modulePathIgnorePatterns: ["<rootDir>/.dari-data", "<rootDir>/.cache"],
  testTimeout: 60_000,
  globalSetup: "<rootDir>/packages/testkit/src/jest-global-setup.ts",
  globalTeardown: "<rootDir>/packages/testkit/src/jest-global-teardown.ts",
};
