import { nullTranslator } from '@jupyterlab/translation';

import { NoticeRig, noticeOf } from '../../testing/notices';
import { Notification } from '../../protocol/generated';
import { ISeen, IToasts, Popups, seenIn } from '../popups';

const trans = nullTranslator.load('jupyter_ws_hub');

interface IShown {
  message: string;
  type: string;
  autoClose: number | false;
  labels: string[];
}

let rig: NoticeRig;
let popups: Popups;
let shown: Map<string, IShown>;
let closed: Set<string>;
let emitted: number;
let isEnabled: boolean;
let seen: number;
let ran: string[];

const toasts: IToasts = {
  emit: (message, type = 'default', options = {}) => {
    const id = `t${(emitted += 1)}`;
    const labels = (options.actions ?? []).map(({ label }) => label);
    shown.set(id, { message, type, autoClose: options.autoClose!, labels });
    return id;
  },
  update: ({ id, message = '', type = 'default', ...options }) => {
    if (!shown.has(id)) {
      return false;
    }
    const labels = (options.actions ?? []).map(({ label }) => label);
    shown.set(id, { message, type, autoClose: options.autoClose!, labels });
    return true;
  },
  dismiss: id => void shown.delete(id!),
  isShown: id => shown.has(id) && !closed.has(id)
};

const texts = () => [...shown.values()].map(({ message }) => message);
const flush = () => jest.advanceTimersByTime(400);

const kept: ISeen = { get: () => seen, set: time => (seen = time) };

function begin(what: ISeen = kept): void {
  popups = new Popups(rig.list, {
    trans,
    toasts,
    seen: what,
    actions: {
      isAllowed: ({ kind }) => kind !== 'command',
      run: ({ target }) => void ran.push(target)
    },
    isEnabled: () => isEnabled,
    onShow: () => void ran.push('show')
  });
}

beforeEach(() => {
  jest.useFakeTimers();
  rig = new NoticeRig();
  [shown, closed, ran] = [new Map(), new Set(), []];
  [emitted, seen, isEnabled] = [0, 0, true];
  begin();
});

afterEach(() => {
  popups.dispose();
  rig.list.dispose();
  jest.useRealTimers();
});

describe('A notification', () => {
  it('pops up, with its message and level', () => {
    const title = 'T';
    rig.tell(noticeOf('a', { title, message: 'M', level: 'warning' }), 1);
    flush();
    expect([...shown.values()]).toEqual([
      { message: 'T\nM', type: 'warning', autoClose: 8000, labels: [] }
    ]);
  });

  it('stays until it is closed where it is an error, or has buttons that may be used', () => {
    const action = (kind: 'url' | 'command') => ({
      kind,
      label: kind,
      target: 'x'
    });
    rig.tell(noticeOf('a', { level: 'error' }), 1);
    rig.tell(noticeOf('b', { actions: [action('url'), action('command')] }), 2);
    flush();
    expect([...shown.values()]).toMatchObject([
      { autoClose: false },
      { autoClose: false, labels: ['url'] }
    ]);
  });

  it('does not pop up where the user does not want that, and is seen all the same', () => {
    isEnabled = false;
    rig.tell(noticeOf('a', { time: 5000 }), 1);
    flush();
    expect([texts(), seen]).toEqual([[], 5000]);
  });

  it('is closed when it is read or dismissed in another window', () => {
    rig.tell(noticeOf('a'), 1);
    rig.tell(noticeOf('b'), 2);
    flush();
    rig.connections.tellTopic('notifications/me', 'read', { me: 1, all: 0 });
    expect(texts()).toEqual(['Title b']);
    rig.connections.tellTopic('notifications/me', 'dismissed', { id: 'b' });
    expect(texts()).toEqual([]);
  });

  it('that was read before it could be shown is not shown', () => {
    rig.tell(noticeOf('a'), 1);
    rig.list.markAllRead();
    flush();
    expect(emitted).toBe(0);
  });
});

