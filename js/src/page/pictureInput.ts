/** Pictures as a model takes them: the bytes of a canvas, in the range that it was trained on. */
import { isRecord } from "../guards";
import type { Feed } from "../protocol";

/** What the numbers of a picture become; its bytes are 0 to 255. Twin of PIXELS in tfjs_magic/options.py. */
export const PIXELS = ["0..1", "-1..1", "0..255"] as const;
export type Pixels = (typeof PIXELS)[number];

/** Source: tfjs_magic/bench/pictures.py. `shape` is [1, height, width, channels]. */
export type PictureInput = {
  input: string;
  dtype: "float32" | "int32";
  shape: [number, number, number, number];
  pixels: Pixels | null;
  class_names: string[] | null;
};

/** One entry per model; null for one that takes no picture, or that this version does not know. */
export function parsePictures(value: unknown): (PictureInput | null)[] {
  return Array.isArray(value) ? value.map((one) => (isPictureInput(one) ? one : null)) : [];
}

function isPictureInput(value: unknown): value is PictureInput {
  if (!isRecord(value)) return false;
  const { input, dtype, shape, pixels, class_names: names } = value;
  const isSide = (side: unknown) => Number.isInteger(side) && Number(side) > 0;
  return (
    typeof input === "string" &&
    (dtype === "float32" || dtype === "int32") &&
    Array.isArray(shape) &&
    shape.length === 4 &&
    shape.every(isSide) &&
    (pixels === null || PIXELS.some((known) => known === pixels)) &&
    (names === null || (Array.isArray(names) && names.every((name) => typeof name === "string")))
  );
}

/**
 * Draw a picture over the whole of a canvas that has the input's size, whatever its proportions, and give its bytes.
 * An `img`, since of an ImageBitmap Chromium reads single pixels where the canvas is much smaller.
 */
export function drawn(canvas: HTMLCanvasElement, image: HTMLImageElement, { shape }: PictureInput): ImageData {
  const [, height, width] = shape;
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This browser gives no canvas to draw the picture on.");
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** The tensor that tf.browser.fromPixels makes of the bytes, one channel being red, brought into the range. */
export function pictureFeed({ data }: Pick<ImageData, "data">, picture: PictureInput, pixels: Pixels): Feed {
  const { input: name, dtype, shape } = picture;
  const channels = shape[3];
  const count = (data.length / 4) * channels;
  const values = dtype === "int32" ? new Int32Array(count) : new Float32Array(count);
  for (let i = 0; i < count; i++) {
    values[i] = inRange(data[4 * Math.floor(i / channels) + (i % channels)] ?? 0, pixels);
  }
  return { tensors: [{ name, dtype, shape: [...shape], values: null }], buffers: [values.buffer] };
}

/** In float32, step by step, as TF.js computes it. */
function inRange(value: number, pixels: Pixels): number {
  if (pixels === "0..255") return value;
  return pixels === "0..1" ? value / 255 : Math.fround(value / 127.5) - 1;
}
