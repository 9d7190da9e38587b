// Asks the program of this container whether it can work; the exit code is the answer. Argument: the port variable.

const port = process.env[process.argv[2] ?? "DARI_PORT"];
try {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_500) });
  process.exitCode = response.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
