/**
 * A terminal's socket on a server in memory that speaks the binary protocol.
 */
import { TerminalSocket } from '../connections/terminal';
import { ITerminalNotice } from '../connections/terminalMode';
import { ScreenBook } from '../connections/terminalScreen';
import { Verdict } from '../connections/transport';
import { IConnectionStatus } from '../tokens';
import { FakeServer } from './fakeServer';
import { FakeTerminal } from './fakeTerminal';
import { SocketRig } from './socketRig';
import { settingsWith } from './tools';

export class BinaryRig extends SocketRig {
  readonly server = new FakeServer();
  readonly terminal = new FakeTerminal();
  readonly screens = new ScreenBook();
  readonly statuses: IConnectionStatus[] = [];
  readonly notices: ITerminalNotice[] = [];
  /** What the holder was told. */
  readonly messages: unknown[][] = [];
  readonly socket: TerminalSocket;
  protected override readonly setUpMs = 100;
  opens = 0;
  verdict: Verdict = 'retry';
  exists: boolean | null = true;

  constructor(prepare: (rig: BinaryRig) => void = () => undefined) {
    super();
    this.server.onOpen = socket => this.terminal.open(socket);
    this.server.onFrame = (socket, frame) => this.terminal.frame(socket, frame);
    this.book.changed.connect((_, status) => this.statuses.push(status));
    prepare(this);
    this.socket = new TerminalSocket('1', '1', {
      settings: settingsWith(),
      connect: this.server.connect,
      ask: async () => this.verdict,
      exists: async () => this.exists,
      book: this.book,
      screens: this.screens,
      notice: notice => this.notices.push(notice)
    });
    this.socket.onopen = () => (this.opens += 1);
    this.socket.onmessage = event =>
      this.messages.push(JSON.parse(String(event.data)) as unknown[]);
    this.socket.onclose = ({ code, reason }) =>
      this.closes.push({ code, reason });
  }

  resize(rows: number, columns: number): void {
    this.socket.send(JSON.stringify(['set_size', rows, columns, 400, 800]));
  }

  /** Everything that was written to the screen. */
  get shown(): string {
    return this.messages
      .filter(([type]) => type === 'stdout')
      .map(([, text]) => text)
      .join('');
  }

  /** What the screen shows: what came after it was cleared last. */
  get screen(): string {
    return this.shown.split('\u001bc').pop() ?? '';
  }

  /** How often it was cleared. */
  get clears(): number {
    return this.shown.split('\u001bc').length - 1;
  }
}

/** Hide or show the page. */
export function setHidden(isHidden: boolean): void {
  Object.defineProperty(document, 'visibilityState', {
    configurable: true,
    get: () => (isHidden ? 'hidden' : 'visible')
  });
  document.dispatchEvent(new Event('visibilitychange'));
}
