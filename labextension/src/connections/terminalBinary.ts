/**
 * A terminal over the binary protocol: output is resumed where it was, what is typed meanwhile arrives in order, and a
 * connection that does not answer gets another one beside it.
 */
import { UUID } from '@lumino/coreutils';

import { HubError } from '../protocol/errors';
import { CODES } from '../protocol/generated';
import { TerminalClient, TerminalEvent } from '../protocol/terminal';
import { encodeTerminalFrame } from '../protocol/terminalFrames';
import { isReply } from '../protocol/terminalReplies';
import { Alarm } from './alarm';
import { ILinksOwner, TerminalLinks } from './terminalLinks';
import {
  DISCONNECT,
  ITerminalHolder,
  ITerminalMode,
  SERVICE,
  SETUP
} from './terminalMode';
import { IScreen, ScreenBook, TerminalOutput } from './terminalScreen';
import { TerminalWatch } from './terminalWatch';
import { exitLine, lostText } from './terminalWords';

/** An ACK waits at most so long. */
const ACK_MS = 50;

export class BinaryTerminal implements ITerminalMode, ILinksOwner {
  constructor(private readonly _holder: ITerminalHolder) {
    this._client = new TerminalClient(UUID.uuid4());
    this._links = new TerminalLinks(_holder, this);
    this._watch = new TerminalWatch({
      suspect: reason => this._links.suspect(reason),
      trust: () => this._links.trust(),
      ping: data => {
        this._client.ping(data);
        this._flush();
      },
      roundTrip: roundTripMs =>
        _holder.options.book.update(SERVICE, _holder.id, { roundTripMs })
    });
    this._output = new TerminalOutput({
      message: text => _holder.message(text),
      screen: () => this._screen(),
      parsed: (generation, byteOffset) => {
        this._client.parsed(generation, byteOffset);
        this._flush();
      }
    });
    document.addEventListener('visibilitychange', this._show);
    _holder.options.screens?.changed.connect(this._show, this);
    this._client.show(this._isSeen());
    this._links.start();
  }

  get bufferedAmount(): number {
    return this._client.pendingBytes + this._links.bufferedAmount;
  }

  send(text: string): void {
    const [type, ...content] = JSON.parse(text) as [string, ...unknown[]];
    if (type === 'stdin') {
      this._type(String(content[0]));
    } else if (type === 'set_size') {
      const [rows = 0, columns = 0, height_px = 0, width_px = 0] = content.map(
        value => Math.max(0, Number(value) || 0)
      );
      this._client.resize({ rows, columns, width_px, height_px });
      this._client.show(this._isSeen());
      this._flush();
    }
  }

  hurry(): void {
    if (this._links.hurry()) {
      this._watch.probe();
    }
  }

  close(code: number, reason: string): void {
    if (this._links.isLive && !this._isOver) {
      this._flush(true);
      this._links.send(encodeTerminalFrame({ type: 'bye' }));
    }
    this._dispose();
    this._links.close(code, reason);
  }

  query(): Record<string, string> {
    return this._client.query();
  }

  welcomed(frame: ArrayBuffer): void {
    this._holder.opened();
    if (!this._isSetUp) {
      this._isSetUp = true;
      this._holder.message(SETUP);
    }
    this._handle(() => {
      const events = this._client.begin(frame);
      this._watch.start();
      return events;
    });
  }

  received(frame: ArrayBuffer): void {
    this._watch.hear();
    this._handle(() => this._client.receive(frame));
  }

  dropped(): void {
    this._watch.stop();
    this._client.end();
  }

  ended(code: number, reason: string): void {
    const isGone = code === CODES.not_found.number;
    if (this._isSetUp && code !== 1000) {
      this._output.say(isGone ? `The terminal is gone. ${reason}` : reason);
    }
    this._dispose();
    this._isOver = true;
    if (isGone || code === 1000) {
      // Without this JupyterLab would take the end for a lost connection and try again for minutes.
      this._holder.message(DISCONNECT);
    }
    this._holder.ended(code, reason);
  }

