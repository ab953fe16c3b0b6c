import { HubError } from '../../protocol/errors';
import {
  ChatConnections,
  FakeKeep,
  messageOf,
  turn
} from '../../testing/fakeChat';
import { IDraft, MAX_OUTGOING, Outbox } from '../outbox';

const PREFIX = 'hub:ada:';
let connections: ChatConnections;
let keep: FakeKeep;
let outbox: Outbox;

const draft = (text: string, more: Partial<IDraft> = {}): IDraft => ({
  ...{ room: 'general', text, replyTo: '', attachments: [], ask: [] },
  ...more
});
const open = () => new Outbox(connections, keep, PREFIX);
const states = () => outbox.all.map(({ text, state }) => `${text} ${state}`);
const busy = (ms: number | null) => new HubError('busy', 'Busy.', true, ms);

beforeEach(() => {
  jest.useFakeTimers();
  connections = new ChatConnections();
  keep = new FakeKeep();
  outbox = open();
});

afterEach(() => {
  outbox.dispose();
  jest.useRealTimers();
});

describe('What is written', () => {
  it('is in the outbox at once, and sent', async () => {
    const ask = [{ assistant: 'robot' }];
    const id = outbox.add(draft('Hi', { replyTo: 'm1', ask }));
    expect(states()).toEqual(['Hi sending']);
    expect(connections.asked('chat.post')).toEqual([
      {
        ...{ room: 'general', text: 'Hi', id, reply_to: 'm1' },
        ...{ attachments: [], ask }
      }
    ]);
    const sent = jest.fn();
    outbox.sent.connect((_, message) => sent(message.id));
    await connections.answer('chat.post', messageOf(1, { id }));
    expect([states(), sent.mock.calls, keep.length]).toEqual([[], [[id]], 0]);
  });

  it('is sent in its order, one after the other', async () => {
    ['a', 'b', 'c'].forEach(text => outbox.add(draft(text)));
    expect(states()).toEqual(['a sending', 'b waiting', 'c waiting']);
    await connections.answer('chat.post', messageOf(1));
    expect(states()).toEqual(['b sending', 'c waiting']);
  });

  it('of another room does not wait for it', () => {
    outbox.add(draft('a'));
    outbox.add(draft('b', { room: 'other' }));
    expect(states()).toEqual(['a sending', 'b sending']);
    expect(outbox.of('other').map(({ text }) => text)).toEqual(['b']);
  });

  it('survives a reload, with its id and in its order', async () => {
    const first = outbox.add(draft('a'));
    outbox.add(draft('b'));
    outbox.dispose();
    await connections.answer('chat.post', messageOf(1));
    connections = new ChatConnections();
    outbox = open();
    outbox.restore();
    expect(states()).toEqual(['a sending', 'b waiting']);
    expect(connections.asked('chat.post')).toMatchObject([{ id: first }]);
  });

  it('of another user or server is not touched', () => {
    outbox.add(draft('a'));
    const other = new Outbox(connections, keep, 'hub:bob:');
    other.restore();
    expect(other.all).toEqual([]);
  });

  it('is sent where the storage is full, too', () => {
    jest.spyOn(console, 'warn').mockImplementation();
    keep.full = true;
    outbox.add(draft('a'));
    expect(states()).toEqual(['a sending']);
  });

  it('is let go where what is kept cannot be read', () => {
    jest.spyOn(console, 'warn').mockImplementation();
    keep.values.set(`${PREFIX}x`, '{');
    outbox.restore();
    expect([states(), keep.length]).toEqual([[], 0]);
  });

  it('is refused where too much waits', () => {
    for (let i = 0; i < MAX_OUTGOING; i++) {
      outbox.add(draft('a'));
    }
    expect(() => outbox.add(draft('b'))).toThrow('Too many');
  });
});

describe('What could not be sent', () => {
  it('is tried again when the server says, before what follows it', async () => {
    outbox.add(draft('a'));
    outbox.add(draft('b'));
    await connections.refuse('chat.post', busy(700));
    expect(states()).toEqual(['a waiting', 'b waiting']);
    expect(outbox.all[0]?.error).toBe('Busy.');
    await jest.advanceTimersByTimeAsync(699);
    expect(connections.asked('chat.post')).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(states()).toEqual(['a sending', 'b waiting']);
  });

  it('is tried again after growing pauses where it does not say', async () => {
    outbox.add(draft('a'));
    for (const pause of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      await connections.refuse('chat.post', busy(null));
      await jest.advanceTimersByTimeAsync(pause - 1);
      expect(states()).toEqual(['a waiting']);
      await jest.advanceTimersByTimeAsync(1);
      expect(states()).toEqual(['a sending']);
    }
  });

  it('for good stays with the reason, and lets others pass', async () => {
    const id = outbox.add(draft('a'));
    outbox.add(draft('b'));
    await connections.refuse(
      'chat.post',
      new HubError('forbidden', 'You may not.')
    );
    expect(states()).toEqual(['a failed', 'b sending']);
    expect(outbox.all[0]?.error).toBe('You may not.');
    await connections.answer('chat.post', messageOf(1));
    outbox.retry(id);
    expect(states()).toEqual(['a sending']);
    expect(connections.asked('chat.post')).toMatchObject([{ id }]);
  });

  it('can be discarded, also after a reload', async () => {
    const id = outbox.add(draft('a'));
    await connections.refuse('chat.post', new Error('No.'));
    outbox.dispose();
    outbox = open();
    outbox.restore();
    expect(states()).toEqual(['a failed']);
    outbox.remove(id);
    expect([states(), keep.length]).toEqual([[], 0]);
  });

  it('can be discarded while it waits to be tried again: others pass then', async () => {
    const first = outbox.add(draft('a'));
    const second = outbox.add(draft('b'));
    outbox.add(draft('c'));
    await connections.refuse('chat.post', busy(30_000));
    outbox.remove(second);
    expect(states()).toEqual(['a waiting', 'c waiting']);
    outbox.remove(first);
    expect(states()).toEqual(['c sending']);
    await connections.refuse('chat.post', busy(1000));
    await jest.advanceTimersByTimeAsync(1000);
    expect(states()).toEqual(['c sending']);
    expect(connections.asked('chat.post')).toHaveLength(1);
  });

  it('is not failed when it stands in the room already', async () => {
    const id = outbox.add(draft('a'));
    outbox.remove(id);
    await connections.refuse('chat.post', new Error('No.'));
    expect(states()).toEqual([]);
  });

  it('is not tried after dispose', async () => {
    outbox.add(draft('a'));
    await connections.refuse('chat.post', busy(10));
    outbox.dispose();
    await jest.advanceTimersByTimeAsync(10);
    await turn();
    expect(connections.asked('chat.post')).toEqual([]);
  });
});
