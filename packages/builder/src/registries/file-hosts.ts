// Where a package index that the operator configured keeps its files: learned from the links of one of its pages.

const page = "pip/";
const pageBytesMax = 4 * 1024 * 1024;
const answerWithinMs = 10_000;
const hostsMax = 8;

/** Names of https hosts, the index's own left out. Empty where the index does not answer; never rejects. */
export async function fileHostsOf(index: string): Promise<string[]> {
  const url = URL.parse(page, index.endsWith("/") ? index : `${index}/`);
  if (url === null || !/^https?:$/.test(url.protocol)) return [];
  const own = url.hostname;
  // What is secret in it is not sent along; such an index is named by the operator.
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
