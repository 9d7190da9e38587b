// What programs under test inherit from this machine's environment. No other file of the lab reads it.

const ours = /^(DARI_|S3_|AWS_|DATABASE_URL$|REDIS_URL$|INIT_CWD$|NODE_OPTIONS$|JEST_|npm_)/;

/** Returns PATH, HOME, proxies and certificates, without settings of the platform or of the test run. */
export function machineEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name, value]) => value !== undefined && !ours.test(name));
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Returns the whole environment, for programs that the lab itself starts. */
export function programEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

/** What `npm run lab -- recorded-kills` asks its test for. Undefined otherwise. */
export function wantedKills(): WantedKills | undefined {
  const given = process.env["DARI_TEST_KILLS"];
  return given === undefined ? undefined : (JSON.parse(given) as WantedKills);
}

export interface WantedKills {
  readonly kills: number;
  readonly seed: number;
  readonly minutes: number;
  readonly agents: readonly string[];
}
