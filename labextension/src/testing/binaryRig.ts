/**
 * A terminal's socket on a server in memory that speaks the binary protocol.
 */
import { StatusBook } from '../connections/status';
import { TerminalSocket } from '../connections/terminal';
import { ITerminalNotice } from '../connections/terminalMode';
import { ScreenBook } from '../connections/terminalScreen';
import { Verdict } from '../connections/transport';
import { IConnectionStatus } from '../tokens';
import { FakeServer } from './fakeServer';
import { FakeTerminal } from './fakeTerminal';
import { pass, settingsWith, until } from './tools';

export class BinaryRig {
  readonly server = new FakeServer();
  readonly terminal = new FakeTerminal();
  readonly book = new StatusBook();
  readonly screens = new ScreenBook();
  readonly statuses: IConnectionStatus[] = [];
  readonly notices: ITerminalNotice[] = [];
  /** What the holder was told. */
  readonly messages: unknown[][] = [];
  readonly closes: Array<{ code: number; reason: string }> = [];
  readonly socket: TerminalSocket;
  opens = 0;
  verdict: Verdict = 'retry';
  exists: boolean | null = true;

  constructor(prepare: (rig: BinaryRig) => void = () => undefined) {
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

  get status(): IConnectionStatus {
    return this.book.get('terminal', '1');
  }

  /** Wait until it is open and set up. */
  async ready(): Promise<this> {
    await until('it is open', () => this.socket.readyState === WebSocket.OPEN);
    await pass(100);
    return this;
  }

  /** Wait until it is open and set up again. */
  async back(): Promise<void> {
    await until('it is back', () => this.status.state === 'connected');
    await pass(10);
  }

  type(text: string): void {
    this.socket.send(JSON.stringify(['stdin', text]));
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
