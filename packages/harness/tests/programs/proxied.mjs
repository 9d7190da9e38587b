// Fetches the URLs of its arguments by fetch, http and https's own agents, through the proxy of its first argument.
import http from "node:http";
import { sendThrough } from "../../guest/node/proxied-node20.mjs";

const [proxy, ...urls] = process.argv.slice(2);
sendThrough(new URL(proxy));
const get = (url) =>
  new Promise((resolve) => {
    const asked = http.get(url, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve(text);
    });
    asked.once("error", (error) => resolve(error.message));
  });
const said = [];
for (const url of urls) {
  said.push(
    await fetch(url).then(
      (response) => response.text(),
      (error) => error.cause.message,
    ),
  );
  said.push(await get(url));
}
process.stdout.write(JSON.stringify(said));
process.exit(0);
