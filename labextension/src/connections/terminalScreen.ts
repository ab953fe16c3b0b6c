/**
 * Where a terminal's output goes: bytes become text, and the screen tells what it has parsed.
 */
import { ISignal, Signal } from '@lumino/signaling';

import { CLEAR, stdout } from './terminalMode';

/** A screen, as far as a connection needs one. */
export interface IScreen {
  /** Whether it could be seen, if the page can. */
  readonly isVisible: boolean;
  /** Calls back when everything that was written until now is parsed. */
  whenParsed(done: () => void): void;
}

/** Finds the screen that shows what comes over a socket, or by the terminal's name. */
export type FindScreen = (socket: WebSocket, name: string) => IScreen | null;

/** The screens of the page; empty until somebody who knows them says how they are found. */
export class ScreenBook {
  find: FindScreen = () => null;

  /** A screen was shown or hidden. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Tell that a screen was shown or hidden. */
  tell(): void {
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
}

/** The screen is asked at least after so many bytes. */
const MARK_BYTES = 16 * 1024;
/** A visible screen that has not answered for so long does not answer at all: the terminal must not wait for it. */
const ANSWER_MS = 5000;

interface IQuestion {
  guard: ReturnType<typeof setTimeout> | undefined;
}

/** What the output needs. */
export interface IOutputOwner {
  /** Give a message of terminado's. */
  message(text: string): void;
  screen(): IScreen | null;
  /** The screen has parsed output up to a byte offset. */
  parsed(generation: number, byteOffset: number): void;
}

export class TerminalOutput {
  constructor(private readonly _owner: IOutputOwner) {}

  /**
   * Output that ends at a byte offset; characters may be cut anywhere. `isExact`: it matters when just this is parsed, not
   * only that it is in a while.
   */
  write(
    payload: Uint8Array,
    generation: number,
    byteOffset: number,
    isExact = false
  ): void {
    const text = this._decoder.decode(payload, { stream: true });
    if (text !== '') {
      this._owner.message(stdout(text));
    }
    this._written(generation, byteOffset, isExact);
  }

  /** Clear the screen: what follows does not go on from what it shows. */
  clear(generation: number, byteOffset: number): void {
    this._decoder = decoder();
    this._owner.message(stdout(CLEAR));
    this._written(generation, byteOffset);
  }

  /** A line of ours, below what the program has written. */
  say(line: string): void {
    this._owner.message(stdout(`${this._decoder.decode()}\r\n[${line}]\r\n`));
    this._decoder = decoder();
  }

  /** Nobody is told any more. */
  dispose(): void {
    this._isDisposed = true;
    this._open.forEach(({ guard }) => clearTimeout(guard));
  }

  private _written(
    generation: number,
    byteOffset: number,
    isExact = false
  ): void {
    const far = byteOffset - this._marked >= MARK_BYTES;
    const anew = generation !== this._generation;
    this._generation = generation;
    this._end = byteOffset;
    if (isExact || far || anew || this._open.size === 0) {
      this._mark();
    }
  }

  /** Ask to be told when everything until here is parsed. */
  private _mark(): void {
    const [generation, byteOffset] = [this._generation, this._end];
    const question: IQuestion = { guard: undefined };
    this._marked = byteOffset;
    this._open.add(question);
    const done = () => {
      clearTimeout(question.guard);
      if (!this._open.delete(question) || this._isDisposed) {
        return;
      }
      this._owner.parsed(generation, byteOffset);
      if (this._open.size === 0 && this._end !== this._marked) {
        this._mark();
      }
    };
    const watch = () => {
      clearTimeout(question.guard);
      const isHidden = () => document.visibilityState === 'hidden';
      question.guard = setTimeout(
        () => (isHidden() ? watch() : done()),
        ANSWER_MS
      );
    };
    watch();
    this._ask(done);
  }

  private _ask(done: () => void): void {
    try {
      const screen = this._owner.screen();
      if (screen) {
        screen.whenParsed(done);
        return;
      }
    } catch (error) {
      // JupyterLab has changed inside: the terminal works on, only less exactly.
      console.warn('The screen of a terminal could not be asked.', error);
    }
    setTimeout(done, 0);
  }

  private _decoder = decoder();
  private _generation = 0;
  /** Byte offsets: written to the screen, and up to where it was asked. */
  private _end = 0;
  private _marked = 0;
  /** Questions without an answer. */
  private readonly _open = new Set<IQuestion>();
  private _isDisposed = false;
}

/** Of a byte order mark, too, the screen makes what it wants. */
function decoder(): TextDecoder {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}
