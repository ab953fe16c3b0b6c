import { HubError } from '../../protocol/errors';
import {
  ADA,
  answerOf,
  ChatConnections,
  FakeKeep,
  messageOf,
  roomOf
} from '../../testing/fakeChat';
import { ChatModel } from '../chatModel';
import { attachment, Composer, MAX_ATTACHMENTS, MAX_TEXT } from '../composer';

let connections: ChatConnections;
let chat: ChatModel;
let errors: string[];
let gone: string[];

const posted = () => connections.asked('chat.post') as { text: string }[];
const composer = (): Composer => chat.open!.composer;

/** A room is not the user's any more. */
async function goes(name: string): Promise<void> {
  connections.happens('rooms', 'changed', {});
  await jest.advanceTimersByTimeAsync(100);
  const rooms = chat.rooms.rooms.filter(({ room }) => room.name !== name);
  await connections.answer('chat.rooms', { rooms });
}

beforeEach(async () => {
  jest.useFakeTimers();
  connections = new ChatConnections();
  errors = [];
  gone = [];
  chat = new ChatModel({
    ...{ connections, me: ADA, keep: new FakeKeep(), server: 'here' },
    room: 'general',
    onError: ({ message }) => errors.push(message),
    onGone: title => gone.push(title)
  });
  connections.live('rooms');
  await jest.advanceTimersByTimeAsync(100);
  const title = 'The other';
  const rooms = [
    roomOf('general'),
    roomOf('other', { moderator: true, room: { title } })
  ];
  await connections.answer('chat.rooms', { rooms });
  const robot = { name: 'robot', models: ['small', 'large'], state: 'ok' };
  await connections.answer('assistants.list', {
    assistants: [robot],
    hint: []
  });
});

afterEach(() => {
  chat.dispose();
  jest.useRealTimers();
});

describe('The chat', () => {
  it('opens the first room when it is shown', () => {
    expect(chat.open).toBeNull();
    chat.setVisible(true);
    expect([chat.open?.model.room, chat.view]).toEqual(['general', 'room']);
    expect(connections.asked('chat.presence')).toEqual([
      { room: 'general', state: 'here' }
    ]);
  });

  it('is in one room at a time', () => {
    chat.setVisible(true);
    const { model } = chat.open!;
    chat.show('rooms');
    chat.enter('other');
    expect([model.isDisposed, chat.open?.model.room]).toEqual([true, 'other']);
    expect(
      connections
        .asked('chat.presence')
        .map(params => Object.values(params as object))
    ).toEqual([
      ['general', 'here'],
      ['general', 'gone'],
      ['other', 'here']
    ]);
  });

  it('shows a room at a message, and else at its newest one', async () => {
    chat.setVisible(true);
    chat.show('search');
    chat.enter('other', 500);
    const { model } = chat.open!;
    expect([chat.view, model.isPast, model.isReady]).toEqual([
      'room',
      true,
      false
    ]);
    expect(connections.asked('chat.history')).toMatchObject([
      { room: 'other', before: 501 },
      { room: 'other', after: 500 }
    ]);
    chat.show('rooms');
    chat.enter('other');
    expect([chat.open?.model === model, model.isPast]).toEqual([true, false]);
  });

  it('goes on showing the room that is in view until it is at the message', () => {
    chat.setVisible(true);
    chat.enter('general', 500);
    expect(chat.open?.model.isPast).toBe(false);
    chat.show('search');
    chat.enter('general', 400);
    expect(chat.open?.model.isPast).toBe(true);
  });

  it('leaves a room that is gone, and says so', async () => {
    chat.setVisible(true);
    chat.enter('other');
    await goes('other');
    expect([chat.open, chat.view]).toEqual([null, 'rooms']);
    expect(gone).toEqual(['The other']);
  });

  it('leaves a room that the user deletes, and what is searched stays', async () => {
    chat.setVisible(true);
    chat.enter('other');
    chat.show('search');
    void chat.rooms.remove('other');
    await goes('other');
    expect([chat.open, chat.view, gone]).toEqual([null, 'search', []]);
  });

  it('keeps what is written in a room until the user is there again', () => {
    const file = attachment('file', { path: 'a.txt' });
    chat.setVisible(true);
    composer().reply(messageOf(3));
    composer().typed('half a sen');
    composer().attach(file);
    chat.enter('other');
    expect(composer().draft).toEqual({
      ...{ text: '', purpose: { kind: 'new' }, attachments: [] }
    });
    chat.enter('general');
    expect(composer().draft).toMatchObject({
      ...{ text: 'half a sen', attachments: [file] },
      purpose: { kind: 'reply', message: { id: 'm3' } }
    });
  });

  it('has seen what is shown, and only that', async () => {
    chat.setVisible(true);
    connections.happens(
      'chat/general',
      'message',
      messageOf(1, { author: { ...ADA, username: 'bob' } })
    );
    expect(chat.rooms.total).toBe(1);
    chat.show('rooms');
    chat.seen(1);
    expect(chat.rooms.total).toBe(1);
    chat.show('room');
    chat.seen(1);
    await jest.advanceTimersByTimeAsync(300);
    expect([chat.rooms.total, connections.asked('chat.read')]).toEqual([
      0,
      [{ room: 'general', seq: 1 }]
    ]);
  });

  it('knows who may change what', () => {
    const bob = { ...ADA, username: 'bob' };
    const theirs = messageOf(1, { author: bob });
    const asked = messageOf(1, { author: bob, answer: answerOf() });
    expect([
      chat.mayChange(messageOf(1)),
      chat.mayChange(theirs),
      chat.mayChange({ ...theirs, room: 'other' }),
      chat.mayChange(asked)
    ]).toEqual([true, false, true, true]);
  });

  it('says how the connection is', () => {
    let changes = 0;
    chat.changed.connect(() => (changes += 1));
    connections.becomes('reconnecting');
    expect([chat.connection, changes]).toEqual(['reconnecting', 1]);
  });
});

