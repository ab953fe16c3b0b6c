import { settingsWith } from '../../testing/tools';
import {
  askServer,
  ITransport,
  socketUrl,
  webSocketTransport
} from '../transport';

/** As a browser's WebSocket, with its rules for closing. */
class StrictSocket {
  static all: StrictSocket[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  binaryType = 'blob';
  bufferedAmount = 42;
  protocol = 'p';
  readonly sent: unknown[] = [];
  closed: Array<number | string | undefined> | null = null;
  readonly arguments: unknown[];

  constructor(...args: unknown[]) {
    this.arguments = args;
    StrictSocket.all.push(this);
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  /** Source: WHATWG WebSockets, the close(code, reason) method steps. */
  close(code?: number, reason = ''): void {
    if (code !== undefined && code !== 1000 && (code < 3000 || code > 4999)) {
      throw new DOMException(`${code}`, 'InvalidAccessError');
    }
    if (new TextEncoder().encode(reason).length > 123) {
      throw new DOMException('The reason is too long.', 'SyntaxError');
    }
    this.closed = [code, reason];
  }
}

function connect(subprotocol: string | null = null) {
  const told: unknown[] = [];
  const settings = settingsWith(undefined, {
    WebSocket: StrictSocket as unknown as typeof WebSocket
  });
  const transport: ITransport = webSocketTransport(settings)(
    ['terminal', '1'],
    subprotocol,
    {
      onOpen: () => told.push('open'),
      onMessage: data => told.push(data),
      onClose: (...close) => told.push(close)
    }
  );
  const socket = StrictSocket.all[StrictSocket.all.length - 1]!;
  return { told, transport, socket };
}

describe('The address of an endpoint', () => {
  it.each([
    [[], 'ws://hub.test/base/ws'],
    [['terminal', '1'], 'ws://hub.test/base/ws/terminal/1'],
    [
      ['terminal', 'a b/ü?#%'],
      'ws://hub.test/base/ws/terminal/a%20b%2F%C3%BC%3F%23%25'
    ]
  ])('lies under the base: %j', (path, url) => {
    expect(socketUrl(settingsWith(), path)).toBe(url);
  });

  it('has the token where JupyterLab puts it into addresses', () => {
    const token = 'a b&c';
    const url = (appendToken: boolean) =>
      socketUrl(settingsWith(undefined, { token, appendToken }), []);
    expect(url(true)).toBe('ws://hub.test/base/ws?token=a%20b%26c');
    expect(url(false)).toBe('ws://hub.test/base/ws');
  });

  it('has what a resume needs, before the token', () => {
    const settings = settingsWith(undefined, { token: 't', appendToken: true });
    const query = { client: 'a&b', have: '3' };
    expect(socketUrl(settings, ['terminal', '1'], { query })).toBe(
      'ws://hub.test/base/ws/terminal/1?client=a%26b&have=3&token=t'
    );
  });

  it('may lie elsewhere', () => {
    const root = 'terminals';
    expect(socketUrl(settingsWith(), ['websocket', '1'], { root })).toBe(
      'ws://hub.test/base/terminals/websocket/1'
    );
  });
});

describe('A transport', () => {
  it('asks for its subprotocol, or for none', () => {
    const url = 'ws://hub.test/base/ws/terminal/1';
    expect(connect('v1.x').socket.arguments).toEqual([url, 'v1.x']);
    expect(connect().socket.arguments).toEqual([url]);
  });

  it('moves text and bytes both ways', () => {
    const { socket, told, transport } = connect();
    expect(socket.binaryType).toBe('arraybuffer');
    socket.onopen?.();
    const data = new ArrayBuffer(3);
    socket.onmessage?.({ data: 'text' });
    socket.onmessage?.({ data });
    transport.send('a');
    transport.send(new Uint8Array(2));
    expect(told).toEqual(['open', 'text', data]);
    expect(socket.sent).toEqual(['a', new Uint8Array(2)]);
    expect([transport.bufferedAmount, transport.protocol]).toEqual([42, 'p']);
  });

  it('tells whether it was open when it closed', () => {
    const refused = connect();
    refused.socket.onclose?.({ code: 1006, reason: '' });
    expect(refused.told).toEqual([[1006, '', false]]);
    const dropped = connect();
    dropped.socket.onopen?.();
    dropped.socket.onclose?.({ code: 4000, reason: 'x' });
    expect(dropped.told).toEqual(['open', [4000, 'x', true]]);
  });

  it('that is closed does not wait for the peer, and tells nothing more', () => {
    const { socket, told, transport } = connect();
    socket.onopen?.();
    transport.close(4002, 'silent');
    expect(socket.closed).toEqual([4002, 'silent']);
    expect(told).toEqual(['open', [4002, 'silent', true]]);
    socket.onmessage?.({ data: 'late' });
    socket.onclose?.({ code: 1006, reason: '' });
    transport.close();
    expect(told).toHaveLength(2);
  });

  it.each([
    ['letters', 'x'.repeat(124)],
    ['characters of two bytes', 'ü'.repeat(62)],
    ['characters of four bytes', '👋'.repeat(31)]
  ])('takes a reason of any length: %s', (_, reason) => {
    const { socket, told, transport } = connect();
    socket.onopen?.();
    transport.close(4002, reason);
    expect(socket.closed?.[0]).toBe(4002);
    expect(told).toHaveLength(2);
  });
});

describe('Asking the server about this user', () => {
  it.each([
    [200, 'retry'],
    [401, 'unauthenticated'],
    [403, 'unauthenticated'],
    [404, 'retry'],
    [424, 'wait'],
    [500, 'retry'],
    [502, 'retry'],
    [503, 'wait']
  ])('takes %d for %s', async (status, verdict) => {
    const urls: string[] = [];
    const settings = settingsWith(url => {
      urls.push(url);
      return status;
    });
    expect(await askServer(settings)()).toBe(verdict);
    expect(urls).toEqual([
      expect.stringMatching(/^http:\/\/hub\.test\/base\/api\/me\b/)
    ]);
  });

  it('without an answer is a reason to try again', async () => {
    const settings = settingsWith(undefined, {
      fetch: async () => {
        throw new TypeError('Failed to fetch');
      }
    });
    expect(await askServer(settings)()).toBe('retry');
  });
});
