import { afterEach, expect, it, vi } from "vitest";
import { shareFiles, siblingsFile } from "../src/siblings";

afterEach(() => {
  vi.unstubAllGlobals();
});

it("a frame that may have no channel asks the kernel", async () => {
  vi.stubGlobal("window", { parent: {} });
  const forbidden = class {
    constructor() {
      throw new DOMException("The operation is insecure.", "SecurityError");
    }
  };
  vi.stubGlobal("BroadcastChannel", forbidden);
  expect(() => shareFiles(new Map())).not.toThrow();
  expect(await siblingsFile("sha")).toBeUndefined();
});

it("a file comes from the frame that has it", async () => {
  vi.stubGlobal("window", { parent: {} });
  const file = new Blob(["code"]);
  shareFiles(new Map([["sha", Promise.resolve(file)]]));
  expect(await siblingsFile("sha")).toBeInstanceOf(Blob);
  expect(await siblingsFile("other")).toBeUndefined();
});
