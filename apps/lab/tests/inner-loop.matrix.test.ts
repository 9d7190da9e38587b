// `dari run`, `dari chat` and `dari dev` against a running platform, on pipes and in a terminal.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "@dari/testkit";
import { machineEnvironment } from "../src/config.ts";
import { dari, dariCommand, runDari } from "../src/curl.ts";
import { openRendezvous } from "../src/rendezvous.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";
import { hasTmux, openTerminal } from "../src/terminal.ts";

const manifest = (name: string): string => `name: ${name}\nsdk: function\nentrypoint: agent.mjs:agent\n`;
const talker = `import { readdirSync, writeFileSync } from "node:fs";
  export async function* agent(prompt, context) {
    console.log("printed", prompt);
    if (prompt === "fail") throw new Error("as asked");
    if (prompt === "broken") await context.tool("broken", {}, () => { throw new Error("as asked"); }).catch(() => {});
    if (prompt.startsWith("meet ")) {
      await context.tool("meet", { url: prompt.slice(5) }, async ({ url }) => (await fetch(url)).text());
      yield "met ";
      for (const { text } of await context.inbox.take()) yield \`\${text} \`;
    }
    if (prompt.startsWith("write ")) writeFileSync("notes.md", prompt);
    if (prompt.startsWith("read ")) yield readdirSync("input").join();
    if (prompt === "ask") {
      const schema = { type: "object", properties: { approved: { type: "boolean" } }, required: ["approved"] };
      const { approved } = await context.requestInput("send", schema, { prompt: "Send it?" });
      yield \`approved: \${approved} \`;
    }
    yield "**first** ";
    yield "second";
  }`;

/** Each test starts several processes, one after the other. Milliseconds. */
const patience = 240_000;
const dir = mkdtempSync(join(tmpdir(), "dari-loop-"));
let platform: StandaloneProcess;

beforeAll(async () => {
  platform = await startStandalone();
  writeAgent("talker", talker);
  await dari(["deploy", "talker"], options());
}, 180_000);
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

const options = () => ({ apiUrl: platform.apiUrl, apiKey: platform.apiKey, cwd: dir });
const json = async <Reply>(...args: readonly string[]): Promise<Reply> =>
  JSON.parse(await dari([...args, "--json"], options())) as Reply;

const environmentOfDari = () => ({
  DARI_API_URL: platform.apiUrl,
  DARI_API_KEY: platform.apiKey,
  DARI_CONFIG_DIR: join(dir, ".config"),
});

/** Starts a command in a terminal of tmux. */
const openChat = (args: readonly string[]) =>
  openTerminal([process.execPath, ...dariCommand, ...args], {
    cwd: dir,
    environment: environmentOfDari(),
    columns: 100,
    lines: 24,
  });

function writeAgent(name: string, code: string): void {
  mkdirSync(join(dir, name), { recursive: true });
  writeFileSync(join(dir, name, "dari.yml"), manifest(name));
  writeFileSync(join(dir, name, "agent.mjs"), code);
}

interface Conversation extends AsyncDisposable {
  type(text: string): void;
  end(): void;
  /** Waits until this was shown after what was waited for before. */
  shows(text: string): Promise<void>;
  readonly ended: Promise<number | null>;
  readonly shown: () => string;
}

