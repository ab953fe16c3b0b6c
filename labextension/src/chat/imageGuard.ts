/**
 * What may stand in a message, beyond what JupyterLab's sanitizer takes away: nothing that makes the browser ask a
 * server for something, and nothing that acts when it is clicked except links that open elsewhere.
 *
 * A message can be the work of a model that was told by a document to leak what it knows: the address of an image is
 * enough for that. So elements, attributes and styles are let through by name, and every image that is not in the
 * message itself becomes a link. This happens to text, before any of it is in the page.
 */

/** Elements that stay; of others only what is in them. */
const ELEMENTS: ReadonlySet<string> = new Set(
  (
    'a abbr b bdi bdo blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure ' +
    'h1 h2 h3 h4 h5 h6 hr i img input ins kbd li mark ol p pre q rp rt ruby s samp small span strike strong sub ' +
    'summary sup table tbody td tfoot th thead time tr tt u ul var wbr'
  ).split(' ')
);

/** Attributes that stay, by element; `*`: on all. */
const ATTRIBUTES: { readonly [element: string]: readonly string[] } = {
  '*': ['dir', 'lang', 'title'],
  a: ['href'],
  col: ['span'],
  details: ['open'],
  img: ['src', 'alt', 'width', 'height'],
  input: ['type', 'checked', 'disabled'],
  li: ['value'],
  ol: ['start', 'type', 'reversed'],
  td: ['align', 'colspan', 'rowspan'],
  th: ['align', 'colspan', 'rowspan', 'scope'],
  time: ['datetime']
};

/** Classes that stay: those of highlighted code. */
const CODE_CLASS = /^(language-[\w+#.-]+|ͼ[\w-]+|cm-[\w-]+)$/;

const STYLES: ReadonlySet<string> = new Set([
  'background-color',
  'color',
  'font-style',
  'font-weight',
  'text-align',
  'text-decoration'
]);
const PLAIN_VALUE = /^[\w\s#%.,()-]+$/;
const FETCHING = /url|image|src|element|cross-fade|attr|var|env/i;

/** Images that are in the message itself. Not SVG, which can hold anything. */
const OWN_IMAGE = /^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+$/i;

/** Where a link may lead. */
const LINK = /^(https?:\/\/|mailto:)/i;

/** Attributes in which something to be fetched can stand. */
const SOURCES: readonly string[] = ['src', 'poster', 'data', 'href'];

/** Elements that show something from elsewhere. */
const SHOWING: ReadonlySet<string> = new Set([
  'audio',
  'embed',
  'iframe',
  'image',
  'img',
  'link',
  'object',
  'source',
  'track',
  'use',
  'video'
]);

/** The words for what is not shown. */
export interface IGuardWords {
  /** For an image's link, with its description, which may be empty, and the host it is on. */
  image(alt: string, host: string): string;
}

/** Look up no host of a link before it is clicked: a name in an address is enough to leak something. */
export function keepHostsQuiet(page: Document): void {
  const control = page.createElement('meta');
  control.httpEquiv = 'x-dns-prefetch-control';
  control.content = 'off';
  page.head.append(control);
}

/** HTML of which nothing is fetched when it is put into a page. */
export function guardImages(html: string, words: IGuardWords): string {
  const page = new DOMParser().parseFromString(html, 'text/html');
  // Backwards, so that what stands in an element is right before the element itself may go.
  [...page.body.querySelectorAll('*')]
    .reverse()
    .forEach(element => guardElement(element, page, words));
  return page.body.innerHTML;
}

function guardElement(
  element: Element,
  page: Document,
  words: IGuardWords
): void {
  const name = element.localName;
  const isOwnImage =
    name === 'img' && OWN_IMAGE.test(element.getAttribute('src') ?? '');
  if (SHOWING.has(name) && !isOwnImage) {
    element.replaceWith(...linksOf(element, page, words));
  } else if (!ELEMENTS.has(name) || !isHTML(element) || isButton(element)) {
    element.replaceWith(...element.childNodes);
  } else {
    guardAttributes(element);
  }
}

function isHTML(element: Element): boolean {
  return element.namespaceURI === 'http://www.w3.org/1999/xhtml';
}

/** An input that is no box of a task list. */
function isButton(element: Element): boolean {
  return (
    element.localName === 'input' && element.getAttribute('type') !== 'checkbox'
  );
}

function guardAttributes(element: Element): void {
  const allowed = ATTRIBUTES[element.localName] ?? [];
  const style = element.getAttribute('style');
  const classes = [...element.classList].filter(name => CODE_CLASS.test(name));
  for (const { name } of [...element.attributes]) {
    if (!allowed.includes(name) && !ATTRIBUTES['*']?.includes(name)) {
      element.removeAttribute(name);
    }
  }
  const kept = plainStyle(style ?? '');
  if (kept !== '') {
    element.setAttribute('style', kept);
  }
  if (classes.length > 0) {
    element.setAttribute('class', classes.join(' '));
  }
  if (element.localName === 'input') {
    element.setAttribute('disabled', '');
  }
  if (element.localName === 'a') {
    guardLink(element);
  }
}

/** A link opens elsewhere, and tells nobody where it was. */
function guardLink(element: Element): void {
  const address = element.getAttribute('href')?.trim() ?? '';
  if (LINK.test(address)) {
    element.setAttribute('href', address);
    element.setAttribute('target', '_blank');
    element.setAttribute('rel', 'noopener noreferrer nofollow');
    element.setAttribute('referrerpolicy', 'no-referrer');
  } else {
    element.removeAttribute('href');
  }
}

/** The declarations that only say how text looks. */
function plainStyle(style: string): string {
  return style
    .split(';')
    .map(declaration => declaration.trim())
    .filter(declaration => {
      const colon = declaration.indexOf(':');
      const name = declaration.slice(0, colon).trim().toLowerCase();
      const value = declaration.slice(colon + 1).trim();
      return (
        STYLES.has(name) && PLAIN_VALUE.test(value) && !FETCHING.test(value)
      );
    })
    .join('; ');
}

/** What stands for something that would be fetched: links to it, and what it has inside. */
function linksOf(
  element: Element,
  page: Document,
  words: IGuardWords
): (Node | string)[] {
  const alt = element.getAttribute('alt') ?? '';
  const links = SOURCES.map(name => element.getAttribute(name) ?? '')
    .filter(address => LINK.test(address.trim()))
    .map(address => {
      const link = page.createElement('a');
      link.setAttribute('href', address.trim());
      link.textContent = words.image(alt, hostOf(address));
      guardLink(link);
      return link;
    });
  const inside = [...element.childNodes];
  const hasWords = links.length > 0 || inside.length > 0;
  return hasWords ? [...links, ...inside] : [words.image(alt, '')];
}

function hostOf(address: string): string {
  try {
    return new URL(address).host;
  } catch {
    return '';
  }
}

/** A diagram's text is fetched from and run by its library: it is shown as text. The fence's words are changed so. */
export function disarmDiagrams(markdown: string): string {
  return markdown.replace(
    /(`{3,}|~{3,})([^\S\r\n]*)mermaid(?=\s*($|[\r\n]))/g,
    '$1$2mermaid-text'
  );
}
