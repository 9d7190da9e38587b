// One configuration for the whole repository: `pnpm jest` runs every test, a path narrows it.
export default {
  testEnvironment: "node",
  testMatch: ["<rootDir>/{apps,packages}/*/{src,tests}/**/*.test.ts"],
  extensionsToTreatAsEsm: [".ts"],
  transform: { "\\.ts$": "<rootDir>/packages/tooling/jest/strip-types.mjs" },
  transformIgnorePatterns: ["/node_modules/"],
  modulePathIgnorePatterns: ["<rootDir>/.dari-data", "<rootDir>/.cache"],
  testTimeout: 60_000,
  globalSetup: "<rootDir>/packages/testkit/src/jest-global-setup.ts",
  globalTeardown: "<rootDir>/packages/testkit/src/jest-global-teardown.ts",
};
