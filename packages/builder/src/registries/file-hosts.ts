// Finds out where a configured package index stores its files, from the links of one of its pages.

const page = "pip/";
const pageBytesMax = 4 * 1024 * 1024;
const answerWithinMs = 10_000;
const hostsMax = 8;

/** Returns names of https hosts, without the index's own. Empty if the index does not answer. Never rejects. */
export async function findFileHosts(index: string): Promise<string[]> {
  const url = URL.parse(page, index.endsWith("/") ? index : `${index}/`);
  if (url === null || !/^https?:$/.test(url.protocol)) return [];
  const own = url.hostname;
  // Credentials are not sent. The operator has to list the file hosts of such an index.
  url.username = url.password = "";
  try {
    const response = await fetch(url, {
      headers: { accept: "text/html" },
      signal: AbortSignal.timeout(answerWithinMs),
    });
    const text = response.ok ? await beginningOf(response) : "";
    const links = [...text.matchAll(/href\s*=\s*["']([^"'#]+)/gi)].map(([, link = ""]) =>
      URL.parse(link, response.url),
    );
    const hosts = links.filter((link) => link?.protocol === "https:" && link.port === "").map((link) => link!.hostname);
    return [...new Set(hosts)]
      .filter((host) => host !== own && /^[a-z0-9_.-]*[a-z_-][a-z0-9_.-]*$/.test(host))
      .slice(0, hostsMax);
  } catch {
    return [];
  }
}

async function beginningOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > pageBytesMax) break;
  }
  return text;
}
