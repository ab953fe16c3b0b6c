/**
 * Streamed replies: a request whose items are taken one by one. What nobody has taken yet waits here, and not without a
 * bound: while it is too much, the server is told of no more frames, and its window closes.
 */
import { HubError } from '../protocol/errors';
import { IRequestOptions } from '../tokens';

/** Options of a request inside of this package. */
export interface ICallOptions extends IRequestOptions {
  /** An item of a streamed reply has come; each `n` (0, 1, 2 …) once. */
  onItem?(data: unknown, n: number, characters: number): void;
}

/** Calls a method; see MainConnection.request. */
export type Call = (
  method: string,
  params: unknown,
  options: ICallOptions
) => Promise<unknown>;

/** So many characters of items may wait in one stream before the server has to wait. */
export const WAITING_CHARACTERS = 256 * 1024;

const STALL_CHECK_MS = 10_000;
/** A stream that is full and from which nobody takes anything at so many checks in a row is given up. */
const STALL_CHECKS = 6;

interface IItem {
  data: unknown;
  characters: number;
}

interface ITaker {
  resolve(result: IteratorResult<unknown, undefined>): void;
  reject(error: unknown): void;
}

/** What a stream needs of its owner. */
interface IStreamOwner {
  call: Call;
  /** The stream holds more than it should, or no more. */
  full(stream: Stream, isFull: boolean): void;
}

/** The streamed replies of one connection. */
export class Streams {
  /** `hold` is told when the server has to wait, and when no longer. */
  constructor(
    private readonly _call: Call,
    private readonly _hold: (held: boolean) => void
  ) {}

  /** A streamed reply. Each iteration is a call of its own, which begins when its first item is asked for. */
  open(
    method: string,
    params: unknown,
    options: IRequestOptions = {}
  ): AsyncIterable<unknown> {
    const owner: IStreamOwner = {
      call: this._call,
      full: (stream, isFull) => this._setFull(stream, isFull)
    };
    return {
      [Symbol.asyncIterator]: () => new Stream(owner, method, params, options)
    };
  }

  private _setFull(stream: Stream, isFull: boolean): void {
    const before = this._full.size;
    if (isFull) {
      this._full.add(stream);
    } else {
      this._full.delete(stream);
    }
    const { size } = this._full;
    if (before === 0 && size > 0) {
      this._hold(true);
      this._checker = setInterval(() => this._check(), STALL_CHECK_MS);
    } else if (before > 0 && size === 0) {
      if (this._checker !== null) {
        clearInterval(this._checker);
      }
      this._checker = null;
      this._hold(false);
    }
  }

  /** Checks are counted, not seconds: a tab that was asleep has not let anything wait. */
  private _check(): void {
    [...this._full].forEach(stream => stream.check());
  }

  private readonly _full = new Set<Stream>();
  private _checker: ReturnType<typeof setInterval> | null = null;
}

/** One call, and the items of its reply that nobody has taken yet. */
class Stream implements AsyncIterator<unknown, undefined> {
  constructor(
    private readonly _owner: IStreamOwner,
    private readonly _method: string,
    private readonly _params: unknown,
    private readonly _options: IRequestOptions
  ) {}

  next(): Promise<IteratorResult<unknown, undefined>> {
    this._start();
    this._checks = 0;
    const item = this._items.shift();
    if (item) {
      this._waits(-item.characters);
      return Promise.resolve({ done: false, value: item.data });
    }
    if (this._isOver) {
      this._letGo();
      const error = this._error;
      this._error = null;
      return error ? Promise.reject(error) : Promise.resolve(end());
    }
    return new Promise((resolve, reject) =>
      this._takers.push({ resolve, reject })
    );
  }

  /** The consumer has had enough: what still comes is nobody's. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    this._started = true;
    this._giveUp(null);
    return Promise.resolve(end());
  }

  /** The consumer has taken nothing since the last check, or has. */
  check(): void {
    this._checks += 1;
    if (this._checks >= STALL_CHECKS) {
      this._giveUp(
        HubError.of(
          'slow_consumer',
          `Nobody has taken the items of ${this._method} for too long.`
        )
      );
    }
  }

  private _start(): void {
    if (this._started) {
      return;
    }
    this._started = true;
    const { signal, timeoutMs } = this._options;
    if (signal?.aborted) {
      this._giveUp(this._cancelled());
      return;
    }
    signal?.addEventListener('abort', this._aborted);
    this._owner
      .call(this._method, this._params, {
        timeoutMs,
        signal: this._abort.signal,
        idempotent: true,
        onItem: (data, _, characters) => this._push({ data, characters })
      })
      .then(
        () => this._finish(null),
        (error: HubError) => this._finish(error)
      );
  }

  private _push(item: IItem): void {
    if (this._isOver) {
      return;
    }
    const taker = this._takers.shift();
    if (taker) {
      taker.resolve({ done: false, value: item.data });
    } else {
      this._items.push(item);
      this._waits(item.characters);
    }
  }

  /** No more items come; those that wait are still given. */
  private _finish(error: HubError | null): void {
    if (this._isOver) {
      return;
    }
    this._isOver = true;
    if (this._items.length === 0) {
      this._letGo();
    }
    const [first, ...others] = this._takers.splice(0);
    if (first && error) {
      first.reject(error);
    } else {
      this._error = error;
      first?.resolve(end());
    }
    others.forEach(taker => taker.resolve(end()));
  }

  /** Nothing that waits is given any more, and the server is told to stop. */
  private _giveUp(error: HubError | null): void {
    this._items = [];
    this._waits(-this._characters);
    this._letGo();
    if (this._isOver) {
      this._error = error;
    } else {
      this._finish(error);
      this._abort.abort();
    }
  }

  private _letGo(): void {
    this._options.signal?.removeEventListener('abort', this._aborted);
  }

  private _waits(characters: number): void {
    this._characters += characters;
    this._owner.full(this, this._characters > WAITING_CHARACTERS);
  }

  private _cancelled(): HubError {
    return HubError.of('cancelled', `${this._method} was cancelled.`);
  }

  private readonly _aborted = () => this._giveUp(this._cancelled());
  private readonly _abort = new AbortController();
  private readonly _takers: ITaker[] = [];
  private _items: IItem[] = [];
  private _characters = 0;
  private _checks = 0;
  private _error: HubError | null = null;
  private _started = false;
  private _isOver = false;
}

function end(): IteratorReturnResult<undefined> {
  return { done: true, value: undefined };
}
