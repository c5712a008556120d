/**
 * Build the browser side into tfjs_magic/static/: `widget.js` plain (it is the `_esm`), everything else packed with
 * gzip, for it travels from the kernel to the page. Same input, same bytes.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const STATIC = join(ROOT, "..", "tfjs_magic", "static");
const KEEP = ".gitkeep";
const WASM_FILES = ["tfjs-backend-wasm.wasm", "tfjs-backend-wasm-simd.wasm"];

const MAX_WIDGET_BYTES = 60 * 1024;
const MAX_SCRIPT_GZIP_BYTES = 500 * 1024;

/** Read by Python itself. */
const PLAIN = ["widget.js", "headless.js", "node.mjs", "solo.js"];
const BUNDLES = [
  { entry: "src/widget.ts", name: "widget.js", format: "esm" },
  // These two run as classic scripts and as imported modules alike.
  { entry: "src/page/main.ts", name: "page.js", format: "iife" },
  { entry: "src/worker/main.ts", name: "runtime.js", format: "iife" },
  // A script of the page that WebDriver opens; no page pulls it.
  { entry: "src/headless/main.ts", name: "headless.js", format: "iife" },
  // The script of a saved page, which needs no kernel.
  { entry: "src/solo/main.ts", name: "solo.js", format: "iife" },
  // A program for Node.
  { entry: "src/node/main.ts", name: "node.mjs", format: "esm" },
];

/** @returns {Promise<{name: string, bytes: Uint8Array, inputs: string[]}>} inputs: files that went in */
async function bundle({ entry, name, format }) {
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    format,
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    platform: "browser",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
    define: { "process.env.NODE_ENV": '"production"' },
    external: ["node:*"],
    plugins: [withoutWasmThreads],
  });
  const used = Object.values(result.metafile.outputs).flatMap((output) =>
    Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0),
  );
  return { name, bytes: result.outputFiles[0].contents, inputs: used.map(([path]) => path) };
}

/** Notebook pages may not share memory, so worker/backend.ts switches wasm threads off: leave their loader out. */
const withoutWasmThreads = {
  name: "without-wasm-threads",
  setup(context) {
    context.onResolve({ filter: /wasm-out\/tfjs-backend-wasm-threaded-simd/ }, ({ path }) => ({
      path,
      namespace: "without-wasm-threads",
    }));
    context.onLoad({ filter: /.*/, namespace: "without-wasm-threads" }, () => ({
      contents: "export default null; export const wasmWorkerContents = '';",
    }));
  },
};

/** The npm packages whose files went into the bundles, with their licence texts. */
async function licenses(inputs) {
  const packages = new Map();
  for (const input of inputs) {
    const match = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input.split(sep).join("/"));
    if (match && !input.startsWith("(disabled)"))
      packages.set(match[1], join(ROOT, input.slice(0, match.index), "node_modules", match[1]));
  }
  const sections = [];
  for (const [name, directory] of [...packages].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { version, license } = JSON.parse(await readFile(join(directory, "package.json"), "utf8"));
    const file = (await readdir(directory)).sort().find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? await readFile(join(directory, file), "utf8") : `Licence: ${license}`;
    sections.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  return sections.join(`\n${"-".repeat(80)}\n\n`);
}

async function main() {
  const bundles = await Promise.all(BUNDLES.map(bundle));
  const wasm = await Promise.all(
    WASM_FILES.map(async (name) => ({
      name,
      bytes: await readFile(join(ROOT, "node_modules/@tensorflow/tfjs-backend-wasm/dist", name)),
      inputs: [],
    })),
  );
  const inputs = [...bundles.flatMap((one) => one.inputs), "node_modules/@tensorflow/tfjs-backend-wasm/package.json"];
  const notices = await licenses(inputs);
  await mkdir(STATIC, { recursive: true });
  for (const entry of await readdir(STATIC)) if (entry !== KEEP) await rm(join(STATIC, entry), { recursive: true });

  const assets = {};
  let scriptGzipBytes = 0;
  for (const { name, bytes } of [...bundles, ...wasm]) {
    if (PLAIN.includes(name)) {
      if (bytes.length > MAX_WIDGET_BYTES)
        throw new Error(`${name} has ${bytes.length} bytes, more than ${MAX_WIDGET_BYTES}.`);
      await writeFile(join(STATIC, name), bytes);
      console.log(`${name}: ${bytes.length} bytes`);
      continue;
    }
    const packed = gzipSync(bytes, { level: 9 });
    if (name.endsWith(".js")) scriptGzipBytes += packed.length;
    assets[name] = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(STATIC, `${name}.gz`), packed);
    console.log(`${name}: ${bytes.length} bytes, ${packed.length} packed`);
  }
  if (scriptGzipBytes > MAX_SCRIPT_GZIP_BYTES) {
    throw new Error(`page.js and runtime.js have ${scriptGzipBytes} bytes packed, more than ${MAX_SCRIPT_GZIP_BYTES}.`);
  }
  await writeFile(join(STATIC, "assets.json"), `${JSON.stringify(assets, null, 2)}\n`);
  await writeFile(join(STATIC, "THIRD_PARTY_LICENSES.txt"), notices);
  console.log(`page.js and runtime.js: ${scriptGzipBytes} bytes packed, into ${relative(process.cwd(), STATIC)}`);
}

await main();
