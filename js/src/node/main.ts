/** Entry of node.mjs: runs a benchmark in Node, on cpu and wasm. Lines of JSON on stdin, one answer for each. */
import { Buffer } from "node:buffer";
import process from "node:process";
import { createInterface } from "node:readline";
import { getAsset } from "../assets";
import { Bridge } from "../headless/bridge";
import { KernelClient } from "../kernel";
import { ThreadWorker } from "./threadWorker";

type Page = { runWithoutView: (client: KernelClient) => Promise<void> };
type Line = { put: [string, boolean] } | { exchange: [string, number] } | { show: [] };

const isPage = (value: unknown): value is Page =>
  typeof value === "object" && value !== null && "runWithoutView" in value;

/** What the page's code asks a browser for. */
Object.assign(globalThis, {
  Worker: ThreadWorker,
  document: { hidden: false, addEventListener: () => undefined, removeEventListener: () => undefined },
});
Object.defineProperty(globalThis, "navigator", {
  value: { userAgent: `Node.js/${process.versions.node}`, platform: process.platform, hardwareConcurrency: 1 },
});

async function run(client: KernelClient): Promise<void> {
  const script = await getAsset(client, "page.js", "text/javascript", client.closed);
  const encoded = Buffer.from(await script.arrayBuffer()).toString("base64");
  await import(`data:text/javascript;base64,${encoded}`);
  const page: unknown = Reflect.get(globalThis, Symbol.for("tfjs_magic.page"));
  if (!isPage(page)) throw new Error("page.js is of another version. Reinstall tfjs_magic.");
  await page.runWithoutView(client);
}

const model = new Bridge();

async function answer(line: Line): Promise<string> {
  if ("exchange" in line) return model.exchange(...line.exchange);
  if ("put" in line) model.put(...line.put);
  else void run(new KernelClient(model)).catch(fail);
  return "null";
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await answer(JSON.parse(line))}\n`);
}
process.exit(0);
