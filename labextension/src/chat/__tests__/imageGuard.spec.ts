import { Sanitizer } from '@jupyterlab/apputils';
import { IRenderMime, RenderMimeRegistry } from '@jupyterlab/rendermime';
import { marked } from 'marked';

import { disarmDiagrams, guardImages, keepHostsQuiet } from '../imageGuard';
import { chatRendermime, markMentions } from '../markdown';

const EVIL = 'https://evil.test/x';
const words = {
  image: (alt: string, host: string) => `[image ${alt} ${host}]`
};
const guard = (html: string) => guardImages(html, words);

/** What was drawn last. */
let drawn: IRenderMime.IRenderer | null = null;

afterAll(() => drawn?.dispose());

/** A message as it is put into the page. */
async function rendered(markdown: string): Promise<HTMLElement> {
  const registry = new RenderMimeRegistry({
    sanitizer: new Sanitizer(),
    markdownParser: { render: async text => marked(text) }
  });
  const chat = chatRendermime(registry, {
    words,
    isMentioned: name => name === 'ada',
    codeBar: code =>
      Object.assign(document.createElement('div'), {
        className: 'bar',
        title: code
      })
  });
  drawn?.dispose();
  drawn = chat.createRenderer('text/markdown');
  const data = { 'text/markdown': markdown };
  await drawn.renderModel(chat.createModel({ data, trusted: true }));
  return drawn.node;
}

/** All that a browser would ask for in a piece of a page. */
function fetched(node: Element): string[] {
  const asking = /^(src|srcset|poster|data|background|ping|action|formaction)$/;
  return [...node.querySelectorAll('*')].flatMap(element =>
    [...element.attributes]
      .filter(
        ({ name, value }) =>
          (asking.test(name) && !value.startsWith('data:image/png')) ||
          (name === 'style' && /url|image/i.test(value)) ||
          (/href/.test(name) && element.localName !== 'a') ||
          name.startsWith('on')
      )
      .map(({ name }) => `${element.localName} ${name}`)
  );
}

const PAYLOADS: readonly string[] = [
  `![alt](${EVIL})`,
  `![alt](<${EVIL}> "title")`,
  `![alt][ref]\n\n[ref]: ${EVIL}`,
  `![ref]\n\n[ref]: ${EVIL}`,
  `[![alt](${EVIL})](https://example.org)`,
  `> - ![alt](${EVIL})`,
  `| a |\n| - |\n| ![alt](${EVIL}) |`,
  `<img src="${EVIL}">`,
  `<IMG SRC='${EVIL}'>`,
  `<img src=${EVIL} onerror=alert(1)>`,
  `<img\nsrc="${EVIL}"\n>`,
  `<img src="//evil.test/x">`,
  '<img src="/api/status">',
  '<img src="files/own.png">',
  `<img src="\tht\ntps://evil.test/x">`,
  `<img srcset="${EVIL} 1x, ${EVIL} 2x">`,
  `<img src="data:image/svg+xml;base64,PHN2Zz4=">`,
  `<img src="data:text/html;base64,PGI+">`,
  '<img src="attachment:x.png">',
  '<img src="blob:https://evil.test/x">',
  `<picture><source srcset="${EVIL}"><img src="${EVIL}"></picture>`,
  `<video poster="${EVIL}" src="${EVIL}" autoplay></video>`,
  `<video><source src="${EVIL}"><track src="${EVIL}"></video>`,
  `<audio src="${EVIL}" autoplay></audio>`,
  `<link rel="stylesheet" href="${EVIL}">`,
  `<link rel="preload" as="image" imagesrcset="${EVIL}">`,
  `<style>@import "${EVIL}"; b { background: url(${EVIL}) }</style><b>x</b>`,
  `<b style="background: url(${EVIL})">x</b>`,
  `<b style="background-image: URL('${EVIL}')">x</b>`,
  `<b style="color: red; list-style-image: url(${EVIL})">x</b>`,
  `<b style="background: image-set('${EVIL}' 1x)">x</b>`,
  `<b style="background: \\75rl(${EVIL})">x</b>`,
  `<b style="cursor: url(${EVIL}), auto">x</b>`,
  `<b style="content: url(${EVIL})">x</b>`,
  `<b style="background-color: var(--x, url(${EVIL}))">x</b>`,
  `<svg><image href="${EVIL}"/><image xlink:href="${EVIL}"/></svg>`,
  `<svg><use href="${EVIL}#a"/><feImage href="${EVIL}"/></svg>`,
  `<svg><style>* { fill: url(${EVIL}) }</style></svg>`,
  `<math><mtext><img src="${EVIL}"></mtext></math>`,
  `<object data="${EVIL}"></object><embed src="${EVIL}">`,
  `<iframe src="${EVIL}"></iframe><iframe srcdoc="<img src=${EVIL}>"></iframe>`,
  `<input type="image" src="${EVIL}">`,
  `<form action="${EVIL}"><button formaction="${EVIL}">x</button></form>`,
  `<table background="${EVIL}"><tr><td background="${EVIL}">x</td></tr></table>`,
  `<body background="${EVIL}">`,
  `<noscript><img src="${EVIL}"></noscript>`,
  `<noscript><p title="</noscript><img src=${EVIL}>">`,
  `<template><img src="${EVIL}"></template>`,
  `<textarea><img src="${EVIL}"></textarea>`,
  `<xmp><img src="${EVIL}"></xmp>`,
  `<!--><img src="${EVIL}">-->`,
  `<a href="https://example.org" ping="${EVIL}">x</a>`,
  `<base href="${EVIL}"><img src="x.png">`,
  `<meta http-equiv="refresh" content="0;url=${EVIL}">`,
  `<bgsound src="${EVIL}"><frameset><frame src="${EVIL}"></frameset>`,
  `<details open ontoggle="fetch('${EVIL}')">x</details>`
];

