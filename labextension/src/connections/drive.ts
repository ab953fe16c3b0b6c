/**
 * Drives one transfer: opens its stream in the engine, again and again, until it has ended, was paused or was stopped.
 */
import { HubError } from '../protocol/errors';
import { Done, EntryResult } from '../protocol/generated';
import { backoffMs } from './backoff';
import { IEngineEvents, IEngineJob, IStreamEnd } from './engineClient';
import { IFileStreamLink } from './fileStream';
import { NOT_LOGGED_IN } from './keeper';
import { IJobProgress } from './transferJob';
import { ITicket, Turns } from './turns';

/** While the server's disk is full it is asked so rarely. */
const NO_SPACE_MS = 30_000;
/** The server and this program disagree about the place: more often than this it is no accident. */
const MAX_WRONG_OFFSETS = 3;
/** After these the operation is kept on the server, and can go on later. */
export const KEPT: ReadonlySet<string> = new Set([
  'unavailable',
  'unauthenticated'
]);

/** What a drive tells. */
export interface IDriveEvents {
  /** Bytes move. */
  onRunning(progress: IJobProgress): void;
  /** It waits and tries again; `reason` is for a person. */
  onWaiting(reason: string | null): void;
  /** Somebody else has paused it. */
  onPaused(): void;
  onResults(results: EntryResult[]): void;
  onVerified(): void;
}

/** What a drive moves: an operation's stream, and the job that fills or empties it. */
export interface IVehicle {
  readonly link: IFileStreamLink;
  readonly job: IEngineJob;
}

/** How a drive begins. */
export interface IDriveOptions {
  /** Resolves when it may begin at all. */
  ready?: Promise<void>;
  /** Those that run at the same time; without it, it does not count among them. */
  turns?: Turns;
  /** Make what is driven, when it is its turn; called again after an error that is retryable. */
  begin(drive: IEngineEvents): Promise<IVehicle>;
  random?: () => number;
}

export class Drive implements IEngineEvents {
  constructor(
    private readonly _options: IDriveOptions,
    private readonly _events: IDriveEvents
  ) {
    // Who waits hears of it; mostly nobody does.
    this._stopping.catch(() => undefined);
  }

  /** Whether it was stopped for good. */
  get isStopped(): boolean {
    return this._stopped !== null;
  }

  /** Whether it is paused. */
  get isPaused(): boolean {
    return this._paused;
  }

  /**
   * Move the bytes until the end.
   *
   * @throws HubError: it cannot succeed, or was stopped.
   */
  async run(): Promise<Done> {
    let isKept = false;
    try {
      const { ready } = this._options;
      await (ready && Promise.race([ready, this._stopping]));
      for (;;) {
        await this._untilFree();
        const end = await this._go();
        if ('path' in end) {
          return end;
        }
        await this._afterBreak(end);
      }
    } catch (error) {
      isKept = error instanceof HubError && KEPT.has(error.code);
      throw error;
    } finally {
      this._giveBack();
      this._vehicle?.link.status.remove();
      this._vehicle?.job.end(!isKept);
    }
  }

  /** Stop moving bytes until `resume`. */
  pause(): void {
    this._paused = true;
    this._interrupt(PAUSED());
  }

  resume(): void {
    this._paused = false;
    this._attempt = 0;
    this._wake();
  }

  /** Try now instead of later. */
  hurry(): void {
    if (!this._paused) {
      this._wake();
    }
  }

  /** Stop for good: `run` rejects with this error. */
  stop(error: HubError): void {
    this._stopped = error;
    this._stop(error);
    this._interrupt(error);
  }

  onOpened(): void {
    this._vehicle?.link.status.opened();
  }

  onProgress(progress: IJobProgress): void {
    if (progress.written > this._written || progress.settled > this._settled) {
      this._attempt = 0;
      this._wrongOffsets = 0;
    }
    this._written = progress.written;
    this._settled = progress.settled;
    if (!this._paused && !this._stopped) {
      this._events.onRunning(progress);
    }
  }

  onResults(results: EntryResult[]): void {
    this._events.onResults(results);
  }

  onVerified(): void {
    this._events.onVerified();
  }

