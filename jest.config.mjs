// One configuration for the whole repository: `pnpm jest` runs every test, a path narrows it.
export default {
  runner: "<rootDir>/packages/tooling/jest/native-runner.mjs",
  // Node strips the types itself.
  transform: {},
  testMatch: ["<rootDir>/{apps,packages}/*/{src,tests}/**/*.test.ts"],
  modulePathIgnorePatterns: ["<rootDir>/.dari-data", "<rootDir>/.cache"],
  testTimeout: 60_000,
  globalSetup: "<rootDir>/packages/testkit/src/jest-global-setup.ts",
  globalTeardown: "<rootDir>/packages/testkit/src/jest-global-teardown.ts",
};
