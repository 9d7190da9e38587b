// Exits with 0 if this container's program is ready. The argument names the variable that holds the port.

const port = process.env[process.argv[2] ?? "DARI_PORT"];
try {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_500) });
  process.exitCode = response.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
