import { MainRig } from '../../testing/mainRig';
import { errorInfo } from '../../testing/fakeTopics';
import { IEnd, pass, watch } from '../../testing/tools';
import { VirtualMainSocket } from '../virtual';

type Message = { [key: string]: unknown };

/** A holder of the main connection. */
class Holder {
  readonly messages: Message[] = [];
  readonly closes: Array<[number, boolean]> = [];
  readonly socket: VirtualMainSocket;

  constructor(rig: MainRig) {
    this.socket = new VirtualMainSocket('ws://hub.test/ws', rig.main);
    this.socket.onmessage = event =>
      this.messages.push(...(JSON.parse(event.data as string) as Message[]));
    this.socket.onclose = event =>
      this.closes.push([event.code, event.wasClean]);
  }

  /** Send messages, and let the answers come. */
  async say(...messages: Message[]): Promise<Message[]> {
    const before = this.messages.length;
    this.socket.send(JSON.stringify(messages));
    await pass(20);
    return this.messages.slice(before);
  }
}

/** How a promise has ended after a moment. */
async function watchSoon<T>(promise: Promise<T>): Promise<IEnd<T>> {
  const end = watch(promise);
  await pass(20);
  return end;
}

let rig: MainRig;

beforeEach(async () => {
  jest.useFakeTimers();
  rig = await new MainRig().connected();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('The virtual socket of the main connection', () => {
  it('has the face of an open WebSocket', () => {
    const { socket } = new Holder(rig);
    expect(socket).toMatchObject({
      readyState: WebSocket.OPEN,
      url: 'ws://hub.test/ws',
      protocol: 'v1.hub.jupyter-ws-hub',
      bufferedAmount: 0,
      CLOSED: WebSocket.CLOSED
    });
  });

  it('keeps the refs of its holders apart', async () => {
    rig.server.methods.set('files.list', params => params);
    const [a, b] = [new Holder(rig), new Holder(rig)];
    const ask = (who: string) => ({
      type: 'request',
      ref: 1,
      method: 'files.list',
      params: { path: who }
    });
    a.socket.send(JSON.stringify([ask('a')]));
    b.socket.send(JSON.stringify([ask('b')]));
    await pass(20);
    expect(a.messages).toEqual([
      { type: 'reply', ref: 1, result: { path: 'a' } }
    ]);
    expect(b.messages).toEqual([
      { type: 'reply', ref: 1, result: { path: 'b' } }
    ]);
  });

  it('gives the items of a streamed reply with the ref of its holder', async () => {
    rig.server.streams.methods.set('example.count', () => ({
      items: ['a', 'b']
    }));
    await watchSoon(rig.main.request('files.list', {}));
    const told = await new Holder(rig).say({
      type: 'request',
      ref: 9,
      method: 'example.count'
    });
    expect(told).toEqual([
      { type: 'item', ref: 9, n: 0, data: 'a' },
      { type: 'item', ref: 9, n: 1, data: 'b' },
      { type: 'reply', ref: 9, result: null }
    ]);
  });

  it('that fails at an item costs nobody else anything', async () => {
    const told = jest
      .spyOn(console, 'error')
      .mockImplementation(() => undefined);
    rig.server.streams.methods.set('example.count', () => ({
      items: ['a']
    }));
    const holder = new Holder(rig);
    holder.socket.onmessage = ({ data }) => {
      if (String(data).includes('item')) {
        throw new Error('A bug.');
      }
    };
    const message = { type: 'request', ref: 9, method: 'example.count' };
    holder.socket.send(JSON.stringify([message]));
    await pass(20);
    expect(told).toHaveBeenCalledTimes(1);
    await expect(
      watchSoon(rig.main.request('files.list', {}))
    ).resolves.toMatchObject({ settled: true, value: null });
    told.mockRestore();
  });

  it('gives the errors of requests as they stand on the wire', async () => {
    const holder = new Holder(rig);
    const [reply] = await holder.say({
      type: 'request',
      ref: 4,
      method: 'files.save',
      params: 'x'.repeat(2 ** 20)
    });
    expect(reply).toMatchObject({
      type: 'reply',
      ref: 4,
      error: { code: 'too_big', retryable: false, retry_after_ms: null }
    });
  });

  it('cancels a request, which is answered', async () => {
    rig.server.methods.set('files.list', () => new Promise(() => undefined));
    const holder = new Holder(rig);
    const request = { type: 'request', ref: 2, method: 'files.list' };
    expect(await holder.say(request)).toEqual([]);
    expect(await holder.say({ type: 'cancel', ref: 99 })).toEqual([]);
    expect(await holder.say({ type: 'cancel', ref: 2 })).toMatchObject([
      { type: 'reply', ref: 2, error: { code: 'cancelled' } }
    ]);
  });

  it('follows topics for each holder', async () => {
    const [a, b] = [new Holder(rig), new Holder(rig)];
    rig.server.publish('chat/a', 1);
    await a.say({
      type: 'subscribe',
      ref: 1,
      topic: 'chat/a',
      since: 'earliest'
    });
    await b.say({ type: 'subscribe', ref: 1, topic: 'chat/a' });
    rig.server.publish('chat/a', 2);
    await pass(20);
    const data = (one: Holder) =>
      one.messages
        .filter(({ type }) => type === 'event')
        .map(event => event['data']);
    expect([data(a), data(b)]).toEqual([[1, 2], [2]]);
    expect(
      await a.say({ type: 'unsubscribe', ref: 2, topic: 'chat/a' })
    ).toEqual([{ type: 'reply', ref: 2, result: null }]);
    rig.server.publish('chat/a', 3);
    await pass(20);
    expect([data(a), data(b)]).toEqual([
      [1, 2],
      [2, 3]
    ]);
  });

  it('follows a topic once, also for who asks twice', async () => {
    const holder = new Holder(rig);
    rig.server.publish('chat/a', 1);
    await holder.say({ type: 'subscribe', ref: 1, topic: 'chat/a' });
    const past = {
      type: 'subscribe',
      ref: 2,
      topic: 'chat/a',
      since: 'earliest'
    };
    await holder.say(past);
    rig.server.publish('chat/a', 2);
    await pass(20);
    const events = holder.messages.filter(({ type }) => type === 'event');
    expect(events.map(event => event['data'])).toEqual([1, 2]);
  });

  it.each([
    ['with a log', 'chat/a'],
    ['without a log', 'status']
  ])('answers a subscription to a topic %s', async (_, topic) => {
    rig.server.topics.unlogged.set('status', [1]);
    const holder = new Holder(rig);
    const answers = await holder.say({ type: 'subscribe', ref: 7, topic });
    expect(answers).toContainEqual(
      expect.objectContaining({
        type: 'subscribed',
        ref: 7,
        topic,
        status: 'ok'
      })
    );
  });

  it('tells of a later reset as the server does: without a ref', async () => {
    const holder = new Holder(rig);
    await holder.say({ type: 'subscribe', ref: 7, topic: 'chat/a' });
    rig.cut();
    const log = { epoch: 'e2', floor: 0, events: [] };
    rig.server.topics.logs.set('chat/a', log);
    rig.server.publish('chat/a', 1);
    await rig.back();
    await pass(20);
    const answers = holder.messages.filter(one => one['type'] === 'subscribed');
    expect(answers).toMatchObject([
      { ref: 7, status: 'ok', position: { epoch: 'e1', offset: 0 } },
      { ref: null, status: 'reset', position: { epoch: 'e2', offset: 1 } }
    ]);
  });

  it('tells of a refused topic with the ref of the holder', async () => {
    rig.server.topics.refused.set('chat/a', errorInfo('forbidden'));
    const holder = new Holder(rig);
    const answers = await holder.say({
      type: 'subscribe',
      ref: 7,
      topic: 'chat/a'
    });
    expect(answers).toMatchObject([
      { type: 'reply', ref: 7, error: { code: 'forbidden' } }
    ]);
  });

  it('answers pings itself, and refuses what it does not know', async () => {
    const holder = new Holder(rig);
    expect(
      await holder.say({ type: 'ping', t: 5 }, { type: 'teleport', ref: 3 })
    ).toMatchObject([
      { type: 'pong', t: 5 },
      { type: 'reply', ref: 3, error: { code: 'unknown_type' } }
    ]);
  });

  it.each([
    ['no JSON', 'x'],
    ['no array', '{}'],
    ['no objects', '[1]'],
    ['null', '[null]']
  ])('takes frames of messages only: %s', (_, frame) => {
    const { socket } = new Holder(rig);
    expect(() => socket.send(frame)).toThrow(
      expect.objectContaining({ code: 'bad_frame' })
    );
    expect(() => socket.send(new ArrayBuffer(2))).toThrow();
    expect(socket.readyState).toBe(WebSocket.OPEN);
  });

  it('goes on over a break', async () => {
    const holder = new Holder(rig);
    await holder.say({ type: 'subscribe', ref: 1, topic: 'chat/a' });
    rig.cut();
    holder.socket.send('[{"type":"request","ref":2,"method":"files.list"}]');
    rig.server.publish('chat/a', 1);
    await rig.back();
    await pass(20);
    expect(holder.messages).toContainEqual(
      expect.objectContaining({ type: 'event', data: 1 })
    );
    expect(holder.messages).toContainEqual(
      expect.objectContaining({ type: 'reply', ref: 2 })
    );
    expect(holder.closes).toEqual([]);
  });
});

describe('Closing the virtual socket', () => {
  it('detaches its holder, and leaves the connection to the others', async () => {
    const [a, b] = [new Holder(rig), new Holder(rig)];
    for (const holder of [a, b]) {
      await holder.say({ type: 'subscribe', ref: 1, topic: 'chat/a' });
    }
    a.socket.send('[{"type":"request","ref":2,"method":"files.list"}]');
    a.socket.close(1000, 'done');
    a.socket.close();
    expect(a.socket.readyState).toBe(WebSocket.CLOSED);
    const before = a.messages.length;
    rig.server.publish('chat/a', 1);
    await pass(20);
    expect([a.closes, a.messages.length]).toEqual([[[1000, true]], before]);
    expect(b.messages).toContainEqual(expect.objectContaining({ data: 1 }));
    a.socket.send('[{"type":"ping"}]');
    expect(rig.status.state).toBe('connected');
    expect(rig.server.last).toMatchObject({ isOver: false, closedWith: null });
    expect(rig.server.got('bye')).toEqual([]);
    b.socket.close();
    await pass(20);
    expect(rig.server.got('unsubscribe')).toHaveLength(1);
  });

  it('happens also when the server refuses for good', async () => {
    const holder = new Holder(rig);
    rig.server.last.end(4501, 'Logged out.');
    await pass(20);
    expect(holder.closes).toEqual([[4501, true]]);
  });
});
