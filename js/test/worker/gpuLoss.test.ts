import { expect, it } from "vitest";
import { GpuLostError, watchGpu } from "../../src/worker/gpuLoss";

it("sees that a WebGL context is lost", () => {
  const gl = { lost: false, isContextLost: () => gl.lost };
  const isLost = watchGpu({ gpgpu: { gl } });
  expect(isLost()).toBe(false);
  gl.lost = true;
  expect(isLost()).toBe(true);
});

it("sees that a WebGPU device is lost", async () => {
  let lose: (info: unknown) => void = () => undefined;
  const isLost = watchGpu({ device: { lost: new Promise((resolve) => (lose = resolve)) } });
  expect(isLost()).toBe(false);
  lose({ reason: "unknown" });
  await Promise.resolve();
  expect(isLost()).toBe(true);
});

it.each([{}, { gpgpu: null }, { device: 3 }])("has nothing to lose in %o", (backend) => {
  expect(watchGpu(backend)()).toBe(false);
});

it("says what was thrown", () => {
  expect(new GpuLostError(new Error("Failed to link")).message).toContain("lost the GPU: its driver");
  expect(new GpuLostError(new Error("Failed to link")).message).toContain("(Failed to link)");
  expect(new GpuLostError().message).not.toContain("(");
});
