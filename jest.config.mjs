// One configuration for the whole repository, and three rings of tests. DARI_TEST_RING names the one that runs:
// - by default (`npm test`) what people run before each commit: every suite without one of the names below;
// - "matrix" (`npm run test:matrix`): what a change must pass beside it: `*.matrix.test.ts`, and what holds of every
//   driver with the drivers beside the machine's best;
// - "nightly" (`npm run test:nightly`): the matrix again, with the tests that it leaves out (`atNight`), and what is
//   slow and rarely breaks: `*.nightly.test.ts`, and every `*.drivers.test.ts` with the drivers beside the best.
// A path narrows each.
const kinds = {
  matrix: "{*.matrix,conformance.drivers,isolation.drivers}",
  nightly: "*.{matrix,drivers,nightly}",
};
const kind = kinds[process.env.DARI_TEST_RING] ?? "*";

export default {
  runner: "<rootDir>/packages/tooling/jest/native-runner.mjs",
  // Node strips the types itself.
  transform: {},
  testMatch: [`<rootDir>/{apps,packages}/*/{src,tests}/**/${kind}.test.ts`],
  testPathIgnorePatterns: kind === "*" ? ["\\.(matrix|nightly)\\.test\\.ts$"] : [],
  modulePathIgnorePatterns: ["<rootDir>/.dari-data", "<rootDir>/.cache"],
  testTimeout: 60_000,
  globalSetup: "<rootDir>/packages/testkit/src/jest-global-setup.ts",
  globalTeardown: "<rootDir>/packages/testkit/src/jest-global-teardown.ts",
};