describe('A notification that is posted again', () => {
  const fail = (offset: number, time: number) =>
    rig.tell(
      noticeOf('a', { level: 'error', version: offset, time, updated: time }),
      offset
    );

  it('pops up again, also where the pop-up of the earlier one was dismissed', () => {
    fail(1, 1000);
    flush();
    shown.clear();
    fail(2, 2000);
    flush();
    expect(texts()).toEqual(['Title a']);
    rig.dismiss('a');
    expect(texts()).toEqual([]);
    fail(3, 3000);
    flush();
    expect(texts()).toEqual(['Title a']);
  });
});

describe('Many notifications', () => {
  it('are one pop-up, that counts on and is closed when all are read', () => {
    for (let n = 1; n <= 4; n++) {
      rig.tell(noticeOf(`${n}`), n);
    }
    flush();
    expect(texts()).toEqual(['4 new notifications']);
    for (let n = 5; n <= 60; n++) {
      rig.tell(noticeOf(`${n}`), n);
    }
    flush();
    expect([texts(), emitted]).toEqual([['60 new notifications'], 1]);
    rig.list.markAllRead();
    expect(texts()).toEqual([]);
  });

  it('that came while nobody was there are one pop-up; what this browser has shown is none', async () => {
    seen = 1000;
    const listed = [900, 1000, 1001, 1002, 1003, 1004].map((time, n) => ({
      notification: noticeOf(`${n}`, { time }),
      offset: n + 1
    }));
    await rig.answer(listed);
    flush();
    expect([texts(), seen]).toEqual([['4 new notifications'], 1004]);
    popups.dispose();
    shown.clear();
    rig = new NoticeRig();
    begin();
    await rig.answer(listed);
    flush();
    expect(texts()).toEqual([]);
  });
});

describe('After a reload', () => {
  const run = (more: Partial<Notification> = {}) =>
    noticeOf('a', { progress: 0.1, time: 1000, updated: 1000, ...more });
  const ends: Array<[string, Partial<Notification>]> = [
    ['success', { progress: 1, level: 'success', updated: 9000, since: 1 }],
    ['error', { progress: null, level: 'error', time: 9000, updated: 9000 }]
  ];

  function reload(): void {
    popups.dispose();
    rig.list.dispose();
    shown.clear();
    emitted = 0;
    rig = new NoticeRig();
    begin();
  }

  /** A run begins, its pop-up is shown, and read if that is wanted. */
  function start(isRead: boolean): void {
    rig.tell(run(), 1);
    flush();
    expect(emitted).toBe(1);
    if (isRead) {
      rig.list.markAllRead();
    }
  }

  describe.each(ends)('the end of a run by %s', (_, end) => {
    const offset = 7;
    const notification = run({ version: 5, ...end });

    it.each([true, false])('pops up once (read: %s)', async isRead => {
      start(isRead);
      const read = isRead && notification.since === 1;
      const marker = { me: isRead ? 1 : 0, all: 0 };
      for (const expected of [['Title a'], []]) {
        reload();
        await rig.answer([{ notification, offset, read }], undefined, {
          marker
        });
        flush();
        expect(texts()).toEqual(expected);
      }
    });

    it('pops up when it comes after that, and is no news after the next', async () => {
      start(true);
      reload();
      const marker = { me: 1, all: 0 };
      const listed = { notification: run(), offset: 1, read: true };
      await rig.answer([listed], 0, { marker });
      flush();
      expect(texts()).toEqual([]);
      rig.tell(notification, offset);
      flush();
      expect([texts(), seen]).toEqual([['Title a'], 9000]);
      reload();
      const read = notification.since === 1;
      await rig.answer([{ notification, offset, read }], undefined, { marker });
      flush();
      expect(texts()).toEqual([]);
    });

    it('does not pop up where it was read elsewhere', async () => {
      start(false);
      reload();
      const marker = { me: offset, all: 0 };
      await rig.answer([{ notification, offset, read: true }], 0, { marker });
      flush();
      expect(texts()).toEqual([]);
    });
  });

  it('what is under way does not pop up anew', async () => {
    start(false);
    for (let n = 2; n < 4; n++) {
      reload();
      const notification = run({ version: n, since: 1 });
      await rig.answer([{ notification, offset: n }]);
      flush();
      expect(texts()).toEqual([]);
    }
  });
});

