import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { inPageQueue, oncePerPage, pageShared } from "../src/pageShared";
import { deferred } from "../src/promises";

const isString = (value: unknown): value is string => typeof value === "string";
const never = new AbortController().signal;

beforeEach(() => {
  pageShared().files.clear();
});

describe("inPageQueue", () => {
  it("runs one task at a time, in order", async () => {
    const gate = deferred<void>();
    const log: string[] = [];
    const first = inPageQueue(never, async () => {
      log.push("first begins");
      await gate.promise;
      log.push("first ends");
    });
    const second = inPageQueue(never, async () => void log.push("second"));
    await Promise.resolve();
    gate.resolve();
    await Promise.all([first, second]);
    expect(log).toEqual(["first begins", "first ends", "second"]);
  });

  it("goes on after a task that failed", async () => {
    const failing = inPageQueue(never, async () => {
      throw new Error("broken");
    });
    let ran = false;
    const next = inPageQueue(never, async () => {
      ran = true;
    });
    await expect(failing).rejects.toThrow("broken");
    await next;
    expect(ran).toBe(true);
  });

  it("lets who waits leave at once, and keeps the order of the others", async () => {
    const gate = deferred<void>();
    const log: string[] = [];
    const first = inPageQueue(never, () => gate.promise);
    const abort = new AbortController();
    const left = inPageQueue(abort.signal, async () => void log.push("left"));
    const third = inPageQueue(never, async () => void log.push("third"));
    abort.abort(new Error("stopped"));
    await expect(left).rejects.toThrow("stopped");
    expect(log).toEqual([]);
    gate.resolve();
    await Promise.all([first, third]);
    expect(log).toEqual(["third"]);
  });
});

describe("inPageQueue among pages of one origin", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("runs a task that fails under a lock once, and gives its error", async () => {
    let count = 0;
    const request = async (_name: string, _options: unknown, task: () => Promise<void>) => task();
    vi.stubGlobal("navigator", { locks: { request } });
    const failing = inPageQueue(never, async () => {
      count += 1;
      throw new Error("broken");
    });
    await expect(failing).rejects.toThrow("broken");
    expect(count).toBe(1);
  });

  it("runs where the locks cannot be had, unless it was stopped", async () => {
    let count = 0;
    const task = async () => {
      count += 1;
    };
    const request = () => Promise.reject(new DOMException("no locks in an opaque origin", "SecurityError"));
    vi.stubGlobal("navigator", { locks: { request } });
    await inPageQueue(never, task);
    expect(count).toBe(1);
    await expect(inPageQueue(AbortSignal.abort(new Error("stopped")), task)).rejects.toThrow("stopped");
    expect(count).toBe(1);
  });
});

describe("oncePerPage", () => {
  it("makes a value once, also for callers at the same time", async () => {
    let made = 0;
    const make = async () => {
      made += 1;
      return "value";
    };
    const values = await Promise.all([oncePerPage("k", isString, make), oncePerPage("k", isString, make)]);
    expect(values).toEqual(["value", "value"]);
    expect(made).toBe(1);
  });

  it("lets a waiting caller make its own when the first one fails", async () => {
    const gate = deferred<string>();
    const failing = oncePerPage("k", isString, () => gate.promise);
    const waiting = oncePerPage("k", isString, async () => "mine");
    gate.reject(new Error("removed"));
    await expect(failing).rejects.toThrow("removed");
    expect(await waiting).toBe("mine");
    expect(await oncePerPage("k", isString, async () => "late")).toBe("mine");
  });
});
