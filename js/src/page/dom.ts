/** The one way in which this package makes elements, text only ever as text, and replaces them. */

type Attributes = Record<string, string>;

export type Make = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes?: Attributes,
  ...children: (Node | string)[]
) => HTMLElementTagNameMap[K];

/** Elements of the document that the view stands in, which need not be the global one. */
export function maker(document: Document): Make {
  return (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
}

/** A redraw must not throw a keyboard user out of a button, nor fold what a reader has unfolded. */
export function redraw(container: HTMLElement, content: readonly Node[]): void {
  const buttons = () => [...container.querySelectorAll("button")];
  const details = () => [...container.querySelectorAll("details")];
  const focused = container.ownerDocument.activeElement;
  const index = buttons().findIndex((button) => button.isSameNode(focused));
  const unfolded = details().map((one) => one.open);
  container.replaceChildren(...content);
  if (index >= 0) buttons()[index]?.focus();
  for (const [i, one] of details().entries()) one.open = unfolded[i] ?? false;
}
