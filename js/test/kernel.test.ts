import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KernelClient, KernelGoneError } from "../src/kernel";
import type { Model } from "../src/model";
import type { Waiting } from "../src/waiting";

type Listener = (message: unknown, buffers: unknown) => void;
type StatusListener = (sender: unknown, status: unknown) => void;

/** A model whose kernel only does what a test tells it. */
class FakeModel implements Model {
  sent: { kind: string; id: number }[] = [];
  listeners = new Map<string, Listener>();
  widget_manager: unknown;
  get = () => undefined;
  on(event: string, listener: Listener): void {
    this.listeners.set(event, listener);
  }
  off(event: string): void {
    this.listeners.delete(event);
  }
  send(content: unknown): void {
    this.sent.push(content as { kind: string; id: number });
  }
  answer(message: unknown, buffers: unknown = []): void {
    this.listeners.get("msg:custom")?.(message, buffers);
  }
}

/** What JupyterLab's widget manager shows of its kernel. */
class FakeKernel {
  status = "idle";
  connectionStatus = "connected";
  requestKernelInfo: (() => Promise<void>) | undefined = undefined;
  listeners = new Set<StatusListener>();
  statusChanged = {
    connect: (listener: StatusListener) => this.listeners.add(listener),
    disconnect: (listener: StatusListener) => this.listeners.delete(listener),
  };
  become(status: string): void {
    this.status = status;
    for (const listener of [...this.listeners]) listener(this, status);
  }
}

let model: FakeModel;
let kernel: FakeKernel;

beforeEach(() => {
  vi.useFakeTimers();
  model = new FakeModel();
  kernel = new FakeKernel();
});
afterEach(() => {
  vi.useRealTimers();
});

function labClient(): KernelClient {
  model.widget_manager = { kernel };
  return new KernelClient(model);
}

/** Record how a promise ends, so that no rejection stays unhandled. */
function outcome<T>(promise: Promise<T>): { value?: T; error?: unknown } {
  const result: { value?: T; error?: unknown } = {};
  promise.then(
    (value) => Object.assign(result, { value }),
    (error) => Object.assign(result, { error }),
  );
  return result;
}

describe("answers", () => {
  it("are matched by id, in any order", async () => {
    const client = labClient();
    const first = client.request({ kind: "get_weights", model: 0, offset: 0, length: 4 });
    const second = client.request({ kind: "get_weights", model: 0, offset: 4, length: 4 });
    model.answer({ kind: "weights", id: 2, offset: 4, crc32: 2 });
    model.answer({ kind: "weights", id: 1, offset: 0, crc32: 1 });
    expect((await first).message.offset).toBe(0);
    expect((await second).message.offset).toBe(4);
  });

  it("give exactly the bytes of a view into a larger buffer", async () => {
    const client = labClient();
    const request = client.request({ kind: "get_asset", name: "page.js" });
    const { buffer } = Uint8Array.of(9, 9, 1, 2, 9);
    const message = { kind: "asset", id: 1, encoding: "gzip" };
    model.answer(message, [new DataView(buffer, 2, 2)]);
    expect([...((await request).buffers[0] ?? [])]).toEqual([1, 2]);
  });

  it("of kind failed reject with the kernel's own error", async () => {
    const client = labClient();
    const request = client.request({ kind: "get_model", model: 9 });
    model.answer({ kind: "failed", id: 1, error: { name: "IndexError", message: "no model 9", stack: "tb" } });
    await expect(request).rejects.toMatchObject({ name: "IndexError", message: "no model 9", stack: "tb" });
  });

  it("of the wrong or an unknown kind reject rather than wait", async () => {
    const client = labClient();
    const wrong = client.request({ kind: "get_model", model: 0 });
    model.answer({ kind: "ack", id: 1 });
    await expect(wrong).rejects.toThrow("answered 'get_model' with 'ack'");
    const unknown = client.request({ kind: "get_model", model: 0 });
    model.answer({ kind: "novelty", id: 2 });
    await expect(unknown).rejects.toThrow("kind 'novelty'");
  });
});

