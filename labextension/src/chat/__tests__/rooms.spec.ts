import {
  ADA,
  answerOf,
  ChatConnections,
  messageOf,
  roomOf
} from '../../testing/fakeChat';
import { MAX_FOLLOWED, roomName, Rooms } from '../rooms';

let connections: ChatConnections;
let rooms: Rooms;

const listed = async (...list: ReturnType<typeof roomOf>[]) => {
  await jest.advanceTimersByTimeAsync(100);
  await connections.answer('chat.rooms', { rooms: list });
};
const counts = () =>
  rooms.rooms.map(state => [state.room.name, rooms.unread(state)]);
const said = (room: string, seq: number, username = 'bob') =>
  connections.happens(
    `chat/${room}`,
    'message',
    messageOf(seq, { room, author: { ...ADA, username } })
  );

beforeEach(() => {
  jest.useFakeTimers();
  connections = new ChatConnections();
  rooms = new Rooms(connections, () => 'ada');
  connections.live('rooms');
});

afterEach(() => {
  rooms.dispose();
  jest.useRealTimers();
});

describe('The rooms', () => {
  it('are listed once they are followed, archived ones last', async () => {
    expect(rooms.isReady).toBe(false);
    await listed(
      roomOf('a', { room: { archived: true }, newest: 9 }),
      roomOf('b', { newest: 5, read: 2 })
    );
    expect([counts(), rooms.total, rooms.isReady]).toEqual([
      [
        ['b', 3],
        ['a', 0]
      ],
      3,
      true
    ]);
  });

  it('are listed again when they change, once for many changes', async () => {
    await listed(roomOf('a'));
    connections.happens('rooms', 'changed', {});
    connections.happens('rooms', 'changed', {});
    await listed(roomOf('a'), roomOf('b'));
    expect(connections.asked('chat.rooms')).toEqual([]);
    expect(counts()).toEqual([
      ['a', 0],
      ['b', 0]
    ]);
  });

  it('are followed while they are there, and not more than so many', async () => {
    const many = Array.from({ length: 60 }, (_, n) => roomOf(`r${n}`));
    await listed(...many);
    const chats = () => connections.topics.filter(t => t.startsWith('chat/'));
    expect(chats()).toHaveLength(MAX_FOLLOWED);
    connections.happens('rooms', 'changed', {});
    await listed(roomOf('r1'));
    expect(chats()).toEqual(['chat/r1']);
  });

  it('say why they cannot be listed', async () => {
    await jest.advanceTimersByTimeAsync(100);
    await connections.refuse('chat.rooms', new Error('You may not.'));
    expect(rooms.error).toBe('You may not.');
  });
});

describe('What was not read', () => {
  beforeEach(() => listed(roomOf('a', { newest: 4, read: 4 })));

  it('is counted as it is said, once', () => {
    said('a', 5);
    said('a', 5);
    connections.happens('chat/a', 'message.started', {
      message: messageOf(6, { room: 'a', answer: answerOf() })
    });
    expect(counts()).toEqual([['a', 2]]);
  });

  it('is not what the user says, unless there is something before it', () => {
    said('a', 5, 'ada');
    expect(counts()).toEqual([['a', 0]]);
    said('a', 6);
    said('a', 7, 'ada');
    expect(counts()).toEqual([['a', 2]]);
  });

  it('is read in this window, or in another one, and never less', () => {
    [5, 6, 7].forEach(seq => said('a', seq));
    rooms.seen('a', 6);
    expect(counts()).toEqual([['a', 1]]);
    connections.happens('rooms/me', 'read', { room: 'a', seq: 7 });
    connections.happens('rooms/me', 'read', { room: 'a', seq: 3 });
    expect(counts()).toEqual([['a', 0]]);
  });

  it('is not forgotten by a list that was under way', async () => {
    connections.happens('rooms', 'changed', {});
    await jest.advanceTimersByTimeAsync(100);
    said('a', 5);
    const rooms_ = [roomOf('a', { newest: 4, read: 4 })];
    await connections.answer('chat.rooms', { rooms: rooms_ });
    expect(counts()).toEqual([['a', 1]]);
  });

  it('is that of the new room where one of the same name was made anew', async () => {
    connections.happens('rooms', 'changed', {});
    await listed(roomOf('a', { room: { created: 2 }, newest: 1, read: 1 }));
    expect(rooms.get('a')?.newest).toBe(1);
  });
});

describe('What is done with rooms', () => {
  it('is asked of the server, and seen in the list', async () => {
    await listed(roomOf('lab-notes'));
    const title = 'Lab Notes';
    const made = rooms.create(title, true, ['bob']);
    expect(connections.asked('chat.create')).toEqual([
      {
        name: 'lab-notes-2',
        title,
        private: true,
        members: ['bob']
      }
    ]);
    await connections.answer('chat.create', roomOf('lab-notes-2').room);
    await connections.answer('chat.rooms', { rooms: [roomOf('lab-notes-2')] });
    expect([await made, counts()]).toEqual([
      'lab-notes-2',
      [['lab-notes-2', 0]]
    ]);
  });

  it('is said to have failed', async () => {
    const errors: string[] = [];
    const note = (error: Error) => void errors.push(error.message);
    rooms.create('a', false, []).catch(note);
    rooms.remove('a').catch(note);
    rooms.rename('a', 'b').catch(note);
    rooms.archive('a', true).catch(note);
    rooms.members('a', ['x'], []).catch(note);
    const all = ['create', 'remove', 'rename', 'archive', 'members'];
    for (const what of all) {
      await connections.refuse(`chat.${what}`, new Error(what));
    }
    expect(errors).toEqual(all);
  });

  it('knows which room the user leaves by themselves', async () => {
    const left = () => ['a', 'b'].map(name => rooms.isLeft(name));
    const removed = rooms.remove('a');
    rooms.members('b', [], ['ada']).catch(() => undefined);
    void rooms.members('b', [], ['bob']);
    expect(left()).toEqual([true, true]);
    await connections.refuse('chat.members', new Error('no'));
    await connections.answer('chat.remove', {});
    await listed();
    await removed;
    expect(left()).toEqual([false, false]);
  });

  it('gives rooms names that the server takes', () => {
    const named = (title: string, ...taken: string[]) =>
      roomName(title, new Set(taken));
    expect([
      named('Größe & Maß'),
      named('日本'),
      named('me'),
      named('---'),
      named('x'.repeat(99)).length,
      named('a', 'a', 'a-2')
    ]).toEqual(['gro-e-ma', 'room', 'room-me', 'room', 50, 'a-3']);
  });
});
