import { NoticeRig, noticeOf, settled } from '../../testing/notices';
import { Notification } from '../../protocol/generated';
import { MOST, NotificationTopic } from '../notificationList';

const NOW = new Date('2026-01-02T03:04:05Z').getTime();
let rig: NoticeRig;

beforeEach(() => {
  jest.useFakeTimers({ now: NOW });
  rig = new NoticeRig();
});

afterEach(() => {
  rig.list.dispose();
  jest.useRealTimers();
});

describe('The list of notifications', () => {
  it('has what the server lists, the newest first', async () => {
    await rig.answer([
      { notification: noticeOf('a', { time: 1 }), offset: 1, read: true },
      { notification: noticeOf('b', { time: 2 }), offset: 2 }
    ]);
    expect([rig.shown, rig.list.unread]).toEqual([['b*', 'a'], 1]);
  });

  it('counts unread ones that are too old for it', async () => {
    await rig.answer([{ notification: noticeOf('a'), offset: 1 }], 7);
    expect(rig.list.unread).toBe(7);
    rig.list.markAllRead();
    expect(rig.list.unread).toBe(0);
  });

  it('takes what comes before and after the answer', async () => {
    rig.tell(noticeOf('b', { time: 2 }), 2);
    await rig.answer([{ notification: noticeOf('a', { time: 1 }), offset: 1 }]);
    rig.tell(noticeOf('c', { time: 3 }), 1, 'notifications/all');
    expect(rig.shown).toEqual(['c*', 'b*', 'a*']);
  });

  it('puts an update in the place of the older one, also when the answer is older', async () => {
    const title = 'new';
    rig.tell(noticeOf('a', { title, version: 2 }), 5);
    await rig.answer([{ notification: noticeOf('a'), offset: 1 }]);
    expect(rig.list.entries.map(one => one.notification.title)).toEqual([
      'new'
    ]);
  });

  it('keeps what is for one and for all apart, though they have one id', () => {
    rig.tell(noticeOf('a'), 1);
    rig.tell(noticeOf('a'), 1, 'notifications/all');
    expect(rig.shown).toEqual(['a*', 'a*']);
  });

  it('understands what an older server has stored', () => {
    const { id, level, title, message, sender, time } = noticeOf('a');
    rig.tell({ id, level, title, message, sender, time } as never, 1);
    expect(rig.list.entries[0]?.notification).toMatchObject({
      actions: [],
      progress: null
    });
  });

  it('is bounded', () => {
    for (let n = 1; n <= MOST + 20; n++) {
      rig.tell(noticeOf(`${n}`, { time: n }), n);
    }
    expect([rig.shown.length, rig.shown[0]]).toEqual([MOST, `${MOST + 20}*`]);
  });

  it('begins anew after a gap', async () => {
    await rig.answer([{ notification: noticeOf('a'), offset: 9, read: true }]);
    rig.connections.subscribers
      .get('notifications/me')!
      .onSnapshot?.(null as never, 'epoch');
    await rig.answer([{ notification: noticeOf('b'), offset: 1 }]);
    expect(rig.shown).toEqual(['b*']);
  });

  it('says why there is none', async () => {
    rig.last('notifications.list').reject(new Error('Not allowed.'));
    await settled();
    expect(rig.list.error).toBe('Not allowed.');
  });
});

describe('What was read', () => {
  it('here is told to the server, with all that has come', async () => {
    rig.tell(noticeOf('a'), 4);
    rig.tell(noticeOf('b'), 2, 'notifications/all');
    rig.list.markAllRead();
    expect([rig.shown, rig.list.unread]).toEqual([['a', 'b'], 0]);
    expect(rig.last('notifications.read').params).toEqual({ me: 4, all: 2 });
  });

  it('in another window is read here', () => {
    rig.tell(noticeOf('a'), 1);
    rig.tell(noticeOf('b', { time: 2000 }), 2);
    rig.connections.tellTopic('notifications/me', 'read', { me: 1, all: 0 });
    expect(rig.shown).toEqual(['b*', 'a']);
  });

  it('is no news when it is updated, unless the server says so', () => {
    rig.tell(noticeOf('a', { progress: 0.1 }), 1);
    rig.list.markAllRead();
    rig.tell(noticeOf('a', { progress: 0.2, version: 2, since: 1 }), 2);
    expect(rig.shown).toEqual(['a']);
    rig.tell(noticeOf('a', { level: 'error', version: 3, since: 0 }), 3);
    expect(rig.shown).toEqual(['a*']);
  });

  it('before the page was loaded is no news when it is updated', async () => {
    const notification = noticeOf('a', { progress: 0.1 });
    const marker = { me: 1, all: 0 };
    await rig.answer([{ notification, offset: 1, read: true }], 0, { marker });
    rig.tell(noticeOf('a', { progress: 0.2, version: 2, since: 1 }), 2);
    expect(rig.shown).toEqual(['a']);
  });

  it('is unread again when the server did not take it, and the user is told', async () => {
    rig.tell(noticeOf('a'), 1);
    rig.list.markAllRead();
    rig.last('notifications.read').reject(new Error('No.'));
    await settled();
    await rig.answer([{ notification: noticeOf('a'), offset: 1 }]);
    expect([rig.shown, rig.errors]).toEqual([['a*'], ['No.']]);
  });
});