describe("time-outs", () => {
  it("send again after 10 s of an idle kernel and give up after four attempts", async () => {
    const client = labClient();
    const result = outcome(client.request({ kind: "get_model", model: 0 }));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(model.sent.map(({ id }) => id)).toEqual([1, 1]);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(model.sent).toHaveLength(4);
    expect(String(result.error)).toContain("did not answer 'get_model' within 40 s");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("do not count while the kernel is busy or disconnected", async () => {
    const client = labClient();
    kernel.become("busy");
    const result = outcome(client.request({ kind: "get_model", model: 0 }));
    await vi.advanceTimersByTimeAsync(3_600_000);
    kernel.become("idle");
    kernel.connectionStatus = "connecting";
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(model.sent).toHaveLength(1);
    expect(result).toEqual({});
    model.answer({ kind: "ack", id: 1 });
  });

  it("do not count while the status says idle but the kernel answers nothing, asked one thing only", async () => {
    const asked: (() => void)[] = [];
    let running = true;
    kernel.requestKernelInfo = () => (running ? new Promise((resolve) => asked.push(resolve)) : Promise.resolve());
    const client = labClient();
    const result = outcome(client.request({ kind: "get_model", model: 0 }));
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(model.sent).toHaveLength(1);
    expect(asked).toHaveLength(1);
    running = false;
    asked[0]?.();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(model.sent).toHaveLength(4);
    expect(String(result.error)).toContain("did not answer");
  });

  it("where the front end does not tell the kernel's state come later each time, and end", async () => {
    const client = new KernelClient(model);
    const result = outcome(client.request({ kind: "get_model", model: 0 }));
    for (const [count, seconds] of [10, 30, 120].entries()) {
      await vi.advanceTimersByTimeAsync(1000 * seconds - 1000);
      expect(model.sent).toHaveLength(count + 1);
      await vi.advanceTimersByTimeAsync(1000);
      expect(model.sent).toHaveLength(count + 2);
    }
    await vi.advanceTimersByTimeAsync(599_000);
    expect(result).toEqual({});
    await vi.advanceTimersByTimeAsync(1000);
    expect(model.sent).toHaveLength(4);
    expect(String(result.error)).toMatch(/did not answer 'get_model' within 13 minutes, asked 4 times.*Run again/);
  });

  it("never come where no message can be lost", async () => {
    const client = new KernelClient(Object.assign(model, { lossless: true }));
    const result = outcome(client.request({ kind: "get_model", model: 0 }));
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(model.sent).toHaveLength(1);
    expect(result).toEqual({});
  });
});

describe("waiting", () => {
  it("is announced when an answer is late and taken back when it comes", async () => {
    const client = labClient();
    kernel.become("busy");
    const states: Waiting[] = [];
    client.onWaiting((waiting) => states.push(waiting), new AbortController().signal);
    const request = client.request({ kind: "picture", page: "p", svg: "" });
    await vi.advanceTimersByTimeAsync(500);
    expect(states).toEqual([null]);
    await vi.advanceTimersByTimeAsync(500);
    expect(states).toEqual([null, "busy"]);
    model.answer({ kind: "ack", id: 1 });
    await request;
    expect(states).toEqual([null, "busy", null]);
  });

  it("for a lost connection is told from waiting for a cell", async () => {
    const client = labClient();
    kernel.connectionStatus = "connecting";
    const states: Waiting[] = [];
    client.onWaiting((waiting) => states.push(waiting), new AbortController().signal);
    const request = client.request({ kind: "picture", page: "p", svg: "" });
    await vi.advanceTimersByTimeAsync(1000);
    kernel.connectionStatus = "connected";
    kernel.become("busy");
    await vi.advanceTimersByTimeAsync(1000);
    expect(states).toEqual([null, "disconnected", "busy"]);
    model.answer({ kind: "ack", id: 1 });
    await request;
  });

  it("for a lost connection counts requests in the background too", async () => {
    const client = labClient();
    kernel.connectionStatus = "connecting";
    const states: Waiting[] = [];
    client.onWaiting((waiting) => states.push(waiting), new AbortController().signal);
    const request = client.request({ kind: "picture", page: "p", svg: "" }, { background: true });
    await vi.advanceTimersByTimeAsync(1000);
    kernel.connectionStatus = "connected";
    await vi.advanceTimersByTimeAsync(250);
    expect(states).toEqual([null, "disconnected", null]);
    model.answer({ kind: "ack", id: 1 });
    await request;
  });

  it("does not count requests in the background", async () => {
    const client = labClient();
    kernel.become("busy");
    const states: Waiting[] = [];
    client.onWaiting((waiting) => states.push(waiting), new AbortController().signal);
    const request = client.request({ kind: "picture", page: "p", svg: "" }, { background: true });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states).toEqual([null]);
    model.answer({ kind: "ack", id: 1 });
    await request;
  });
});

describe("death", () => {
  it.each(["restarting", "autorestarting", "dead", "terminating", "starting"])(
    "by '%s' rejects everything, now and later",
    async (status) => {
      const client = labClient();
      const pending = outcome(client.request({ kind: "get_model", model: 0 }));
      kernel.become(status);
      kernel.become("idle");
      await vi.advanceTimersByTimeAsync(0);
      expect(pending.error).toBeInstanceOf(KernelGoneError);
      await expect(client.request({ kind: "get_model", model: 0 })).rejects.toThrow("Run the cell again");
      expect(kernel.listeners.size).toBe(0);
      expect(model.listeners.size).toBe(0);
    },
  );

  it("is seen when another kernel has taken the place", async () => {
    const manager = { kernel };
    model.widget_manager = manager;
    const client = new KernelClient(model);
    const pending = outcome(client.request({ kind: "get_model", model: 0 }));
    manager.kernel = new FakeKernel();
    await vi.advanceTimersByTimeAsync(250);
    expect(pending.error).toBeInstanceOf(KernelGoneError);
  });

  it("of the connection while sending rejects that request", async () => {
    const client = labClient();
    model.send = () => {
      throw new Error("Kernel is dead");
    };
    await expect(client.request({ kind: "get_model", model: 0 })).rejects.toThrow("Kernel is dead");
    expect(vi.getTimerCount()).toBe(0);
  });
});

it("an aborted request rejects with the signal's reason and is forgotten", async () => {
  const client = labClient();
  const abort = new AbortController();
  const request = client.request({ kind: "get_model", model: 0 }, { signal: abort.signal });
  abort.abort(new Error("stopped"));
  await expect(request).rejects.toThrow("stopped");
  expect(vi.getTimerCount()).toBe(0);
  await expect(client.request({ kind: "get_model", model: 0 }, { signal: abort.signal })).rejects.toThrow("stopped");
  expect(model.sent).toHaveLength(1);
});

describe("the end of a run", () => {
  it("is a trait that the page sets, for front ends that run cells again for it", () => {
    const traits = new Map<string, unknown>([["ended", 1]]);
    const save_changes = vi.fn();
    const get = (name: string) => traits.get(name);
    const set = (name: string, value: unknown) => void traits.set(name, value);
    new KernelClient(Object.assign(model, { get, set, save_changes })).tellEnd();
    expect(traits.get("ended")).toBe(2);
    expect(save_changes).toHaveBeenCalledOnce();
    labClient().tellEnd();
    expect(traits.get("ended")).toBe(2);
  });

  it("is nobody's to hear where the kernel is gone", () => {
    const save_changes = () => {
      throw new Error("Kernel is dead");
    };
    const set = vi.fn();
    expect(() => new KernelClient(Object.assign(model, { set, save_changes })).tellEnd()).not.toThrow();
    expect(set).toHaveBeenCalledOnce();
  });
});
