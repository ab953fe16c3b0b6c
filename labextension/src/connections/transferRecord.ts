/**
 * What there is to show of one transfer.
 */
import { TransferStatus } from '../protocol/generated';
import { ITransfer, TransferState } from '../tokens';

/** The rate is taken over about this long. */
const RATE_MS = 3000;

/** States that nothing follows. */
const ENDED: ReadonlySet<TransferState> = new Set([
  'done',
  'failed',
  'cancelled'
] as const);

export function hasEnded(state: TransferState): boolean {
  return ENDED.has(state);
}

/** What a record begins with. */
export type RecordStart = Pick<ITransfer, 'direction' | 'kind' | 'path'> &
  Partial<Pick<ITransfer, 'size' | 'entries' | 'state' | 'here'>> & {
    id: string;
    op?: string | null;
  };

export class TransferRecord implements ITransfer {
  constructor(
    start: RecordStart,
    private readonly _now: () => number = Date.now
  ) {
    this.id = start.id;
    this.op = start.op ?? null;
    this.direction = start.direction;
    this.kind = start.kind;
    this.path = start.path;
    this.size = start.size ?? 0;
    this.entries = start.entries ?? 0;
    this.state = start.state ?? 'waiting';
    this.here = start.here ?? true;
  }

  readonly id: string;
  readonly direction: ITransfer['direction'];
  readonly kind: ITransfer['kind'];
  /** The operation on the server, once there is one. */
  op: string | null;
  path: string;
  size: number;
  written = 0;
  entries: number;
  settled = 0;
  state: TransferState;
  here: boolean;
  lacksFile = false;
  error: string | null = null;
  failures: ReadonlyArray<{ path: string; message: string }> = [];
  /** Somebody in this tab has begun it, or goes on with it, and wants to hear of its end. */
  isMine = false;
  /** This tab moves its bytes just now: what the server tells of it comes second. */
  isDriven = false;
  /** What moves it was lost with the page before: a person must give it again. */
  isOrphan = false;

  get rate(): number {
    if (this.state !== 'running') {
      return 0;
    }
    const samples = this._recent();
    const [first, last] = [samples[0], samples[samples.length - 1]];
    if (!first || !last || last.ms === first.ms) {
      return 0;
    }
    const ms = Math.max(this._now(), last.ms) - first.ms;
    return ((last.written - first.written) * 1000) / ms;
  }

  get remainingMs(): number | null {
    const { rate } = this;
    return rate > 0
      ? (Math.max(0, this.size - this.written) * 1000) / rate
      : null;
  }

  /** So much is written now. */
  progress(written: number, settled: number): void {
    if (written < this.written) {
      this._samples = [];
    }
    this.written = written;
    this.settled = settled;
    this._samples.push({ ms: this._now(), written });
    this._recent();
  }

  /** Take what the server tells of it; gives whether it has ended by that. */
  take(status: TransferStatus): boolean {
    const before = this.state;
    this.path = status.path;
    this.size = status.size;
    this.entries = status.entries;
    // Of a download it counts what was kept, and not what was sent.
    const isLeft = this.isOrphan && this.direction === 'download';
    if (!isLeft) {
      this.progress(status.byte_offset, status.settled);
    }
    this.error = status.error?.message ?? status.warning;
    this.state = status.state;
    if (isLeft) {
      const { state } = status;
      // All may be sent, and not written yet.
      const wasSent = state === 'done' && this.here;
      this.here = state === 'waiting' || state === 'paused' || wasSent;
      this.state = this.here ? 'paused' : state;
    } else if (this.isOrphan) {
      // Without our file it waits for a person, unless another tab goes on with it.
      this.here = status.state === 'waiting' || status.state === 'paused';
      this.state = status.state === 'waiting' ? 'needs-file' : status.state;
    }
    return !hasEnded(before) && hasEnded(this.state);
  }

  private _recent(): Array<{ ms: number; written: number }> {
    const since = this._now() - RATE_MS;
    while (this._samples.length > 2 && (this._samples[0]?.ms ?? 0) < since) {
      this._samples.shift();
    }
    return this._samples;
  }

  private _samples: Array<{ ms: number; written: number }> = [];
}
