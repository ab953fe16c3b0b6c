import { HubError } from '../../protocol/errors';
import {
  answerOf,
  ChatConnections,
  FakeKeep,
  messageOf,
  turn
} from '../../testing/fakeChat';
import { Outbox } from '../outbox';
import { PAGE, RoomModel } from '../roomModel';

const TOPIC = 'chat/general';
let connections: ChatConnections;
let outbox: Outbox;
let model: RoomModel;
let errors: string[];
let changes: number;

const ids = () => model.messages.map(({ id }) => id);
const arrive = (seq: number, more = {}) =>
  connections.happens(TOPIC, 'message', messageOf(seq, more));
const delta = (message: string, at: number, text: string) =>
  connections.happens(TOPIC, 'message.delta', { message, at, text });
const page = (seqs: number[], more = false) =>
  connections.answer('chat.history', {
    messages: seqs.map(seq => messageOf(seq)),
    more
  });
const answer = (more = {}) =>
  messageOf(9, { id: 'a', text: '', answer: answerOf(), ...more });

/** The room with its newest page. */
async function opened(seqs: number[], more = false): Promise<void> {
  connections.live(TOPIC);
  await page(seqs, more);
}

beforeEach(() => {
  jest.useFakeTimers();
  connections = new ChatConnections();
  outbox = new Outbox(connections, new FakeKeep(), 'p');
  errors = [];
  changes = 0;
  model = new RoomModel(connections, outbox, 'general', ({ message }) =>
    errors.push(message)
  );
  model.changed.connect(() => (changes += 1));
});

afterEach(() => {
  model.dispose();
  outbox.dispose();
  jest.useRealTimers();
});

describe('A room', () => {
  it('is followed from now on, and its newest page is read', async () => {
    expect(connections.subscriptions).toMatchObject([
      { topic: TOPIC, since: 'latest' }
    ]);
    expect(model.isReady).toBe(false);
    connections.live(TOPIC);
    expect(connections.asked('chat.history')).toEqual([
      { room: 'general', limit: PAGE }
    ]);
    arrive(3);
    await page([1, 2], true);
    arrive(4);
    expect([ids(), model.isReady, model.hasOlder, model.newest]).toEqual([
      ['m1', 'm2', 'm3', 'm4'],
      true,
      true,
      4
    ]);
  });

  it('reads the page once', async () => {
    await opened([1]);
    connections.live(TOPIC);
    expect(connections.asked('chat.history')).toEqual([]);
  });

  it('reads older pages when they are wanted, one at a time, until there is none', async () => {
    await opened([5, 6], true);
    void model.loadOlder();
    void model.loadOlder();
    expect(connections.asked('chat.history')).toEqual([
      { room: 'general', before: 5, limit: PAGE }
    ]);
    await page([3, 4], false);
    expect([ids(), model.hasOlder]).toEqual([['m3', 'm4', 'm5', 'm6'], false]);
    void model.loadOlder();
    expect(connections.asked('chat.history')).toEqual([]);
  });

  it('says that older ones could not be read, and can read them then', async () => {
    await opened([5], true);
    void model.loadOlder();
    await connections.refuse('chat.history', new Error('No.'));
    expect(errors).toEqual(['No.']);
    void model.loadOlder();
    expect(connections.asked('chat.history')).toHaveLength(1);
  });

  it('forgets what nobody looks at, and reads it again', async () => {
    await opened([1, 2, 3]);
    model.trim(2);
    expect([ids(), model.hasOlder]).toEqual([['m2', 'm3'], true]);
  });

  it('says why it cannot be read', () => {
    connections.followers(TOPIC)[0]?.onError?.(new Error('No such room.'));
    expect([model.error, model.isReady]).toEqual(['No such room.', false]);
  });

  it('asks again for its page where it may', async () => {
    connections.live(TOPIC);
    const error = new HubError('busy', 'Busy.', true, 50);
    await connections.refuse('chat.history', error);
    expect(model.error).toBe('Busy.');
    await jest.advanceTimersByTimeAsync(50);
    await page([1]);
    expect([ids(), model.error]).toEqual([['m1'], null]);
  });

  it('takes what a reset comes with', async () => {
    await opened([1, 2]);
    const messages = [messageOf(7), messageOf(8)];
    connections
      .followers(TOPIC)[0]
      ?.onSnapshot?.({ messages, more: true } as never, 'trimmed');
    expect([ids(), model.hasOlder]).toEqual([['m7', 'm8'], true]);
  });

  it('keeps what it shows through a reset without a snapshot, until it has the new page', async () => {
    await opened([1, 2]);
    changes = 0;
    connections.followers(TOPIC)[0]?.onSnapshot?.(null as never, 'epoch');
    expect([ids(), changes]).toEqual([['m1', 'm2'], 0]);
    await opened([4]);
    expect(ids()).toEqual(['m4']);
  });

  it('takes no change of a message that is older than what it has', async () => {
    await opened([5, 6], true);
    const message = messageOf(2, { version: 2 });
    connections.happens(TOPIC, 'message.changed', { message });
    expect([ids(), model.messages[0]?.seq]).toEqual([['m5', 'm6'], 5]);
  });

  it('has no hole where an old message changed before its page came', async () => {
    const message = messageOf(2, { version: 2 });
    connections.live(TOPIC);
    connections.happens(TOPIC, 'message.changed', { message });
    await page([5, 6], true);
    expect(ids()).toEqual(['m5', 'm6']);
  });

  it('is not followed after dispose', async () => {
    connections.live(TOPIC);
    model.dispose();
    model.dispose();
    await page([1]);
    expect([connections.topics, ids(), model.isDisposed]).toEqual([
      [],
      [],
      true
    ]);
  });
});

