/** What the tests use of jsdom; its published types would bring Node's globals into the page's code. */
declare module "jsdom" {
  export class JSDOM {
    readonly window: Window & typeof globalThis;
  }
}
