// @vitest-environment node
import { expect, test, vi } from "vitest";
import { fromBase64, toBase64 } from "../src/headless/base64";
import { Bridge } from "../src/headless/bridge";

const NOTHING = JSON.stringify({ traits: {}, replies: [] });
const plain = (sent: Uint8Array) => btoa(Array.from(sent, (byte) => String.fromCharCode(byte)).join(""));
const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7) % 256);

test("buffers come and go as they are, with the browser's functions and without", () => {
  for (const length of [0, 1, 2, 3, 20_000]) {
    const sent = bytes(length);
    const text = plain(sent);
    expect(toBase64(sent)).toBe(text);
    expect(fromBase64(text)).toEqual(sent);
  }
});

test("only the bytes of a view are sent", () => {
  expect(toBase64(new DataView(bytes(10).buffer, 2, 3))).toBe(plain(bytes(10).subarray(2, 5)));
});

test("traits are set before their listeners and after the replies' are called", async () => {
  const bridge = new Bridge();
  const heard: unknown[] = [];
  bridge.on("msg:custom", (content, buffers) => heard.push(content, buffers));
  bridge.on("change:snapshot", () => heard.push(bridge.get("snapshot")));
  bridge.put("AQ==", false);
  bridge.put("Ag==", true);
  bridge.put("Aw==", true);
  const replies = [
    { content: "first", buffers: 0 },
    { content: "second", buffers: 2 },
  ];
  expect(await bridge.exchange(JSON.stringify({ traits: { snapshot: 7 }, replies }), 0)).toBe("[]");
  expect(heard).toEqual(["first", [], "second", [Uint8Array.of(1, 2), Uint8Array.of(3)], 7]);
});

test("a message ends the wait, and waits itself where nobody does", async () => {
  const bridge = new Bridge();
  const answer = bridge.exchange(NOTHING, 60_000);
  bridge.send({ kind: "a" }, undefined, [Uint8Array.of(1)]);
  expect(JSON.parse(await answer)).toEqual([{ content: { kind: "a" }, buffers: ["AQ=="] }]);
  bridge.send({ kind: "b" });
  expect(JSON.parse(await bridge.exchange(NOTHING, 60_000))).toEqual([{ content: { kind: "b" }, buffers: [] }]);
});

test("an answer is bounded: what is more comes with the next one", { timeout: 60_000 }, async () => {
  const bridge = new Bridge();
  for (let i = 0; i < 3; i++) bridge.send(i, undefined, [new Uint8Array(5 * 2 ** 20)]);
  const [first, second] = [await bridge.exchange(NOTHING, 0), await bridge.exchange(NOTHING, 0)].map((t) =>
    JSON.parse(t),
  );
  expect([first.length, second.length]).toEqual([2, 1]);
  expect([...first, ...second].map(({ content }) => content)).toEqual([0, 1, 2]);
});

test("a listener that is taken off hears nothing", async () => {
  const bridge = new Bridge();
  const listener = vi.fn();
  bridge.on("msg:custom", listener);
  bridge.off("msg:custom", listener);
  await bridge.exchange(JSON.stringify({ traits: {}, replies: [{ content: 1, buffers: 0 }] }), 0);
  expect(listener).not.toHaveBeenCalled();
});