describe('An answer', () => {
  const streamed: string[] = [];

  beforeEach(async () => {
    streamed.length = 0;
    model.streamed.connect((_, id) => streamed.push(id));
    await opened([1]);
    connections.happens(TOPIC, 'message.started', { message: answer() });
    changes = 0;
  });

  it('grows, and only that is told', () => {
    delta('a', 0, 'Hel');
    delta('a', 3, 'lo');
    expect([model.get('a')?.text, streamed, changes]).toEqual([
      'Hello',
      ['a', 'a'],
      0
    ]);
    expect(model.writing.map(({ id }) => id)).toEqual(['a']);
  });

  it('is asked for once where something is missing', async () => {
    delta('a', 3, 'lo');
    delta('a', 5, '!');
    expect(connections.asked('chat.message')).toEqual([
      { room: 'general', id: 'a' }
    ]);
    await connections.answer('chat.message', answer({ text: 'Hel' }));
    expect([model.get('a')?.text, changes]).toEqual(['Hello!', 1]);
  });

  it('is asked for at the next gap where that failed', async () => {
    jest.spyOn(console, 'warn').mockImplementation();
    delta('a', 3, 'lo');
    await connections.refuse('chat.message', new Error('No.'));
    delta('a', 5, '!');
    expect(connections.asked('chat.message')).toHaveLength(1);
  });

  it('ends with the whole text, which is said', () => {
    const said: string[] = [];
    model.said.connect((_, { text }) => said.push(text));
    const done = answerOf({ state: 'done' });
    const message = answer({ text: 'Hello', answer: done, version: 2 });
    connections.happens(TOPIC, 'message.finished', { message, length: 5 });
    expect([model.get('a')?.text, said, model.writing]).toEqual([
      'Hello',
      ['Hello'],
      []
    ]);
  });

  it('is stopped, and asked for again', async () => {
    void model.stop('a');
    expect(connections.asked('assistants.stop')).toEqual([
      { room: 'general', id: 'a' }
    ]);
    const stopped = answerOf({ state: 'stopped' });
    await connections.answer(
      'assistants.stop',
      answer({ answer: stopped, version: 2 })
    );
    expect(model.get('a')?.answer?.state).toBe('stopped');
    void model.ask('m1', { assistant: 'robot', model: 'small' });
    expect(connections.asked('assistants.ask')).toMatchObject([
      { message: 'm1', ask: { assistant: 'robot', model: 'small' } }
    ]);
  });

  it('that began before the page was read is not asked for, as the page has it', async () => {
    model.dispose();
    connections = new ChatConnections();
    model = new RoomModel(connections, outbox, 'general', () => undefined);
    connections.live(TOPIC);
    delta('a', 3, 'lo');
    delta('b', 9, '!');
    await connections.answer('chat.history', {
      messages: [answer({ text: 'Hel' })],
      more: false
    });
    expect([model.get('a')?.text, connections.asked('chat.message')]).toEqual([
      'Hello',
      [{ room: 'general', id: 'b' }]
    ]);
  });
});

describe('What the user writes', () => {
  const draft = (text: string) =>
    outbox.add({
      ...{ room: 'general', text, replyTo: '', attachments: [], ask: [] }
    });

  it('stands in the room once, whichever of event and answer is first', async () => {
    await opened([1]);
    const id = draft('mine');
    expect(model.outgoing).toMatchObject([{ text: 'mine', state: 'sending' }]);
    arrive(2, { id });
    expect([ids(), model.outgoing]).toEqual([['m1', id], []]);
    await connections.answer('chat.post', messageOf(2, { id }));
    expect(ids()).toEqual(['m1', id]);
  });

  it('stands where the server has put it', async () => {
    await opened([1]);
    const id = draft('mine');
    await connections.answer('chat.post', messageOf(3, { id }));
    arrive(2);
    arrive(3, { id });
    expect(ids()).toEqual(['m1', 'm2', id]);
  });

  it('is changed only as it was seen, and it is said what went wrong', async () => {
    await opened([1]);
    void model.edit(messageOf(1, { version: 4 }), 'new');
    expect(connections.asked('chat.edit')).toEqual([
      { room: 'general', id: 'm1', text: 'new', version: 4 }
    ]);
    await connections.refuse('chat.edit', new Error('It was changed.'));
    expect(errors).toEqual(['It was changed.']);
    void model.delete('m1');
    const gone = messageOf(1, { version: 2, deleted: true, text: '' });
    await connections.answer('chat.delete', gone);
    expect(model.get('m1')?.deleted).toBe(true);
  });
});

describe('How far it was read', () => {
  it('is told soon, once for many, and never back', async () => {
    model.markRead(3);
    model.markRead(5);
    model.markRead(4);
    expect(connections.asked('chat.read')).toEqual([]);
    await jest.advanceTimersByTimeAsync(300);
    expect(connections.asked('chat.read')).toEqual([
      { room: 'general', seq: 5 }
    ]);
    model.markRead(5);
    await jest.advanceTimersByTimeAsync(300);
    expect(connections.asked('chat.read')).toHaveLength(1);
  });

  it('is not told after dispose', async () => {
    model.markRead(3);
    model.dispose();
    await jest.advanceTimersByTimeAsync(300);
    await turn();
    expect(connections.asked('chat.read')).toEqual([]);
  });
});
