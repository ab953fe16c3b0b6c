import { FakeServer } from '../../testing/fakeServer';
import { Frame } from '../../testing/fakeSocket';
import { pass, settingsWith } from '../../testing/tools';
import { IConnectionStatus } from '../../tokens';
import { FileStreamSocket } from '../fileStream';
import { StatusBook } from '../status';

let server: FakeServer;
let book: StatusBook;

function open(id = 'op1'): FileStreamSocket {
  const { connect } = server;
  return new FileStreamSocket(id, { settings: settingsWith(), connect, book });
}

const status = (): IConnectionStatus => book.get('file-stream', 'op1');

beforeEach(() => {
  jest.useFakeTimers();
  server = new FakeServer();
  book = new StatusBook();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('The socket of a file stream', () => {
  it('asks for the subprotocol and passes text and bytes through', async () => {
    const frames: Frame[] = [];
    server.onFrame = (socket, frame) => {
      frames.push(frame);
      socket.give(frame);
    };
    const socket = open('a/b ü');
    const given: unknown[] = [];
    socket.onmessage = event => given.push(event.data);
    expect(() => socket.send('{}')).toThrow();
    await pass(10);
    expect(server.last).toMatchObject({
      path: ['file-stream', 'a/b ü'],
      protocol: 'v1.file-stream.jupyter-ws-hub'
    });
    expect(socket.url).toBe('ws://hub.test/base/ws/file-stream/a%2Fb%20%C3%BC');
    socket.send('{"type":"hello"}');
    socket.send(new Uint8Array([0, 1, 2]).subarray(1));
    await pass(10);
    expect(frames).toEqual(['{"type":"hello"}', new Uint8Array([1, 2])]);
    expect(given[0]).toBe('{"type":"hello"}');
    expect([...new Uint8Array(given[1] as ArrayBuffer)]).toEqual([1, 2]);
  });

  it('tells how much waits to be sent', async () => {
    const socket = open();
    await pass(10);
    server.last.bufferedAmount = 12;
    expect(socket.bufferedAmount).toBe(12);
  });

  it.each([
    [1000, 'idle'],
    [1006, 'disconnected'],
    [1001, 'disconnected'],
    [4000, 'disconnected'],
    [4503, 'failed'],
    [4516, 'failed']
  ])('that is closed with %d is %s', async (code, state) => {
    const socket = open();
    const closes: number[] = [];
    socket.onclose = event => closes.push(event.code);
    expect(status().state).toBe('connecting');
    await pass(10);
    expect(status()).toMatchObject({ state: 'connected', attempts: 0 });
    server.last.end(code);
    await pass(600_000);
    expect([status().state, closes, server.sockets.length]).toEqual([
      state,
      [code],
      1
    ]);
  });

  it('that is opened again on the same operation counts as reconnecting', async () => {
    open();
    await pass(10);
    server.last.cut();
    server.refusing = true;
    open();
    expect(status()).toMatchObject({ state: 'reconnecting', attempts: 1 });
    await pass(10);
    expect(status()).toMatchObject({
      state: 'disconnected',
      lastError: 'The connection was lost.'
    });
    server.refusing = false;
    open();
    expect(status()).toMatchObject({ state: 'reconnecting', attempts: 2 });
    await pass(10);
    expect(status()).toMatchObject({
      state: 'connected',
      attempts: 0,
      lastError: null
    });
  });

  it('is closed by its holder, and forgotten', async () => {
    const socket = open();
    const closes: Array<[number, string]> = [];
    socket.onclose = event => closes.push([event.code, event.reason]);
    await pass(10);
    socket.close(4511, 'stop');
    socket.close();
    socket.send('{}');
    await pass(10);
    expect(server.last.closedWith).toEqual({ code: 4511, reason: 'stop' });
    expect([status().state, closes]).toEqual(['idle', [[4511, 'stop']]]);
  });
});
