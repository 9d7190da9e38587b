// Runs other programs: quiet steps with a sign of life, and the one program in the foreground that the user asked for.

import { spawn } from "node:child_process";
import { accessSync, constants, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { SetupError, stepFailed } from "./explain.mjs";
import { watchNpm } from "./npm-watch.mjs";
import { at, cacheDir, root } from "./paths.mjs";

const signOfLifeMs = 5_000;

/** Progress goes to standard error: standard output belongs to the program that is run. */
export const say = (text) => void process.stderr.write(`${text}\n`);
process.stderr.on("error", () => {});

export const secondsSince = (start) => ((Date.now() - start) / 1000).toFixed(1);

/**
 * Runs a step whose output matters only if it fails. Says that it started, every few seconds that it lives, and how
 * long it took. `silence`: what happens while the program has said nothing yet.
 */
export async function runStep(title, command, args, { env, silence = "" } = {}) {
  const start = Date.now();
  say(`· ${title} …`);
  let output = "";
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const collect = (chunk) => (output = (output + chunk).slice(-65_536));
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const beat = setInterval(() => {
    const last = output.trimEnd().split("\n").at(-1)?.trim().slice(0, 80) || silence;
    say(`  still at it, ${secondsSince(start)} s${last && `: ${last}`}`);
  }, signOfLifeMs);
  const code = await new Promise((resolve) => {
    child.once("error", (error) => {
      output += `\n${error.message}`;
      resolve(1);
    });
    child.once("close", (exitCode) => resolve(exitCode ?? 1));
  });
  clearInterval(beat);
  if (code !== 0) throw stepFailed(title, output);
  say(`✓ ${title}: ${secondsSince(start)} s`);
}

const preloadOf = (name) => ["--import", new URL(name, import.meta.url).href];
const pathWith = (node) => [path.dirname(node), process.env.PATH].join(path.delimiter);

/**
 * Runs a Node program with our terminal and returns its exit code. It learns of our first signal and of our end through
 * a pipe (see end-with-parent.mjs).
 */
export function runNode(node, args, { cwd, env } = {}) {
  const stdio = ["inherit", "inherit", "inherit", "pipe"];
  const all = [...preloadOf("end-with-parent.mjs"), ...args];
  return runForeground(node, all, { cwd, env: { ...env, PATH: pathWith(node) }, stdio });
}

/**
 * Like `runNode`, but replaces this process by the program where Node can do that (from 22.15 on): one process less
 * until the program ends. Call it last: where the process is replaced, nothing after the call runs.
 */
export function becomeNode(node, args, { env } = {}) {
  if (!process.execve || !keepParentPipe()) return runNode(node, args, { env });
  const preload = preloadOf(hasParentPipe() ? "end-with-parent.mjs" : "end-with-npm.mjs");
  process.chdir(root);
  return process.execve(node, [node, ...preload, ...args], { ...process.env, ...env, PATH: pathWith(node) });
}

/** Whether another run.mjs, of a Node that cannot become another program, has started this one. */
const hasParentPipe = () => process.execArgv.some((argument) => argument.endsWith("/end-with-parent.mjs"));

/** Keeps the pipe of end-with-parent.mjs, if there is one, open in the next program. Returns false if it cannot. */
function keepParentPipe() {
  if (!hasParentPipe()) return true;
  try {
    const native = { exports: {} };
    const machine = `${process.platform}-${process.arch}`;
    process.dlopen(native, at("packages", "native", "bin", machine, "capabilities.node"));
    native.exports.keepOpen(3);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program with our terminal and returns its exit code. Our signals are passed on. */
export function runForeground(command, args, { cwd = root, env, stdio = "inherit" } = {}) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio });
  const stopWatching = passOnEnd(child);
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new SetupError(`Could not run ${command}: ${error.message}`)));
    child.once("close", (code, signal) => {
      stopWatching();
      resolve(code ?? (signal === "SIGINT" ? 130 : 143));
    });
  });
}

/** Signals this soon after the last one are its echoes: a terminal and npm both deliver one Ctrl-C. */
const echoMs = 1_000;

/** Passes on signals, and the death of our parent (npm killed with -9) as a SIGTERM. */
function passOnEnd(child) {
  const pipe = child.stdio[3];
  pipe?.on("error", () => {});
  let lastAt;
  const passOn = (name) => {
    const isFirst = lastAt === undefined;
    if (!isFirst && Date.now() - lastAt < echoMs) return;
    lastAt = Date.now();
    if (isFirst && pipe) pipe.write(`${name}\n`);
    else child.kill(name);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const name of signals) process.on(name, passOn);
  const stopWatching = watchNpm(() => lastAt === undefined && passOn("SIGTERM"));
  return () => {
    stopWatching();
    for (const name of signals) process.off(name, passOn);
  };
}

/** npm as [command, ...arguments]: the very npm that runs us, else the one on the PATH. */
export function npmCommand() {
  const running = process.env.npm_execpath ?? "";
  return /npm-cli\.[cm]?js$/.test(running) ? [process.execPath, running] : ["npm"];
}

/**
 * Returns what package managers need where the user has no home of its own (services, `nobody`): one in the checkout.
 */
export function homeEnv() {
  try {
    accessSync(homedir(), constants.W_OK);
    return {};
  } catch {
    const home = at(".cache", "home");
    mkdirSync(home, { recursive: true });
    return { HOME: home, npm_config_cache: path.join(cacheDir, "npm") };
  }
}
