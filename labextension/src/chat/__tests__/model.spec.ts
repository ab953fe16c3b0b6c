import { ChatMessage } from '../../protocol/generated';
import { StubConnections } from '../../testing/stubs';
import { RoomModel } from '../model';

function message(id: string, text = id): ChatMessage {
  const author = { username: 'ada', display_name: 'Ada' };
  return { id, room: 'general', author, text, time: 0 };
}

let connections: StubConnections;
let model: RoomModel;
let changes: number;

const arrive = (offset: number, id: string) =>
  connections.tell({ kind: 'message', data: message(id), offset });
const ids = () => model.messages.map(({ id }) => id);
/** Let promises go on. */
const turn = () => new Promise(resolve => setTimeout(resolve));

beforeEach(() => {
  connections = new StubConnections();
  model = new RoomModel(connections, 'general');
  changes = 0;
  model.changed.connect(() => (changes += 1));
});

describe('The messages of a room', () => {
  it('are those that the server keeps, and what comes', () => {
    expect(connections.subscriptions).toMatchObject([
      { topic: 'chat/general', since: 'earliest' }
    ]);
    arrive(1, 'a');
    arrive(2, 'b');
    expect([ids(), changes]).toEqual([['a', 'b'], 2]);
  });

  it('are replaced by a snapshot', () => {
    arrive(1, 'a');
    const items = [
      { offset: 7, message: message('x') },
      { offset: 8, message: message('y') }
    ];
    connections.subscriber.onSnapshot?.(
      { items, more: true } as never,
      'trimmed'
    );
    arrive(9, 'z');
    expect(ids()).toEqual(['x', 'y', 'z']);
  });

  it.each([
    ['no snapshot', null],
    ['an empty one', { items: [], more: false }]
  ])('are none after a reset with %s, and that is told', (_, snapshot) => {
    arrive(1, 'a');
    connections.subscriber.onSnapshot?.(snapshot as never, 'epoch');
    expect([ids(), changes]).toEqual([[], 2]);
  });

  it('say why the room cannot be read', () => {
    expect(model.error).toBeNull();
    connections.subscriber.onError?.(new Error('You may not.'));
    expect([model.error, changes]).toEqual(['You may not.', 1]);
  });

  it('are not followed any more after dispose', () => {
    model.dispose();
    model.dispose();
    arrive(1, 'a');
    expect([
      model.isDisposed,
      connections.subscriptions[0]?.isDisposed,
      changes
    ]).toEqual([true, true, 0]);
  });
});

describe('Posting to a room', () => {
  it('shows the message as on its way until the server has it', async () => {
    const posted = model.post('Hello', 'm1');
    expect(model.outgoing).toEqual([{ id: 'm1', text: 'Hello', error: null }]);
    expect(connections.requests[0]).toMatchObject({
      method: 'chat.post',
      params: { room: 'general', text: 'Hello', id: 'm1' }
    });
    connections.requests[0]?.resolve({ offset: 1, message: message('m1') });
    await posted;
    expect([ids(), model.outgoing]).toEqual([['m1'], []]);
  });

  it('gives each message an id of its own', () => {
    void model.post('a');
    void model.post('a');
    expect(new Set(model.outgoing.map(({ id }) => id)).size).toBe(2);
  });

  it('shows it once, whichever of event and answer is first', async () => {
    const posted = model.post('Hello', 'm1');
    arrive(1, 'm1');
    expect([ids(), model.outgoing]).toEqual([['m1'], []]);
    connections.requests[0]?.resolve({ offset: 1, message: message('m1') });
    await posted;
    arrive(1, 'm1');
    expect(ids()).toEqual(['m1']);
  });

  it('keeps what could not be sent, with the reason, and sends it again by the same id', async () => {
    const posted = model.post('Hello', 'm1');
    connections.requests[0]?.reject(new Error('Too fast.'));
    await posted;
    expect(model.outgoing).toEqual([
      { id: 'm1', text: 'Hello', error: 'Too fast.' }
    ]);
    const again = model.post('Hello', 'm1');
    expect(model.outgoing).toEqual([{ id: 'm1', text: 'Hello', error: null }]);
    connections.requests[1]?.resolve({ offset: 1, message: message('m1') });
    await again;
    expect([ids(), model.outgoing]).toEqual([['m1'], []]);
  });

  it('does not call a message failed that stands in the room', async () => {
    const posted = model.post('Hello', 'm1');
    arrive(1, 'm1');
    connections.requests[0]?.reject(new Error('The answer took too long.'));
    await posted;
    expect([ids(), model.outgoing]).toEqual([['m1'], []]);
  });

  it('keeps the order of the server, also where the answer overtakes the messages before it', async () => {
    arrive(1, 'a');
    const posted = model.post('Mine', 'mine');
    // After a break the answer can come before what others have said meanwhile.
    connections.requests[0]?.resolve({ offset: 3, message: message('mine') });
    await posted;
    arrive(2, 'b');
    arrive(3, 'mine');
    arrive(4, 'c');
    await turn();
    expect(ids()).toEqual(['a', 'b', 'mine', 'c']);
  });
});