describe('What is written', () => {
  beforeEach(() => chat.setVisible(true));

  it('is said, with what goes along, once', () => {
    const file = attachment('file', { path: 'a.txt' });
    composer().attach(file);
    composer().attach({ ...file });
    chat.assistants.choose('general', { assistant: 'robot', model: 'large' });
    expect(composer().send('  Hi  ')).toBe(true);
    expect(posted()).toMatchObject([
      {
        ...{ text: 'Hi', attachments: [file], reply_to: '' },
        ask: [{ assistant: 'robot', model: 'large' }]
      }
    ]);
    expect(composer().attachments).toEqual([]);
  });

  it('is not said where it is empty or too long, and why is told', () => {
    expect([composer().send('  '), errors]).toEqual([false, []]);
    expect(composer().send('x'.repeat(MAX_TEXT + 1))).toBe(false);
    expect(errors[0]).toContain('20000 characters');
    expect(posted()).toEqual([]);
  });

  it('brings who says it back from the past', async () => {
    const { model } = chat.open!;
    const { place } = model;
    for (const act of [
      () => composer().send('Hi'),
      () =>
        composer().askAgain(
          messageOf(4, { answer: answerOf({ state: 'done' }) })
        )
    ]) {
      void place.goTo(500, true);
      expect(model.isPast).toBe(true);
      act();
      expect([model.isPast, place.target]).toEqual([false, { id: null }]);
    }
    void place.goTo(500, true);
    composer().edit(messageOf(3));
    composer().send('Better');
    expect(model.isPast).toBe(true);
  });

  it('replies to a message', () => {
    const filled: (string | null)[] = [];
    composer().filled.connect((_, text) => filled.push(text));
    composer().reply(messageOf(3));
    composer().send('Yes');
    expect([posted(), filled, composer().purpose]).toMatchObject([
      [{ reply_to: 'm3' }],
      [null],
      { kind: 'new' }
    ]);
  });

  it('comes back after a message was changed, or not', () => {
    composer().reply(messageOf(1));
    composer().typed('half a sen');
    const reply = composer().draft;
    composer().edit(messageOf(3));
    composer().edit(messageOf(4));
    expect(composer().text).toBe('text 4');
    composer().cancel();
    expect(composer().draft).toEqual(reply);
    composer().edit(messageOf(3));
    composer().send('Better');
    expect(composer().draft).toEqual(reply);
    composer().edit(messageOf(3));
    composer().reply(messageOf(5));
    expect(composer().draft).toMatchObject({
      ...{ text: 'half a sen', purpose: { message: { id: 'm5' } } }
    });
  });

  it('is not lost where somebody else has changed the message', async () => {
    const conflict = HubError.of('conflict', 'It was changed.');
    composer().edit(messageOf(3));
    composer().send('Better');
    composer().typed('half a sen');
    await connections.refuse('chat.edit', conflict);
    const now = messageOf(3, { version: 2, text: 'theirs' });
    await connections.answer('chat.message', now);
    expect([composer().text, composer().purpose, errors]).toMatchObject([
      'Better',
      { kind: 'edit', message: { version: 2 } },
      ['It was changed.']
    ]);
    composer().send('Better than theirs');
    expect(connections.asked('chat.edit')).toMatchObject([{ version: 2 }]);
    expect(composer().text).toBe('half a sen');
  });

  it('is not lost where the message was deleted', async () => {
    const conflict = HubError.of('conflict', 'It was deleted.');
    composer().edit(messageOf(3));
    composer().send('Better');
    await connections.refuse('chat.edit', conflict);
    await connections.answer('chat.message', messageOf(3, { deleted: true }));
    expect([composer().text, composer().purpose.kind]).toEqual([
      'Better',
      'new'
    ]);
  });

  it('changes a message, which is filled in, or does not', () => {
    const filled: (string | null)[] = [];
    composer().filled.connect((_, text) => filled.push(text));
    composer().edit(messageOf(3));
    composer().cancel();
    composer().edit(messageOf(3));
    composer().send('Better');
    expect([filled, posted(), connections.asked('chat.edit')]).toEqual([
      ['text 3', '', 'text 3'],
      [],
      [{ room: 'general', id: 'm3', text: 'Better', version: 1 }]
    ]);
  });

  it('has so many attachments at most, and says so', () => {
    for (let n = 0; n <= MAX_ATTACHMENTS; n++) {
      composer().attach(attachment('file', { path: `${n}.txt` }));
    }
    const paths = composer().attachments.map(({ path }) => path);
    expect([paths[0], paths.length]).toEqual(['0.txt', MAX_ATTACHMENTS]);
    expect(errors).toEqual(['A message has at most 10 attachments.']);
  });

  it('is not attached any more when it was taken away', () => {
    const file = attachment('file', { path: 'a.txt' });
    composer().attach(file);
    composer().detach(file);
    expect(composer().attachments).toEqual([]);
  });

  it('is answered again by the same assistant and model', () => {
    const robot = { ...ADA, username: 'robot', assistant: true };
    const answer = answerOf({ state: 'done', model: 'large' });
    composer().askAgain(messageOf(4, { author: robot, answer }));
    composer().askAgain(messageOf(4));
    expect(connections.asked('assistants.ask')).toMatchObject([
      { message: 'm1', ask: { assistant: 'robot', model: 'large' } }
    ]);
  });
});