/** Starts a command that stays. `isTerminal` gives it a terminal of its own. */
function converse(args: readonly string[], isTerminal = false): Conversation {
  const program = [process.execPath, ...dariCommand, ...args];
  const quoted = program.map((word) => `'${word}'`).join(" ");
  const [command = "", ...rest] = isTerminal ? ["script", "-qefc", quoted, "/dev/null"] : program;
  const child = spawn(command, rest, { cwd: dir, env: { ...machineEnvironment(), ...environmentOfDari() } });
  let output = "";
  let seen = 0;
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => (output += piece.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    ended,
    shown: () => output,
    type: (text) => void child.stdin.write(text),
    end: () => void child.stdin.end(),
    async shows(text) {
      await waitUntil(() => output.indexOf(text, seen) >= 0, { what: `${text} in:\n${output}`, timeoutMs: 60_000 });
      seen = output.indexOf(text, seen) + text.length;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

test(
  "dari run prints the answer, saves the files, and fails as its message does",
  async () => {
    const { code, stdout, stderr } = await runDari(
      ["run", "write it", "--agent", "talker", "--files", "out"],
      options(),
    );
    expect([code, stdout]).toEqual([0, "**first** second\n\ncreated /notes.md\n"]);
    expect(stderr).toContain(`${platform.apiUrl}/console/sessions/sess_`);
    expect(readFileSync(join(dir, "out", "notes.md"), "utf8")).toBe("write it");
    const piped = await runDari(["run", "-", "--agent", "@last", "--json"], { ...options(), input: "from a pipe\n" });
    expect(JSON.parse(piped.stdout)).toMatchObject({ status: "completed", parts: [{ text: "from a pipe" }] });
    expect((await runDari(["run", "fail", "--agent", "talker"], options())).code).toBe(1);
    expect((await runDari(["run", "hello"], options())).stderr).toContain("name an agent");
  },
  patience,
);

test(
  "dari chat on a pipe: messages, attachments and commands",
  async () => {
    writeFileSync(join(dir, "my file.txt"), "text");
    await using chat = converse(["chat", "talker"]);
    await chat.shows("/console/sessions/");
    const [{ id } = { id: "" }] = await json<{ id: string }[]>("session", "list", "--limit", "1");
    chat.type('read @"my file.txt" and @missing.txt\n');
    await chat.shows("missing.txt is not a file here");
    await chat.shows("my file.txt**first** second\n");
    chat.type("write one\n/files\n");
    await chat.shows("/input/my file.txt");
    await chat.shows("/notes.md");
    chat.type("/diff\n");
    await chat.shows("+write one");
    chat.type("/fork\n");
    await chat.shows("Now in sess_");
    chat.type("/undo\n/files\n");
    await chat.shows("are undone");
    await chat.shows("/input/my file.txt");
    chat.type("/nonsense\n");
    await chat.shows("there is no command /nonsense");
    chat.end();
    expect(await chat.ended).toBe(0);
    const original = await json<{ entries: { path: string }[] }>("session", "files", id);
    expect(original.entries.map(({ path }) => path)).toContain("/notes.md");
    const fork = await json<{ id: string; entries: { path: string }[] }>("session", "files", "-");
    expect(fork.entries.map(({ path }) => path)).not.toContain("/notes.md");
  },
  patience,
);

(hasTmux ? test : test.skip)(
  "dari chat in a terminal: calls, steering, a queued line, approval, cancel, leave, return and fork",
  async () => {
    await using meeting = await openRendezvous();
    const chat = (target: string) => openChat(["chat", target]);
    {
      await using terminal = await chat("talker");
      await terminal.endsWith(/^>$/);
      await terminal.enter(`meet ${meeting.urlOf("a")}`);
      await meeting.arrived("a");
      // The call is a row above the prompt, and what is typed stays below it.
      await terminal.endsWith(/^>$/);
      await terminal.shows(/^… meet \{"url":"http/);
      await terminal.enter("and Oslo");
      await terminal.shows(/^sent to the running turn; if the agent does not take it/);
      await terminal.enter("/queue ask");
      await terminal.shows(/^queued: it runs after this turn$/);
      await terminal.type("half a li");
      await terminal.endsWith(/^> half a li$/);
      meeting.open("a");
      await terminal.shows(/^✓ meet \{"url":"http.*\}, [\d.]+ m?s$/);
      await terminal.shows(/^the agent has: and Oslo$/);
      await terminal.shows(/and Oslo first second$/);
      // The approval comes while a line is typed, which waits for its answer.
      await terminal.endsWith(/^ {2}approved \[y\/n\]$/);
      await terminal.enter("y");
      await terminal.shows(/^approved: true first second$/);
      await terminal.endsWith(/^> half a li$/);
      await terminal.enter("ne");
      await terminal.shows(/^> half a line$/);
      await terminal.shows(/^first second$/);
      await terminal.enter("broken");
      await terminal.shows(/^✗ broken \{\}, \d+ ms: failed: Error: as asked$/);
      await terminal.enter("ask");
      await terminal.endsWith(/approved \[y\/n\]$/);
      const { id: asking } = (await json<{ id: string }[]>("session", "messages", "-")).at(-1)!;
      await dari(["message", "answer", asking, "send", "--value", '{"approved":false}'], options());
      await terminal.shows(/^answered elsewhere$/);
      await terminal.shows(/^approved: false first second$/);
      await terminal.enter(`meet ${meeting.urlOf("b")}`);
      await meeting.arrived("b");
      await terminal.press("C-c");
      await terminal.shows(/^cancelled/);
      await terminal.endsWith(/^>$/);
      await terminal.press("C-c");
      await terminal.shows(/^Press Ctrl-C again/);
      await terminal.enter(`meet ${meeting.urlOf("c")}`);
      await meeting.arrived("c");
      await terminal.press("C-d");
      await terminal.shows(/^The turn continues; to return to it: dari chat sess_/);
    }
    await using terminal = await chat("-");
    await terminal.shows(/^> meet http.*\/c$/);
    await terminal.shows(/^… meet /);
    await terminal.enter("/fork");
    await terminal.shows(/^a turn is running; use \/fork after it/);
    meeting.open("c");
    await terminal.shows(/^met first second$/);
    // The rows of a running turn leave nothing behind.
    await terminal.hides(/^…/);
    await terminal.enter("/fork");
    await terminal.shows(/^Now in sess_/);
    await terminal.enter("hello");
    await terminal.shows(/^first second$/);
    await terminal.hides(/^…/);
    const messages = await json<{ status: string }[]>("session", "messages", "-");
    expect(messages.filter(({ status }) => status === "completed")).toHaveLength(8);
  },
  patience,
);

test(
  "dari dev publishes each save without activating it, and continues the conversation with it",
  async () => {
    const says = (word: string): string => `import { existsSync, writeFileSync } from "node:fs";
      export function agent(prompt) {
        const before = existsSync("seen.txt");
        writeFileSync("seen.txt", prompt);
        console.log("a log line");
        return "${word} " + before;
      }`;
    writeAgent("walker", says("one"));
    await dari(["deploy", "walker"], options());
    const { active_version_id: active } = await json<{ active_version_id: string }>("agents", "get", "walker");
    await using dev = converse(["dev", "walker"]);
    await dev.shows("/console/sessions/");
    dev.type("hello\n");
    await dev.shows("a log line");
    await dev.shows("one false");
    writeFileSync(join(dir, "walker", "agent.mjs"), says("two"));
    await dev.shows("Version 2 is ready");
    dev.type("again\n");
    await dev.shows("two true");
    writeFileSync(join(dir, "walker", "agent.mjs"), "export function agent( {");
    await dev.shows("the build of");
    dev.type("still there?\n");
    await dev.shows("two true");
    mkdirSync(join(dir, "walker", "lib"));
    writeFileSync(join(dir, "walker", "lib", "word.mjs"), 'export const word = "three";\n');
    writeFileSync(
      join(dir, "walker", "agent.mjs"),
      'export { word } from "./lib/word.mjs";\nexport const agent = () => "3";\n',
    );
    await dev.shows("is ready");
    writeFileSync(join(dir, "walker", "lib", "word.mjs"), 'export const word = "four";\n');
    await dev.shows("is ready");
    dev.end();
    expect(await dev.ended).toBe(0);
    expect(await json("agents", "get", "walker")).toMatchObject({ active_version_id: active });
    // The conversation stays, and the sessions from which it was forked do not.
    const left = await json<{ id: string }[]>("session", "list", "--agent", "walker");
    expect(left).toEqual([expect.objectContaining({ id: expect.stringMatching(/^sess_/) })]);
    expect(await json("session", "messages", "-")).toHaveLength(3);
    expect(existsSync(join(dir, "walker", ".dari", "deploy-state.json"))).toBe(true);
    await using unused = converse(["dev", "walker"]);
    await unused.shows("/help lists the commands");
    unused.end();
    expect(await unused.ended).toBe(0);
    expect(await json("session", "list", "--agent", "walker")).toEqual(left);
    expect(await json("session", "get", "-")).toMatchObject({ id: left[0]!.id });
  },
  patience,
);

test(
  "dari deploy from another directory asks about the name in a terminal",
  async () => {
    writeAgent("talker-copy", `${talker}\n// changed`);
    writeFileSync(join(dir, "talker-copy", "dari.yml"), manifest("talker"));
    const before = await json<object[]>("agents", "versions", "talker");
    {
      await using no = converse(["deploy", "talker-copy"], true);
      await no.shows("Enter y to publish a new version of it, or a name for a new agent: ");
      no.type("\r");
      expect(await no.ended).toBe(5);
    }
    {
      await using other = converse(["deploy", "talker-copy"], true);
      await other.shows("a name for a new agent: ");
      other.type("talker\r");
      await other.shows("a name for a new agent: ");
      other.type("y\r");
      expect(await other.ended).toBe(0);
    }
    expect(await json("agents", "versions", "talker")).toHaveLength(before.length + 1);
  },
  patience,
);
