// A program in a real terminal, of tmux: keys are typed, and the test reads what is on the screen.

import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { waitUntil } from "@dari/testkit";

const execute = promisify(execFile);

export const hasTmux = spawnSync("tmux", ["-V"]).status === 0;

export interface Terminal extends AsyncDisposable {
  /** Types a line and Enter. */
  enter(line: string): Promise<void>;
  /** Presses a key by its name in tmux: `C-c`, `Enter`. */
  press(key: string): Promise<void>;
  type(text: string): Promise<void>;
  /** Returns the rows of the screen and all above it, without styles and empty rows. */
  rows(): Promise<string[]>;
  /** Waits until a row matches. */
  shows(row: RegExp): Promise<void>;
  /** Waits until the last row matches. */
  endsWith(row: RegExp): Promise<void>;
  /** Waits until no row matches. */
  hides(row: RegExp): Promise<void>;
}

export interface TerminalOptions {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly columns: number;
  readonly lines: number;
}

const patienceMs = 30_000;

/** Starts a program in a server of its own. Its screen stays after its end. */
export async function openTerminal(program: readonly string[], options: TerminalOptions): Promise<Terminal> {
  const { cwd, environment, columns, lines } = options;
  const socket = join(cwd, "tmux.sock");
  const tmux = async (...args: readonly string[]): Promise<string> =>
    (await execute("tmux", ["-u", "-S", socket, "-f", "/dev/null", ...args], { cwd })).stdout;
  const set = Object.entries(environment).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  const size = ["-x", `${columns}`, "-y", `${lines}`];
  const start = ["set", "-g", "remain-on-exit", "on", ";", "new-session", "-d", ...size, ...set, "-c", cwd, ...program];
  await tmux("start-server", ";", ...start);

  const rows = async (): Promise<string[]> => {
    const shown = await tmux("capture-pane", "-p", "-S", "-");
    return shown
      .split("\n")
      .map((row) => row.trimEnd())
      .filter((row) => row !== "");
  };
  const until = async (what: string, isThere: (rows: string[]) => boolean): Promise<void> => {
    let seen: string[] = [];
    const look = async (): Promise<boolean> => isThere((seen = await rows()));
    await waitUntil(look, { what, timeoutMs: patienceMs }).catch((error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : String(error)}:\n${seen.join("\n")}`);
    });
  };
  const type = async (text: string): Promise<void> => void (await tmux("send-keys", "-l", text));
  const press = async (key: string): Promise<void> => void (await tmux("send-keys", key));
  return {
    type,
    press,
    rows,
    async enter(line) {
      await type(line);
      await press("Enter");
    },
    shows: (row) => until(`a row like ${row}`, (seen) => seen.some((one) => row.test(one))),
    hides: (row) => until(`no row like ${row}`, (seen) => !seen.some((one) => row.test(one))),
    endsWith: (row) => until(`a last row like ${row}`, (seen) => row.test(seen.at(-1) ?? "")),
    async [Symbol.asyncDispose]() {
      await tmux("kill-server").catch(() => undefined);
    },
  };
}
