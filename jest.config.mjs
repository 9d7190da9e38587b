// One configuration for the whole repository, and three rings of tests. DARI_TEST_RING names the one that runs:
// - by default (`npm test`) what people run before each commit: every suite without one of the names below;
// - "matrix" (`npm run test:matrix`): `*.matrix.test.ts`, and the drivers of `*.drivers.test.ts` beside the machine's best;
// - "nightly" (`npm run test:nightly`): `*.nightly.test.ts`, what is slow and rarely breaks.
// A path narrows each.
const kinds = { matrix: ".{matrix,drivers}", nightly: ".nightly" }[process.env.DARI_TEST_RING] ?? "";

export default {
  runner: "<rootDir>/packages/tooling/jest/native-runner.mjs",
  // Node strips the types itself.
  transform: {},
  testMatch: [`<rootDir>/{apps,packages}/*/{src,tests}/**/*${kinds}.test.ts`],
  testPathIgnorePatterns: kinds === "" ? ["\\.(matrix|nightly)\\.test\\.ts$"] : [],
  modulePathIgnorePatterns: ["<rootDir>/.dari-data", "<rootDir>/.cache"],
  testTimeout: 60_000,
  globalSetup: "<rootDir>/packages/testkit/src/jest-global-setup.ts",
  globalTeardown: "<rootDir>/packages/testkit/src/jest-global-teardown.ts",
};
