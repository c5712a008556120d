/** What we use of anywidget's model. */
export type Model = {
  get(name: string): unknown;
  on(event: string, callback: (message: unknown, buffers: unknown) => void): void;
  off(event: string, callback: (message: unknown, buffers: unknown) => void): void;
  send(content: unknown, callbacks?: undefined, buffers?: ArrayBufferView[]): void;
  /** Those below are missing where no front end is. */
  set?(name: string, value: unknown): void;
  save_changes?(): void;
  widget_manager?: unknown;
  /** No message is lost on the way, so that no answer is ever overdue. */
  lossless?: boolean;
};