describe('What was dismissed', () => {
  const going = (version: number, more: Partial<Notification> = {}) =>
    rig.tell(
      noticeOf('a', { progress: 0.5, version, since: 1, ...more }),
      version
    );

  it('is gone at once, and does not come back with an update', () => {
    going(1, { since: 0 });
    rig.dismiss('a');
    going(2);
    expect(rig.shown).toEqual([]);
    expect(rig.last('notifications.dismiss').params).toEqual({
      id: 'a',
      topic: 'notifications/me',
      offset: 1
    });
  });

  it('is back when there is news of it', () => {
    going(1, { since: 0 });
    rig.dismiss('a');
    going(2);
    going(3, { progress: null, level: 'error', since: 0 });
    expect(rig.shown).toEqual(['a*']);
    rig.dismiss('a');
    expect(rig.shown).toEqual([]);
    going(4, { progress: 0, since: 0 });
    expect(rig.shown).toEqual(['a*']);
  });

  it('does not take with it what has the same id for all, nor what came after it', () => {
    rig.tell(noticeOf('a'), 3);
    rig.tell(noticeOf('a'), 1, 'notifications/all');
    const dismissed = (topic: NotificationTopic | null, offset: number) =>
      rig.connections.tellTopic('notifications/me', 'dismissed', {
        id: 'a',
        topic,
        offset
      });
    dismissed('notifications/me', 2);
    expect(rig.shown.length).toBe(2);
    dismissed('notifications/me', 3);
    expect(rig.list.entries.map(({ topic }) => topic)).toEqual([
      'notifications/all'
    ]);
    dismissed(null, 0);
    expect(rig.shown).toEqual([]);
  });

  it('before the page was loaded stays so while it goes on', async () => {
    const topic = 'notifications/me';
    const dismissed = [{ id: 'a', topic, offset: 1 } as const];
    await rig.answer([], 0, { dismissed });
    going(5);
    expect(rig.shown).toEqual([]);
  });

  it('in another window is gone here, also as an older server says it', () => {
    rig.tell(noticeOf('a'), 1);
    rig.connections.tellTopic('notifications/me', 'dismissed', { id: 'a' });
    expect(rig.shown).toEqual([]);
    rig.tell(noticeOf('a', { version: 2 }), 2);
    expect(rig.shown).toEqual(['a*']);
  });

  it('is back when the server did not take it, and the user is told', async () => {
    rig.tell(noticeOf('a'), 1);
    rig.dismiss('a');
    rig.last('notifications.dismiss').reject(new Error('No.'));
    await settled();
    await rig.answer([{ notification: noticeOf('a'), offset: 1 }]);
    expect([rig.shown, rig.errors]).toEqual([['a*'], ['No.']]);
  });
});

describe('What expires', () => {
  it('goes when its time has come, and not before', () => {
    rig.tell(noticeOf('a', { expires: NOW + 5000 }), 1);
    rig.tell(noticeOf('b', { expires: NOW + 100 * 86_400_000 }), 2);
    jest.advanceTimersByTime(4990);
    expect(rig.shown.length).toBe(2);
    jest.advanceTimersByTime(20);
    expect(rig.shown).toEqual(['b*']);
  });

  it('is not shown where it comes too late', () => {
    let came = 0;
    rig.list.came.connect(() => (came += 1));
    rig.tell(noticeOf('a', { expires: NOW - 1 }), 1);
    expect([rig.shown, came]).toEqual([[], 0]);
  });
});

it('A list that is disposed follows nothing and keeps no timer', () => {
  rig.tell(noticeOf('a', { expires: NOW + 5000 }), 1);
  rig.list.dispose();
  rig.list.dispose();
  expect(rig.connections.subscriptions.every(one => one.isDisposed)).toBe(true);
  expect(jest.getTimerCount()).toBe(0);
});