  /** Wait while it is paused, and for its turn. */
  private async _untilFree(): Promise<void> {
    for (;;) {
      this._throwIfStopped();
      if (this._paused) {
        this._giveBack();
        await this._woken();
      } else if (this._ticket || !this._options.turns) {
        return;
      } else {
        this._ticket = this._options.turns.take();
        await this._ticket.granted;
      }
    }
  }

  /** Open the stream, and wait for its end. */
  private async _go(): Promise<Done | IStreamEnd> {
    try {
      this._vehicle ??= await Promise.race([
        this._options.begin(this),
        this._stopping
      ]);
    } catch (error) {
      return { error: asBeginning(error), wasOpened: true };
    }
    if (this._stopped || this._paused) {
      return { error: this._stopped ?? PAUSED(), wasOpened: true };
    }
    const { link, job } = this._vehicle;
    link.status.opening();
    this._streaming = true;
    const end = await job.open(link.url);
    this._streaming = false;
    return end;
  }

  private async _afterBreak({ error, wasOpened }: IStreamEnd): Promise<void> {
    this._throwIfStopped();
    if (this._interrupted || this._paused) {
      this._interrupted = false;
      this._vehicle?.link.status.remove();
      return;
    }
    if (error.code === 'paused') {
      this._vehicle?.link.status.remove();
      this._paused = true;
      this._events.onPaused();
      return;
    }
    if (!wasOpened && (await this._refused())) {
      throw HubError.of('unauthenticated', NOT_LOGGED_IN);
    }
    this._throwIfStopped();
    const isLost = error.code === 'wrong_offset';
    this._wrongOffsets += isLost ? 1 : 0;
    if (
      !(error.retryable || isLost) ||
      this._wrongOffsets > MAX_WRONG_OFFSETS
    ) {
      throw error;
    }
    this._vehicle?.link.status.lost(false, error.message);
    this._events.onWaiting(error.message);
    await this._rest(error);
  }

  /** Browsers do not tell why an upgrade was refused. */
  private async _refused(): Promise<boolean> {
    return (await this._vehicle?.link.ask()) === 'unauthenticated';
  }

  private async _rest({ code, retryAfterMs }: HubError): Promise<void> {
    const random = this._options.random ?? Math.random;
    this._attempt += 1;
    const usual = backoffMs(this._attempt, random);
    const full = code === 'no_space' ? NO_SPACE_MS * (1 + random()) : 0;
    const ms = Math.max(retryAfterMs ?? usual, full);
    const timer = setTimeout(() => this._wake(), ms);
    await this._woken();
    clearTimeout(timer);
  }

  private _interrupt(error: HubError): void {
    this._giveBack();
    if (this._streaming) {
      this._interrupted = true;
      this._vehicle?.job.close(error);
    }
    this._wake();
  }

  private _throwIfStopped(): void {
    if (this._stopped) {
      throw this._stopped;
    }
  }

  private _giveBack(): void {
    this._ticket?.giveBack();
    this._ticket = null;
  }

  private _woken(): Promise<void> {
    return new Promise(resolve => (this._wake = resolve));
  }

  private _wake: () => void = () => undefined;
  private _stop: (error: HubError) => void = () => undefined;
  private readonly _stopping = new Promise<never>((_, reject) => {
    this._stop = reject;
  });
  private _vehicle: IVehicle | null = null;
  private _ticket: ITicket | null = null;
  private _paused = false;
  private _streaming = false;
  /** The stream was closed on purpose. */
  private _interrupted = false;
  private _stopped: HubError | null = null;
  private _attempt = 0;
  private _wrongOffsets = 0;
  private _written = 0;
  private _settled = 0;
}

const PAUSED = () => HubError.of('paused', 'It is paused.');

/** An operation may have been made without our knowing: one that nobody opens is removed by the server. */
function asBeginning(error: unknown): HubError {
  if (!(error instanceof HubError)) {
    return new HubError('internal', String(error));
  }
  const { code, message, retryable, retryAfterMs, details } = error;
  const again = retryable || code === 'unknown_outcome';
  return new HubError(code, message, again, retryAfterMs, details);
}
