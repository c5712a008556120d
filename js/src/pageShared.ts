/** What all widgets of one page share. It lives on globalThis: every widget has its own copy of `_esm`. */
import { abortable, deferred } from "./promises";
import { shareFiles } from "./siblings";

export type PageShared = {
  /** This page, in claims and reports; new after every reload. */
  id: string;
  /** sha256 → what was made of the file; a failed promise is taken out again. */
  files: Map<string, Promise<unknown>>;
  /** Settles when every benchmark that was queued so far has ended. */
  queue: Promise<void>;
};

const KEY = Symbol.for("tfjs_magic.page.1");

const isShared = (value: unknown): value is PageShared =>
  typeof value === "object" && value !== null && "files" in value && "queue" in value;

export function pageShared(): PageShared {
  const existing: unknown = Reflect.get(globalThis, KEY);
  if (isShared(existing)) return existing;
  const shared: PageShared = { id: randomId(), files: new Map(), queue: Promise.resolve() };
  Reflect.set(globalThis, KEY, shared);
  shareFiles(shared.files);
  return shared;
}

/** crypto.randomUUID exists in secure contexts only; hubs on plain http are not. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Make a value once per page and content. Who finds that another widget's attempt failed makes its own. */
export async function oncePerPage<T>(
  key: string,
  isT: (value: unknown) => value is T,
  make: () => Promise<unknown>,
): Promise<T> {
  const { files } = pageShared();
  const begun = files.get(key);
  if (begun) {
    const found: unknown = await begun.catch(() => undefined);
    if (isT(found)) return found;
    if (files.get(key) === begun) files.delete(key);
  }
  const promise = files.get(key) ?? make();
  files.set(key, promise);
  try {
    const value = await promise;
    if (!isT(value)) throw new Error(`The page holds something else under '${key}'. Reload the page.`);
    return value;
  } catch (error) {
    if (files.get(key) === promise) files.delete(key);
    throw error;
  }
}

/**
 * Run `task` when all benchmarks queued before it on this page have ended, and no other page or frame of this origin
 * runs one. Rejects at once when `signal` aborts while it waits; the place in the queue is then skipped.
 */
export async function inPageQueue(signal: AbortSignal, task: () => Promise<void>): Promise<void> {
  const shared = pageShared();
  const turn = shared.queue;
  const { promise: done, resolve: leave } = deferred<void>();
  shared.queue = turn.then(() => done);
  try {
    await abortable(turn, signal);
    await whileOthersRest(signal, task);
  } finally {
    leave();
  }
}

/** Insecure pages have no locks, and opaque origins have some that cannot be had: there this page is all that is known. */
async function whileOthersRest(signal: AbortSignal, task: () => Promise<void>): Promise<void> {
  const locks = typeof navigator === "undefined" ? undefined : navigator.locks;
  if (!locks) return task();
  let begun = false;
  const begin = () => {
    begun = true;
    return task();
  };
  try {
    await locks.request("tfjs_magic.benchmark", { signal }, begin);
  } catch (error) {
    if (begun || signal.aborted) throw error;
    await task();
  }
}
