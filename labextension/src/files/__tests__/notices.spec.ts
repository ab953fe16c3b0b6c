import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { StubTransfers, transferOf } from '../../testing/stubs';
import { ITransfer } from '../../tokens';
import { EndWatch, notifications } from '../notices';

const trans = nullTranslator.load('jupyter_ws_hub');

describe('Notices', () => {
  const last = () => Notification.manager.notifications[0];

  it('of success show the file, and go away', () => {
    const shown: string[] = [];
    notifications(trans, path => shown.push(path)).done('Done.', 'a/b');
    expect(last()).toMatchObject({ message: 'Done.', type: 'success' });
    expect(last()?.options.autoClose).toBeGreaterThan(0);
    last()?.options.actions?.[0]?.callback(new MouseEvent('click'));
    expect(shown).toEqual(['a/b']);
  });

  it('of success without a path, or without a file browser, show nothing', () => {
    notifications(trans, () => undefined).done('Done.', null);
    expect(last()?.options.actions).toEqual([]);
    notifications(trans, null).done('Done.', 'a');
    expect(last()?.options.actions).toEqual([]);
  });

  it('of failure stay, and try again', () => {
    let tried = 0;
    notifications(trans, null).failed('No.', () => (tried += 1));
    expect(last()).toMatchObject({ message: 'No.', type: 'error' });
    expect(last()?.options.autoClose).toBe(false);
    expect(last()?.options.actions?.[0]?.label).toBe('Retry');
    last()?.options.actions?.[0]?.callback(new MouseEvent('click'));
    expect(tried).toBe(1);
    notifications(trans, null).failed('No.', null);
    expect(last()?.options.actions).toEqual([]);
  });
});

describe('The end of a transfer', () => {
  let transfers: StubTransfers;
  let covered: string[];
  let done: Array<[string, string | null]>;
  let failed: Array<[string, (() => void) | null]>;
  let labels: Array<string | undefined>;
  let shown: number;
  let watch: EndWatch;

  beforeEach(() => {
    jest.useFakeTimers();
    transfers = new StubTransfers();
    [covered, done, failed, labels] = [[], [], [], []];
    const notices = {
      done: (...args: [string, string | null]) => void done.push(args),
      failed: (
        text: string,
        again: (() => void) | null,
        label?: string
      ): void => {
        failed.push([text, again]);
        labels.push(label);
      }
    };
    shown = 0;
    watch = new EndWatch(transfers, trans, notices, {
      covers: path => covered.includes(path),
      show: () => (shown += 1)
    });
  });

  afterEach(() => jest.useRealTimers());

  const end = (...ended: Array<Partial<ITransfer>>) => {
    ended.forEach(one => transfers.ended.emit(transferOf(one)));
    jest.runAllTimers();
  };

  it('is told, with what to show', () => {
    end({ state: 'done', path: 'x/a' });
    end({ state: 'done', path: 'x/b', direction: 'download' });
    expect(done).toEqual([
      ['Uploaded: a', 'x/a'],
      ['Downloaded: b', null]
    ]);
  });

  it('is told once for those that end together', () => {
    end(
      { state: 'done', path: 'a' },
      { state: 'done', path: 'b' },
      { state: 'failed', path: 'c', error: 'No space.', id: '7' },
      { state: 'failed', path: 'd', error: 'No space.', id: '8' }
    );
    expect(done).toEqual([['2 uploads are done.', 'a']]);
    expect(failed.map(([text]) => text)).toEqual([
      '2 transfers have failed. c: No space.'
    ]);
    failed[0]?.[1]?.();
    expect(transfers.calls).toEqual(['retry 7', 'retry 8']);
  });

  it('leads to the list where files must be chosen again', () => {
    end({ state: 'failed', id: '7', lacksFile: true });
    failed[0]?.[1]?.();
    expect([transfers.calls, shown, labels]).toEqual([[], 1, ['Show']]);
    end(
      { state: 'failed', id: '7', lacksFile: true },
      { state: 'failed', id: '8' }
    );
    failed[1]?.[1]?.();
    expect([transfers.calls, shown]).toEqual([['retry 8'], 2]);
    expect(labels[1]).toBeUndefined();
  });

  it('says why it cannot be tried again, unless that ends as well', async () => {
    const again = transferOf({ state: 'failed', path: 'a', error: 'No.' });
    let ends = false;
    transfers.retry = async () => {
      if (ends) {
        transfers.ended.emit(again);
      }
      throw new Error('Not allowed.');
    };
    end(again);
    for (ends of [false, true]) {
      failed[0]?.[1]?.();
      await Promise.resolve();
      await Promise.resolve();
    }
    jest.runAllTimers();
    expect(failed.map(([text]) => text)).toEqual([
      'Not uploaded: a. No.',
      'Not uploaded: a. Not allowed.',
      'Not uploaded: a. No.'
    ]);
  });

  it('is not told where the user has cancelled, or the whole upload tells', () => {
    covered = ['a'];
    end({ state: 'cancelled', path: 'b' }, { state: 'done', path: 'a' });
    expect([done, failed]).toEqual([[], []]);
    end({ state: 'done', path: 'a', direction: 'download' });
    expect(done).toEqual([['Downloaded: a', null]]);
  });

  it('is not told after it was disposed', () => {
    transfers.ended.emit(transferOf({ state: 'done' }));
    watch.dispose();
    end({ state: 'done' });
    expect([watch.isDisposed, done]).toEqual([true, []]);
  });
});
