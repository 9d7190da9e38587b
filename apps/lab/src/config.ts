// What programs under test inherit of this machine's environment. The only place of the lab that reads it.

const ours = /^(DARI_|S3_|AWS_|DATABASE_URL$|REDIS_URL$|INIT_CWD$|NODE_OPTIONS$|JEST_|npm_)/;

/** PATH, HOME, proxies and certificates; no setting of the platform or of the test run, whatever the shell holds. */
export function machineEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name, value]) => value !== undefined && !ours.test(name));
  return Object.fromEntries(entries) as Record<string, string>;
}

/** For programs that the lab starts itself: all that they were given. */
export function programEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

/** Whether tests install and run every SDK in every version that is promised, which takes many minutes. */
export function testsEverySdk(): boolean {
  return process.env["DARI_TEST_SDKS"] === "all";
}