it('After a gap an open pop-up stays as it was', async () => {
  rig.tell(noticeOf('a', { level: 'error' }), 1);
  flush();
  const listed = { notification: noticeOf('a', { level: 'error' }), offset: 1 };
  rig.connections.subscribers
    .get('notifications/me')!
    .onSnapshot?.(null as never, 'gap');
  await rig.answer([listed]);
  flush();
  expect([texts(), emitted]).toEqual([['Title a'], 1]);
});

describe('What this browser has seen', () => {
  const full: Pick<Storage, 'getItem' | 'setItem'> = {
    getItem: () => '5',
    setItem: () => {
      throw new DOMException('It is full.', 'QuotaExceededError');
    }
  };

  it('is kept by the name of the server', () => {
    seenIn(window.localStorage, '/a/').set(7);
    expect(seenIn(window.localStorage, '/a/').get()).toBe(7);
    expect(seenIn(window.localStorage, '/b/').get()).toBe(0);
  });

  it('is known until the page is closed where the storage is full, and pop-ups come', () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    const known = seenIn(full, '/');
    popups.dispose();
    begin(known);
    rig.tell(noticeOf('a', { time: 9 }), 1);
    flush();
    expect([texts(), known.get()]).toEqual([['Title a'], 9]);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  });
});

describe('Progress', () => {
  const step = (progress: number, offset: number, more = {}) =>
    rig.tell(
      noticeOf('a', { progress, version: offset, since: 1, ...more }),
      offset
    );

  it('is shown in one pop-up, updated a few times a second at most', () => {
    const update = jest.spyOn(toasts, 'update');
    step(0.1, 1);
    flush();
    for (let n = 2; n < 40; n++) {
      step(n / 100, n, { message: `${n}` });
    }
    flush();
    expect([emitted, update.mock.calls.length]).toEqual([1, 1]);
    expect([...shown.values()]).toMatchObject([
      { message: 'Title a\n39', type: 'in-progress', autoClose: false }
    ]);
    step(1, 40, { level: 'success' });
    flush();
    expect([...shown.values()]).toMatchObject([
      { type: 'success', autoClose: 8000 }
    ]);
    update.mockRestore();
  });

  it('whose pop-up was closed goes on in silence, and its end is told', () => {
    step(0.1, 1);
    flush();
    closed.add('t1');
    step(0.2, 2);
    flush();
    expect([...shown.values()]).toMatchObject([{ autoClose: 0 }]);
    step(1, 3, { level: 'success' });
    flush();
    expect([...shown.values()]).toMatchObject([{ autoClose: 8000 }]);
  });

  it('that was read while it was under way is told once more when it has ended', () => {
    step(0.1, 1);
    flush();
    rig.list.markAllRead();
    expect(texts()).toEqual([]);
    step(0.5, 2);
    flush();
    expect(texts()).toEqual([]);
    step(1, 3, { level: 'success', updated: 2000 });
    flush();
    expect(texts()).toEqual(['Title a']);
    rig.tell(noticeOf('b'), 4);
    flush();
    expect(texts()).toEqual(['Title a', 'Title b']);
  });

  it('that was dismissed among JupyterLab’s notifications does not come back', () => {
    step(0.1, 1);
    flush();
    shown.clear();
    step(0.2, 2);
    step(0.3, 3);
    flush();
    step(0.4, 4);
    flush();
    expect(texts()).toEqual([]);
  });
});
