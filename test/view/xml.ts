// A strict little reader of XML, enough to tell whether a browser would accept an SVG file: it throws at the first fault.

export interface XmlNode {
  name: string;
  attributes: Record<string, string>;
  children: XmlNode[];
  /** Text of this element and of all inside it, entities resolved. */
  text: string;
}

const TOKEN = /<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/y;
const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

export function parseXml(source: string): XmlNode {
  const top: XmlNode = { name: "", attributes: {}, children: [], text: "" };
  const open = [top];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(source);
    if (!token) throw new Error(`not XML at ${at}: ${source.slice(at, at + 60)}`);
    const [, closing, name, attributes, single, text] = token;
    if (text !== undefined) for (const node of open) node.text += resolved(text);
    else if (closing) {
      if (open.length < 2 || open.pop()!.name !== name) throw new Error(`</${name}> closes nothing at ${at}`);
    } else {
      const node: XmlNode = { name: name!, attributes: attributesOf(attributes!), children: [], text: "" };
      open.at(-1)!.children.push(node);
      if (!single) open.push(node);
    }
  }
  if (open.length !== 1 || top.children.length !== 1) throw new Error("not exactly one root element");
  return top.children[0]!;
}

/** All elements of a name, in document order. */
export function elementsOf(node: XmlNode, name: string): XmlNode[] {
  return node.children.flatMap((child) => (child.name === name ? [child] : []).concat(elementsOf(child, name)));
}

function attributesOf(source: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [, name, value] of source.matchAll(/([\w:-]+)="([^"]*)"/g)) {
    if (name! in out) throw new Error(`attribute ${name} twice`);
    out[name!] = resolved(value!);
  }
  return out;
}

function resolved(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what XML forbids
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text)) throw new Error("forbidden character");
  return text.replace(/&([^;&]*);?/g, (whole, name: string) => {
    if (!(name in ENTITIES) || !whole.endsWith(";")) throw new Error(`bad entity ${whole}`);
    return ENTITIES[name]!;
  });
}
