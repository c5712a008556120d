/** What a model is given of a picture is what TF.js gives it; of what it answers the largest values are shown. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { describe, expect, it } from "vitest";
import { PIXELS, type PictureInput, parsePictures, pictureFeed } from "../src/page/pictureInput";
import { topOutputs } from "../src/page/topOutputs";
import type { Feed } from "../src/protocol";

const [HEIGHT, WIDTH] = [5, 7];
const DATA = Uint8ClampedArray.from({ length: 4 * HEIGHT * WIDTH }, (_, i) => (i * 97 + 13) % 256);

function picture(channels: number, dtype: "float32" | "int32" = "float32"): PictureInput {
  return { input: "image", dtype, shape: [1, HEIGHT, WIDTH, channels], pixels: null, class_names: null };
}

describe("the tensor of a picture", () => {
  const ranges = PIXELS.flatMap((pixels) => [1, 3, 4].map((channels) => ({ pixels, channels })));
  it.each(ranges)("$pixels of $channels channels is TF.js's", ({ pixels, channels }) => {
    const { tensors, buffers } = pictureFeed({ data: DATA }, picture(channels), pixels);
    const wanted = tf.tidy(() => {
      const bytes = tf.browser.fromPixels({ data: new Uint8Array(DATA), width: WIDTH, height: HEIGHT }, channels);
      const numbers = tf.cast(bytes, "float32");
      if (pixels === "0..255") return numbers;
      return pixels === "0..1" ? tf.div(numbers, 255) : tf.sub(tf.div(numbers, 127.5), 1);
    });
    expect(tensors).toEqual([{ name: "image", dtype: "float32", shape: [1, HEIGHT, WIDTH, channels], values: null }]);
    expect(new Float32Array(buffers[0] ?? new ArrayBuffer())).toEqual(Float32Array.from(wanted.dataSync()));
  });

  it("of integers are its bytes", () => {
    const { buffers } = pictureFeed({ data: DATA }, picture(4, "int32"), "0..255");
    expect(new Int32Array(buffers[0] ?? new ArrayBuffer())).toEqual(Int32Array.from(DATA));
  });
});

describe("which models take a picture", () => {
  it("says the kernel", () => {
    expect(parsePictures([picture(3), null])).toEqual([picture(3), null]);
  });

  it.each([
    { ...picture(3), shape: [1, 0, 2, 3] },
    { ...picture(3), shape: [4, 4, 3] },
    { ...picture(3), dtype: "string" },
    { ...picture(3), pixels: "0..2" },
    { ...picture(3), class_names: [1] },
    "text",
  ])("and nothing else: %j", (value) => {
    expect(parsePictures([value])).toEqual([null]);
  });

  it("no list is none", () => {
    expect(parsePictures(undefined)).toEqual([]);
  });
});

function outputs(...lists: { name: string; shape: number[]; values: number[] }[]): Feed {
  const tensors = lists.map(({ name, shape }) => ({ name, shape, dtype: "float32", values: null }));
  return { tensors, buffers: lists.map(({ values }) => new Float32Array(values).buffer) };
}

describe("the largest values", () => {
  const shares = { name: "y", shape: [1, 4], values: [0.125, 0.5, 0.125, 0.25] };

  it("stand by falling value, equal ones by their place", () => {
    const top = topOutputs(outputs(shares), ["a", "b", "c", "d"]);
    expect(top?.rows.map(({ name }) => name)).toEqual(["b", "d", "a", "c"]);
    expect(top?.shares).toBe(true);
  });

  it("are five at most, under their numbers without names", () => {
    const top = topOutputs(outputs({ name: "y", shape: [1, 7], values: [1, 7, 3, 4, 5, 6, Number.NaN] }), null);
    expect(top?.rows.map(({ name }) => name)).toEqual(["1", "5", "4", "3", "2"]);
    expect(top?.shares).toBe(false);
  });

  it("are those of the output that the names fit", () => {
    const other = { name: "mask", shape: [1, 2, 2, 1], values: [1, 2, 3, 4] };
    const top = topOutputs(outputs(other, { name: "x", shape: [1, 2], values: [1, 2] }, shares), ["a", "b", "c", "d"]);
    expect(top?.output).toBe("y");
  });

  it("need a list", () => {
    expect(topOutputs(outputs({ name: "mask", shape: [1, 2, 2, 1], values: [1, 2, 3, 4] }), null)).toBeNull();
  });
});
