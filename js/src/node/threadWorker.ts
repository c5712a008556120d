/** What page/runner.ts uses of a browser's Worker, on a thread of Node that looks like one. */
import { resolveObjectURL } from "node:buffer";
import { type Transferable as Moved, Worker as Thread } from "node:worker_threads";

/** TF.js must take the thread for a browser's worker: in Node it would look for files and for Node's own packages. */
const PRELUDE = `
const { parentPort } = require("node:worker_threads");
globalThis.WorkerGlobalScope = class { static [Symbol.hasInstance]() { return true; } };
globalThis.self = globalThis;
globalThis.importScripts = () => undefined;
globalThis.location = { href: "blob:node/runtime.js" };
globalThis.postMessage = (message, { transfer } = {}) => parentPort.postMessage(message, transfer);
parentPort.on("message", (data) => globalThis.onmessage?.({ data }));
Object.defineProperty(globalThis, "navigator", { value: { hardwareConcurrency: 1 } });
const { runInThisContext } = require("node:vm");
const { workerData } = require("node:worker_threads");
for (const name of ["process", "require", "module", "exports"]) delete globalThis[name];
runInThisContext(workerData, { filename: "runtime.js" });
`;

type Listener = (event: { data?: unknown; message?: string }) => void;

export class ThreadWorker {
  #listeners = new Map<string, Listener>();
  #thread: Promise<Thread>;

  constructor(url: string) {
    this.#thread = this.#start(resolveObjectURL(url));
    this.#thread.catch((error) => this.#listeners.get("error")?.({ message: String(error) }));
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, listener);
  }

  postMessage(message: unknown, transfer: Moved[]): void {
    void this.#thread.then((thread) => thread.postMessage(message, transfer));
  }

  terminate(): void {
    this.#listeners.clear();
    void this.#thread.then((thread) => thread.terminate());
  }

  async #start(script: ReturnType<typeof resolveObjectURL>): Promise<Thread> {
    if (!script) throw new Error("The runtime is gone.");
    const thread = new Thread(PRELUDE, { eval: true, workerData: await script.text() });
    thread.on("message", (data) => this.#listeners.get("message")?.({ data }));
    thread.on("messageerror", () => this.#listeners.get("messageerror")?.({}));
    thread.on("error", (error) => this.#listeners.get("error")?.({ message: String(error) }));
    return thread;
  }
}
