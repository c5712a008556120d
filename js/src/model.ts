/** What we use of anywidget's model. */
export type Model = {
  get(name: string): unknown;
  on(event: string, callback: (message: unknown, buffers: unknown) => void): void;
  off(event: string, callback: (message: unknown, buffers: unknown) => void): void;
  send(content: unknown, callbacks?: undefined, buffers?: ArrayBufferView[]): void;
  widget_manager?: unknown;
};
