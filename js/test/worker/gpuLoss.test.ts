import { expect, it, vi } from "vitest";
import { GpuLostError, watchGpu } from "../../src/worker/gpuLoss";

it("sees that a WebGL context is lost, and tells once", () => {
  const gl = { lost: false, isContextLost: () => gl.lost, canvas: new EventTarget() };
  const onLost = vi.fn();
  const isLost = watchGpu({ gpgpu: { gl } }, onLost);
  expect(isLost()).toBe(false);
  gl.lost = true;
  expect(isLost()).toBe(true);
  gl.canvas.dispatchEvent(new Event("webglcontextlost"));
  gl.canvas.dispatchEvent(new Event("webglcontextlost"));
  expect(onLost).toHaveBeenCalledTimes(1);
});

it("sees that a WebGPU device is lost", async () => {
  let lose: (info: unknown) => void = () => undefined;
  const lost = new Promise((resolve) => {
    lose = resolve;
  });
  const onLost = vi.fn();
  const isLost = watchGpu({ device: { lost } }, onLost);
  expect(isLost()).toBe(false);
  lose({ reason: "unknown" });
  await lost;
  expect(isLost()).toBe(true);
  expect(onLost).toHaveBeenCalledTimes(1);
});

it.each([{}, { gpgpu: null }, { device: 3 }])("has nothing to lose in %o", (backend) => {
  expect(watchGpu(backend, vi.fn())()).toBe(false);
});

it("says what was thrown", () => {
  expect(new GpuLostError(new Error("Failed to link")).message).toContain("lost the GPU: its driver");
  expect(new GpuLostError(new Error("Failed to link")).message).toContain("(Failed to link)");
  expect(new GpuLostError().message).not.toContain("(");
});
