/** The one way in which this package makes elements: text only ever as text. */

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
