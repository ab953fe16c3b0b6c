/**
 * Markdown of messages: JupyterLab's own parser and sanitizer, never trusted, with what `imageGuard` takes away, with
 * mentions marked, and with buttons at code.
 */
import {
  IRenderMime,
  IRenderMimeRegistry,
  markdownRendererFactory,
  RenderedMarkdown
} from '@jupyterlab/rendermime';

import { disarmDiagrams, guardImages, IGuardWords } from './imageGuard';

/** What messages are rendered with, beside JupyterLab's own. */
export interface IMarkdownOptions {
  words: IGuardWords;
  /** Whether somebody is called so, and is marked where a message mentions them. */
  isMentioned: (name: string) => boolean;
  /** Buttons for a piece of code. */
  codeBar: (code: string, language: string) => HTMLElement;
}

/** A registry that renders messages' Markdown; all else is as in JupyterLab's. */
export function chatRendermime(
  registry: IRenderMimeRegistry,
  options: IMarkdownOptions
): IRenderMimeRegistry {
  const { sanitizer, markdownParser } = registry;
  const clone = registry.clone({
    sanitizer: new GuardedSanitizer(sanitizer, options),
    markdownParser: {
      render: async text =>
        (await markdownParser?.render(disarmDiagrams(text))) ?? escaped(text)
    }
  });
  clone.addFactory({
    ...markdownRendererFactory,
    createRenderer: created => new ChatMarkdown(created, options.codeBar)
  });
  return clone;
}

/** JupyterLab's sanitizer, and then the guard. */
class GuardedSanitizer implements IRenderMime.ISanitizer {
  constructor(
    private readonly _inner: IRenderMime.ISanitizer,
    private readonly _options: IMarkdownOptions
  ) {}

  get allowNamedProperties(): boolean {
    return false;
  }

  getAutolink(): boolean {
    return this._inner.getAutolink?.() ?? true;
  }

  sanitize(dirty: string, options?: IRenderMime.ISanitizerOptions): string {
    const { words, isMentioned } = this._options;
    const clean = this._inner.sanitize(dirty, options);
    return markMentions(guardImages(clean, words), isMentioned);
  }
}

/** A message's Markdown: whoever asks, it is not trusted. */
class ChatMarkdown extends RenderedMarkdown {
  constructor(
    options: IRenderMime.IRendererOptions,
    private readonly _codeBar: IMarkdownOptions['codeBar']
  ) {
    super(options);
  }

  async render(model: IRenderMime.IMimeModel): Promise<void> {
    const { data, metadata } = model;
    const setData = model.setData.bind(model);
    await super.render({ data, metadata, setData, trusted: false });
    this.node
      .querySelectorAll('.jp-InternalAnchorLink')
      .forEach(link => link.remove());
    for (const block of this.node.querySelectorAll('pre')) {
      const language =
        /language-(\S+)/.exec(block.firstElementChild?.className ?? '') ?? [];
      const code = (block.textContent ?? '').replace(/\n$/, '');
      // Long lines are scrolled, with the keyboard too.
      block.tabIndex = 0;
      block.before(this._codeBar(code, language[1] ?? ''));
    }
  }
}

const MENTION = /(^|[\s(])@([\p{L}\p{N}_.-]*[\p{L}\p{N}_])/gu;
const NOT_IN = 'a, code, pre';

/** Mark names of people in text, not in code or links. */
export function markMentions(
  html: string,
  isMentioned: (name: string) => boolean
): string {
  if (!html.includes('@')) {
    return html;
  }
  const page = new DOMParser().parseFromString(html, 'text/html');
  const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  while (walker.nextNode()) {
    texts.push(walker.currentNode as Text);
  }
  texts
    .filter(text => !text.parentElement?.closest(NOT_IN))
    .forEach(text => markText(text, page, isMentioned));
  return page.body.innerHTML;
}

function markText(
  text: Text,
  page: Document,
  isMentioned: (name: string) => boolean
): void {
  const parts: (string | Node)[] = [];
  let end = 0;
  for (const match of text.data.matchAll(MENTION)) {
    const [whole, before = '', name = ''] = match;
    if (isMentioned(name)) {
      const start = match.index + before.length;
      const mark = page.createElement('span');
      mark.className = 'jp-WsHub-mention';
      mark.textContent = `@${name}`;
      parts.push(text.data.slice(end, start), mark);
      end = match.index + whole.length;
    }
  }
  if (parts.length > 0) {
    text.replaceWith(...parts, text.data.slice(end));
  }
}

function escaped(text: string): string {
  const holder = document.createElement('pre');
  holder.textContent = text;
  return holder.outerHTML;
}
