import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { IUploadConflict, IUploadItem } from '../../tokens';
import { askConflicts, choicesFor, ConflictsBody } from '../conflicts';

const trans = nullTranslator.load('jupyter_ws_hub');

function conflict(
  path: string,
  more: Partial<IUploadConflict> = {}
): IUploadConflict {
  return {
    path,
    type: 'file',
    size: 2000,
    modified: 0,
    etag: `etag of ${path}`,
    ...more
  };
}

const item = (path: string, text = 'abc'): IUploadItem => ({
  path,
  file: new File([text], path)
});

function ask(conflicts: IUploadConflict[], directory = 'data') {
  const items = [...conflicts.map(({ path }) => item(path)), item('new')];
  return { items, conflicts, directory };
}

/** Wait until something is drawn. */
async function drawn(selector: string): Promise<HTMLElement> {
  for (;;) {
    const found = document.querySelector<HTMLElement>(selector);
    if (found?.textContent) {
      return found;
    }
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

async function shown(body: ConflictsBody): Promise<HTMLElement> {
  Widget.attach(body, document.body);
  await drawn('tbody');
  return body.node;
}

const entries = (body: ConflictsBody) => [...body.getValue().entries()];

describe('The question about names that are taken', () => {
  it('keeps both where nothing is chosen: nothing is lost', () => {
    const body = new ConflictsBody(ask([conflict('a'), conflict('b')]), trans);
    expect(entries(body)).toEqual([
      ['a', { ifExists: 'rename' }],
      ['b', { ifExists: 'rename' }]
    ]);
  });

  it('replaces only what was asked about', () => {
    const body = new ConflictsBody(ask([conflict('a'), conflict('b')]), trans);
    body.chooseForAll('overwrite');
    body.choose('b', 'skip');
    expect(entries(body)).toEqual([
      ['a', { ifExists: 'overwrite', etag: 'etag of a' }],
      ['b', { ifExists: 'skip' }]
    ]);
    body.chooseForAll('skip');
    expect(entries(body).map(([, { ifExists }]) => ifExists)).toEqual([
      'skip',
      'skip'
    ]);
  });

  it('never replaces a directory, nor by one', () => {
    const directory = conflict('d', { type: 'directory' });
    expect(choicesFor(directory, item('d'))).toEqual(['rename', 'skip']);
    expect(choicesFor(conflict('f'), { path: 'f', file: null })).toEqual([
      'rename',
      'skip'
    ]);
    const body = new ConflictsBody(ask([directory]), trans);
    body.chooseForAll('overwrite');
    expect(entries(body)).toEqual([['d', { ifExists: 'rename' }]]);
  });

  it('shows what is there and what is to come, and can be answered by keyboard', async () => {
    const body = new ConflictsBody(ask([conflict('a'), conflict('b')]), trans);
    const node = await shown(body);
    expect(node.querySelector('p')?.textContent).toBe(
      '3 files, 9 B, into data.'
    );
    const row = node.querySelector('tbody tr');
    expect(row?.textContent).toContain('2 kB');
    expect(row?.textContent).toContain('3 B');
    const select = row?.querySelector('select');
    expect(select?.getAttribute('aria-label')).toBe('What to do with a');
    select!.value = 'skip';
    select!.dispatchEvent(new Event('change', { bubbles: true }));
    expect(entries(body)[0]).toEqual(['a', { ifExists: 'skip' }]);
    const all = [...node.querySelectorAll<HTMLInputElement>('input')];
    expect(all.map(({ type }) => type)).toEqual(['radio', 'radio', 'radio']);
    all[1]!.click();
    expect(entries(body)[0]?.[1].ifExists).toBe('overwrite');
    body.dispose();
  });

  it('shows only so many rows, and counts the others', async () => {
    const many = Array.from({ length: 700 }, (_, n) => conflict(`f${n}`));
    const body = new ConflictsBody(ask(many, ''), trans);
    const node = await shown(body);
    expect(node.querySelectorAll('tbody tr').length).toBe(500);
    expect(node.textContent).toContain('And 200 more');
    expect(node.textContent).toContain('into the top folder');
    expect(body.getValue().size).toBe(700);
    body.dispose();
  });

  it.each([
    ['.jp-mod-accept', [['a', { ifExists: 'rename' }]]],
    ['.jp-mod-reject', null]
  ])('ends with %s', async (button, expected) => {
    const answer = askConflicts(ask([conflict('a')]), trans);
    const header = await drawn('.jp-Dialog-header');
    expect(header.textContent).toBe('1 name is taken');
    document.querySelector<HTMLElement>(`.jp-Dialog ${button}`)?.click();
    const decided = await answer;
    expect(decided && [...decided.entries()]).toEqual(expected);
  });
});
