import { ChatConnections, FakeKeep } from '../../testing/fakeChat';
import { AssistantList } from '../assistants';
import { RoomPresence } from '../presence';

const person = (username: string, more = {}) => ({
  ...{ username, display_name: '', state: 'here', gone: false, ...more }
});
const assistant = (name: string, more = {}) => ({
  ...{ name, display_name: name, description: '', models: ['small', 'large'] },
  ...{ local: true, state: 'ok', reason: '', ...more }
});

let connections: ChatConnections;

beforeEach(() => {
  jest.useFakeTimers();
  connections = new ChatConnections();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('Who is in a room', () => {
  let presence: RoomPresence;
  const names = () => presence.people.map(({ username }) => username);
  const states = () =>
    connections
      .asked('chat.presence')
      .map(params => (params as { state: string }).state);

  beforeEach(() => {
    presence = new RoomPresence(connections, 'general');
  });

  afterEach(() => presence.dispose());

  it('comes, types and goes', () => {
    const tell = (data: unknown) =>
      connections.happens('presence/general', 'presence', data);
    connections
      .followers('presence/general')[0]
      ?.onSnapshot?.(
        [{ kind: '', time: 0, data: person('bob') }] as never,
        null
      );
    tell(person('ada', { state: 'typing' }));
    expect([names(), presence.people[0]?.state]).toEqual([
      ['ada', 'bob'],
      'typing'
    ]);
    tell(person('bob', { gone: true }));
    expect(names()).toEqual(['ada']);
  });

  it('is told every 20 s while the room is seen', async () => {
    presence.setVisible(true);
    presence.setVisible(true);
    expect(states()).toEqual(['here']);
    await connections.answer('chat.presence', { people: [person('ada')] });
    expect(names()).toEqual(['ada']);
    await jest.advanceTimersByTimeAsync(40_000);
    expect(states()).toEqual(['here', 'here']);
    presence.setVisible(false);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(states()).toEqual(['here', 'here', 'gone']);
  });

  it('types until they stop, or have nothing written', async () => {
    presence.typed(false);
    expect(states()).toEqual([]);
    presence.setVisible(true);
    presence.typed(false);
    presence.typed(false);
    await jest.advanceTimersByTimeAsync(4999);
    expect(states()).toEqual(['here', 'typing']);
    await jest.advanceTimersByTimeAsync(1);
    presence.typed(false);
    presence.typed(true);
    expect(states()).toEqual(['here', 'typing', 'here', 'typing', 'here']);
  });

  it('types as long as they type', async () => {
    presence.setVisible(true);
    for (let key = 0; key < 20; key++) {
      presence.typed(false);
      await jest.advanceTimersByTimeAsync(1000);
    }
    const typing = ['typing', 'typing', 'typing', 'typing'];
    expect(states()).toEqual(['here', ...typing]);
    await jest.advanceTimersByTimeAsync(4000);
    expect(states().slice(5)).toEqual(['typing', 'here']);
    await jest.advanceTimersByTimeAsync(20_000);
    expect(states().slice(7)).toEqual(['here']);
  });

  it('has gone when the room is closed', () => {
    presence.setVisible(true);
    presence.dispose();
    presence.dispose();
    expect([states(), connections.topics]).toEqual([['here', 'gone'], []]);
  });
});

describe('The assistants', () => {
  let list: AssistantList;
  let keep: FakeKeep;
  const open = () => new AssistantList(connections, keep, 'p:');
  const come = (...assistants: unknown[]) =>
    connections.answer('assistants.list', { assistants, hint: ['a', 'b'] });

  beforeEach(() => {
    keep = new FakeKeep();
    list = open();
  });

  afterEach(() => list.dispose());

  it('are listed, with a hint where there is none', async () => {
    expect(list.isReady).toBe(false);
    await come();
    expect([list.all, list.hint, list.isReady]).toEqual([[], ['a', 'b'], true]);
  });

  it('are looked at again while one is not ready', async () => {
    await come(assistant('robot', { state: 'starting' }));
    await jest.advanceTimersByTimeAsync(5000);
    await come(assistant('robot'));
    await jest.advanceTimersByTimeAsync(60_000);
    expect(connections.asked('assistants.list')).toEqual([]);
    expect(list.get('robot')?.state).toBe('ok');
  });

  it('are asked for again when the connection is back', async () => {
    await come();
    connections.becomes('reconnecting');
    connections.becomes('connected');
    connections.becomes('connected');
    expect(connections.asked('assistants.list')).toHaveLength(1);
  });

  it('are chosen for each room, and that is kept', async () => {
    await come(assistant('robot'));
    list.choose('a', { assistant: 'robot', model: 'large' });
    list.choose('b', { assistant: 'robot' });
    list.dispose();
    list = open();
    await come(assistant('robot'));
    expect(['a', 'b', 'c'].map(room => list.chosen(room))).toEqual([
      { assistant: 'robot', model: 'large' },
      { assistant: 'robot', model: '' },
      null
    ]);
    list.choose('a', null);
    expect(list.chosen('a')).toBeNull();
  });

  it('that are gone, or their models, are not asked', async () => {
    keep.setItem('p:a', 'robot\nhuge');
    keep.setItem('p:b', 'other\nsmall');
    await come(assistant('robot'));
    expect([list.chosen('a'), list.chosen('b')]).toEqual([
      { assistant: 'robot', model: '' },
      null
    ]);
  });
});
