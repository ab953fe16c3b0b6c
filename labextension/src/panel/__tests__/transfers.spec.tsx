import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import {
  StubConnections,
  StubTransfers,
  transferOf
} from '../../testing/stubs';
import { ITransfer } from '../../tokens';
import { Folds } from '../folds';
import { PanelModel } from '../model';
import { HubPanel, TransferStatus } from '../widget';

const trans = nullTranslator.load('jupyter_ws_hub');

let transfers: StubTransfers;
let model: PanelModel;
let panel: HubPanel;
let asked: string[];

/** Wait until something holds of what is drawn. */
async function drawn(holds: () => boolean): Promise<void> {
  while (!holds()) {
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

async function show(...shown: Array<Partial<ITransfer>>): Promise<void> {
  transfers.transfers = shown.map((one, n) =>
    transferOf({ id: `${n}`, ...one })
  );
  transfers.changed.emit();
  await drawn(() => rows().length === shown.length);
}

const rows = () => [
  ...panel.node.querySelectorAll<HTMLElement>('.jp-WsHub-transfer')
];
const labels = (row = rows()[0]) =>
  [...row!.querySelectorAll('button')].map(
    one => one.getAttribute('aria-label') ?? one.textContent
  );
const click = (label: string) =>
  [...panel.node.querySelectorAll('button')]
    .find(one => (one.getAttribute('aria-label') ?? one.textContent) === label)!
    .click();

beforeEach(async () => {
  transfers = new StubTransfers();
  model = new PanelModel(new StubConnections(), transfers, error => {
    throw error;
  });
  asked = [];
  const actions = {
    onChoose: () => void asked.push('choose'),
    onUpload: (files: File[]) => void asked.push(`upload ${files.length}`),
    onReveal: (path: string) => void asked.push(`reveal ${path}`),
    onFile: ({ id }: ITransfer, what: string) =>
      void asked.push(`${what} ${id}`),
    onDrop: () => void asked.push('drop'),
    notifications: { isAllowed: () => true, run: () => undefined }
  };
  panel = new HubPanel(model, trans, actions, new Folds(null));
  Widget.attach(panel, document.body);
  await drawn(() => panel.node.querySelector('.jp-WsHub-upload') !== null);
});

afterEach(() => {
  panel.dispose();
  model.dispose();
});

describe('A transfer in the panel', () => {
  it.each<[Partial<ITransfer>, string[]]>([
    [{ state: 'running' }, ['Pause a', 'Cancel the upload of a']],
    [
      { state: 'running', direction: 'download' },
      ['Pause a', 'Cancel the download of a']
    ],
    [{ state: 'paused' }, ['Resume a', 'Cancel the upload of a']],
    [{ state: 'paused', here: false }, ['Cancel the upload of a']],
    [{ state: 'committing' }, ['Cancel the upload of a']],
    [{ state: 'needs-file' }, ['Cancel the upload of a', 'Choose the file…']],
    [
      { state: 'needs-file', kind: 'tree', entries: 5 },
      [
        'Cancel the upload of 5 items into a',
        'Choose the folder…',
        'Choose the files…'
      ]
    ],
    [{ state: 'needs-file', here: false }, ['Cancel the upload of a']],
    [
      { state: 'done' },
      ['Show a in the file browser', 'Remove a from the list']
    ],
    [{ state: 'done', direction: 'download' }, ['Remove a from the list']],
    [{ state: 'failed' }, ['Try a again', 'Remove a from the list']],
    [
      { state: 'failed', lacksFile: true },
      ['Remove a from the list', 'Choose the file…']
    ],
    [{ state: 'failed', here: false }, ['Remove a from the list']],
    [{ state: 'cancelled' }, ['Try a again', 'Remove a from the list']]
  ])('%p can be: %p', async (transfer, expected) => {
    await show(transfer);
    expect(labels()).toEqual(expected);
  });

  it('does what its buttons say', async () => {
    await show(
      { state: 'running' },
      { state: 'done', path: 'x/b' },
      { state: 'failed', path: 'c' },
      { state: 'needs-file', path: 'd' },
      { state: 'paused', path: 'e' }
    );
    click('Pause a');
    click('Resume e');
    click('Cancel the upload of d');
    click('Try c again');
    click('Remove b from the list');
    expect(transfers.calls).toEqual([
      'pause 0',
      'resume 4',
      'cancel 3',
      'retry 2',
      'forget 1'
    ]);
    click('Show b in the file browser');
    click('Choose the file…');
    click('Upload files…');
    expect(asked).toEqual(['reveal x/b', 'file 3', 'choose']);
  });

  it('keeps its place whatever becomes of it', async () => {
    await show({ path: 'a' }, { path: 'b' }, { path: 'c' });
    const before = rows();
    await show({ path: 'a', state: 'done' }, { path: 'b' }, { path: 'c' });
    expect(rows()).toEqual(before);
  });

  it('of another tab is marked', async () => {
    await show({ here: false, state: 'running' });
    expect(rows()[0]?.dataset['here']).toBe('false');
    expect(rows()[0]?.textContent).toContain('elsewhere');
  });

  it('that has no bytes is full when it is done', async () => {
    await show({ state: 'done', size: 0 });
    const bar = rows()[0]?.querySelector('progress');
    expect([bar?.value, bar?.max]).toEqual([0, 1]);
  });

  it('lists what has failed of a tree, up to a number', async () => {
    const failures = Array.from({ length: 130 }, (_, n) => ({
      path: `f${n}`,
      message: 'No.'
    }));
    await show({ state: 'failed', kind: 'tree', failures });
    const details = rows()[0]?.querySelector('details');
    expect(details?.querySelector('summary')?.textContent).toBe(
      '130 files have failed'
    );
    const lines = [...(details?.querySelectorAll('li') ?? [])];
    expect([lines.length, lines[100]?.textContent]).toEqual([
      101,
      'and 30 more'
    ]);
  });
});

describe('The panel', () => {
  it('clears what has ended, where there is something', async () => {
    const button = () =>
      panel.node.querySelector<HTMLButtonElement>('.jp-WsHub-clear')!;
    await show({ state: 'running' });
    expect(button().disabled).toBe(true);
    await show({ state: 'running' }, { state: 'done' });
    expect(button().disabled).toBe(false);
    button().click();
    expect(transfers.calls).toEqual(['forget 1']);
  });

  it('takes drops of files, and of nothing else', () => {
    const drag = (type: string, types: string[]) => {
      const event = new Event(type, { bubbles: true, cancelable: true });
      Object.defineProperty(event, 'dataTransfer', { value: { types } });
      panel.node.dispatchEvent(event);
      return event.defaultPrevented;
    };
    expect(drag('drop', ['text/plain'])).toBe(false);
    expect(drag('dragover', ['Files'])).toBe(true);
    expect(panel.hasClass('jp-mod-native-drop')).toBe(true);
    expect(drag('drop', ['Files'])).toBe(true);
    expect(panel.hasClass('jp-mod-native-drop')).toBe(false);
    expect(asked).toEqual(['drop']);
  });
});

describe('The transfers in the status bar', () => {
  it('are there while some are under way', async () => {
    let clicks = 0;
    const item = new TransferStatus(model, trans, () => (clicks += 1));
    Widget.attach(item, document.body);
    expect(item.text).toBeNull();
    await show({ state: 'running', size: 100, written: 34 });
    expect(item.text).toBe('1 upload, 34 %');
    await drawn(() => item.node.textContent === '1 upload, 34 %');
    item.node.querySelector('button')?.click();
    expect(clicks).toBe(1);
    item.dispose();
  });
});