  foreign(): void {
    this._dispose();
    this._holder.foreign();
  }

  private _type(text: string): void {
    // In history nobody waits for an answer any more: the shell would take it for typed.
    if (this._client.isReplaying && isReply(text)) {
      return;
    }
    const became = this._client.type(text);
    if (became === 'taken') {
      this._wasFull = false;
      this._flush();
    } else if (became === 'full' && !this._wasFull) {
      this._wasFull = true;
      const lastError =
        'Too much waits to be sent: what you type now is not taken until the rest was sent.';
      this._holder.options.book.update(SERVICE, this._holder.id, { lastError });
      this._notice('error', lastError);
    } else if (became === 'read-only' && !this._saidReadOnly) {
      this._saidReadOnly = true;
      this._notice('info', 'You may only watch this terminal.');
    }
  }

  /** Let the client take something in, act on it, and send what it has to say. */
  private _handle(take: () => TerminalEvent[]): void {
    try {
      take().forEach(event => this._act(event));
    } catch (error) {
      if (error instanceof HubError) {
        this._links.refuse(error);
        return;
      }
      throw error;
    }
    this._flush();
  }

  private _act(event: TerminalEvent): void {
    const { generation } = this._client;
    switch (event.type) {
      case 'output':
        this._output.write(
          event.payload,
          generation,
          event.byteOffset,
          event.isPast
        );
        break;
      case 'clear':
        this._output.clear(generation, event.byteOffset);
        break;
      case 'accepted':
        this._watch.accepted();
        break;
      case 'pong':
        this._watch.ponged(event.data);
        break;
      case 'lost':
        this._notice('warning', lostText(event.characters));
        break;
      case 'exit':
        this._exited(event.code, event.signal);
        break;
      case 'error':
        this._holder.options.book.update(SERVICE, this._holder.id, {
          lastError: event.message
        });
        break;
      case 'welcome':
        break;
    }
  }

  private _exited(code: number, signal: number): void {
    const line = exitLine(code, signal);
    this._output.say(line);
    if (code !== 0) {
      this._notice('warning', `Terminal ${this._holder.name}: ${line}.`);
    }
    this._links.end(1000, line);
  }

  /** Send what is due, and see that what is due soon is sent soon. */
  private _flush(withAck = false): void {
    this._client.take(withAck).forEach(frame => this._links.send(frame));
    if (this._client.ackDue !== null && !this._ack.isSet) {
      this._ack.set(ACK_MS, () => this._flush(true));
    }
    this._watch.awaits(this._client.isInputAwaited);
  }

  private readonly _show = (): void => {
    this._client.show(this._isSeen());
    this._flush();
  };

  private _isSeen(): boolean {
    return (
      document.visibilityState !== 'hidden' &&
      (this._screen()?.isVisible ?? true)
    );
  }

  private _screen(): IScreen | null {
    const { socket, name } = this._holder;
    return this._screens?.find(socket, name) ?? null;
  }

  private get _screens(): ScreenBook | undefined {
    return this._holder.options.screens;
  }

  private _notice(level: 'info' | 'warning' | 'error', text: string): void {
    const { options, name } = this._holder;
    options.notice?.({ name, level, text });
  }

  private _dispose(): void {
    document.removeEventListener('visibilitychange', this._show);
    this._screens?.changed.disconnect(this._show, this);
    this._watch.stop();
    this._client.end();
    this._ack.stop();
    this._output.dispose();
  }

  private readonly _client: TerminalClient;
  private readonly _links: TerminalLinks;
  private readonly _watch: TerminalWatch;
  private readonly _output: TerminalOutput;
  private readonly _ack = new Alarm();
  /** The holder has had its setup. */
  private _isSetUp = false;
  private _wasFull = false;
  private _saidReadOnly = false;
  /** It has ended by itself. */
  private _isOver = false;
}