describe('A message', () => {
  it.each(PAYLOADS)('asks nobody for anything: %s', async payload => {
    const node = await rendered(`before\n\n${payload}\n\nafter`);
    expect(fetched(node)).toEqual([]);
    expect(node.querySelectorAll('script, style, link, iframe')).toHaveLength(
      0
    );
  });

  // The sanitizer may have taken it away before; the guard alone leaves nothing either.
  it.each(PAYLOADS)('is guarded without the sanitizer: %s', async payload => {
    const holder = document.createElement('div');
    const parsed = new DOMParser().parseFromString(
      guard(await marked(payload)),
      'text/html'
    );
    holder.append(...parsed.body.childNodes);
    expect(fetched(holder)).toEqual([]);
  });

  it('shows images that are not loaded as links that open elsewhere', async () => {
    const node = await rendered(`![a cat](${EVIL})`);
    const link = node.querySelector('a');
    expect([link?.textContent, link?.href, link?.target]).toEqual([
      '[image a cat evil.test]',
      EVIL,
      '_blank'
    ]);
    expect(link?.rel).toContain('noopener');
  });

  it('shows images that it has in itself', async () => {
    const own = 'data:image/png;base64,iVBORw0KGgo=';
    const node = await rendered(`<img src="${own}" alt="dot" onload="x()">`);
    expect(node.querySelector('img')?.outerHTML).toBe(
      `<img src="${own}" alt="dot">`
    );
    const four = ['png', 'jpeg', 'gif', 'webp'].map(
      type => `<img src="data:image/${type};base64,AAAA">`
    );
    expect(guard(four.join(''))).toBe(four.join(''));
  });

  it('has links to other places only, and none that acts', () => {
    const link = (href: string) => guard(`<a href="${href}">x</a>`);
    expect(link('https://example.org')).toContain('href="https://example.org"');
    expect(link('mailto:ada@example.org')).toContain('href=');
    for (const href of [
      'javascript:alert(1)',
      '#top',
      '/logout',
      'data:text/html,x',
      'vbscript:x',
      '//evil.test'
    ]) {
      expect(link(href)).toBe('<a>x</a>');
    }
    const command = '<button data-commandlinker-command="x">y</button>';
    expect(guard(command)).toBe('y');
  });

  it('keeps what is only text, and how it looks', () => {
    const html =
      '<p style="color: red; text-align: center">a <b>b</b></p><pre><code class="language-python">' +
      '<span class="ͼ5">if</span></code></pre><ul><li>x</li></ul>';
    expect(guard(html)).toBe(html);
  });

  it('has no classes and ids of the page, but those of code', () => {
    expect(guard('<p class="jp-Dialog language-x" id="main">x</p>')).toBe(
      '<p class="language-x">x</p>'
    );
  });

  it('shows the text of diagrams', () => {
    const fences = [
      '```mermaid\nA',
      '~~~mermaid\nA',
      '``` \tmermaid  \nA',
      '> ```mermaid\n> A',
      '- ````mermaid\n  A',
      '```mermaid'
    ];
    for (const fence of fences) {
      for (const token of marked.lexer(disarmDiagrams(fence))) {
        expect(JSON.stringify(token)).not.toContain('"lang":"mermaid"');
      }
    }
    expect(disarmDiagrams('a mermaid\n\n`mermaid`')).toBe(
      'a mermaid\n\n`mermaid`'
    );
  });

  it('has a bar at each piece of code', async () => {
    const node = await rendered('```python\nx = 1\n```');
    const bar = node.querySelector<HTMLElement>('.bar');
    expect([bar?.title, bar?.nextElementSibling?.localName]).toEqual([
      'x = 1',
      'pre'
    ]);
  });
});

describe('Mentions', () => {
  const mark = (html: string) =>
    markMentions(html, name => ['ada', 'a.b-c', '.*'].includes(name));

  it('are marked where somebody is called so, as text', () => {
    expect(mark('hi @ada, and @bob, @a.b-c.')).toBe(
      'hi <span class="jp-WsHub-mention">@ada</span>, and @bob, ' +
        '<span class="jp-WsHub-mention">@a.b-c</span>.'
    );
  });

  it('are not in code, links and addresses', () => {
    const html = '<code>@ada</code><pre>@ada</pre><a>@ada</a> me@ada @adam @.*';
    expect(mark(html)).toBe(html);
  });
});

describe('Hosts of links', () => {
  it('are not looked up before they are opened', () => {
    const page = document.implementation.createHTMLDocument();
    keepHostsQuiet(page);
    expect(page.head.innerHTML).toContain(
      '<meta http-equiv="x-dns-prefetch-control" content="off">'
    );
  });
});
