/**
 * The list of this user's transfers: those of this tab, and what the server tells of the others.
 */
import { IDisposable } from '@lumino/disposable';

import { LatestValue, TransferStatus } from '../protocol/generated';
import { IConnectionManager } from '../tokens';
import { hasEnded, TransferRecord } from './transferRecord';

const TOPIC = 'transfers/me';
/** Changes are told at most so often. */
const CHANGED_MS = 200;
/** So many that have ended are kept. */
const ENDED_KEPT = 200;

/** What is told of the list. */
export interface IListEvents {
  onChange(): void;
  onEnd(record: TransferRecord): void;
  /** The server tells of a transfer that this tab drives; `before` is what it told last. */
  onDriven(
    record: TransferRecord,
    status: TransferStatus,
    before: TransferStatus['state'] | null
  ): void;
}

export class TransferList {
  constructor(private readonly _events: IListEvents) {}

  get records(): readonly TransferRecord[] {
    return this._records;
  }

  /** Resolves when the server has told all that it knows; gives its operations. */
  get known(): Promise<ReadonlyMap<string, TransferStatus>> {
    return this._known;
  }

  /** Follow what the server tells. */
  follow(connections: Pick<IConnectionManager, 'subscribe'>): IDisposable {
    return connections.subscribe(TOPIC, {
      onEvent: ({ data }) => this._take(data),
      onSnapshot: snapshot => this._snapshot(snapshot ?? []),
      onError: error =>
        console.warn('Transfers of other tabs are not shown.', error)
    });
  }

  find(id: string): TransferRecord | undefined {
    return this._records.find(one => one.id === id);
  }

  add(record: TransferRecord): TransferRecord {
    this._records = [...this._records, record];
    this.changed(true);
    return record;
  }

  remove(record: TransferRecord): void {
    this._records = this._records.filter(one => one !== record);
    this.changed(true);
  }

  /**
   * Make an operation for a transfer of this tab. The topic may tell of it before the server has answered: what is new
   * meanwhile is looked at afterwards, so that no transfer of ours is shown as somebody else's.
   */
  async make<T extends { op: string }>(
    record: TransferRecord,
    create: () => Promise<T>
  ): Promise<T> {
    this._making += 1;
    try {
      const created = await create();
      this.adopt(record, created.op);
      return created;
    } finally {
      this._making -= 1;
      if (this._making === 0) {
        const waiting = [...this._strangers.values()];
        this._strangers.clear();
        waiting.forEach(status => this._take(status));
      }
    }
  }

  /** A transfer of this tab has its operation: what the topic told of it before is the same one. */
  adopt(record: TransferRecord, op: string): void {
    record.op = op;
    this._records = this._records.filter(
      one => one === record || one.op !== op
    );
    this.changed(true);
  }

  /** Something changed; `now` for what a person waits for. */
  changed(now = false): void {
    if (now) {
      if (this._timer !== null) {
        clearTimeout(this._timer);
        this._timer = null;
      }
      this._events.onChange();
    } else {
      this._timer ??= setTimeout(() => {
        this._timer = null;
        this._events.onChange();
      }, CHANGED_MS);
    }
  }

  /** One of this tab's has ended. */
  ended(record: TransferRecord): void {
    const ended = this._records.filter(one => hasEnded(one.state));
    const old = new Set(ended.slice(0, Math.max(0, ended.length - ENDED_KEPT)));
    this._records = this._records.filter(one => !old.has(one));
    this.changed(true);
    this._events.onEnd(record);
  }

  private _snapshot(values: readonly LatestValue[]): void {
    const statuses = values
      .map(({ data }) => data as TransferStatus)
      .sort((a, b) => a.created_ms - b.created_ms);
    const there = new Set(statuses.map(({ op }) => op));
    this._records
      .filter(({ op, isMine }) => op !== null && !isMine && !there.has(op))
      .forEach(record => this.remove(record));
    this._states.clear();
    statuses.forEach(status => this._take(status));
    this._know(new Map(statuses.map(status => [status.op, plain(status)])));
  }

  private _take(told: TransferStatus): void {
    const status = plain(told);
    const { op, gone, state } = status;
    let record = this._records.find(one => one.op === op);
    if (!record && this._making > 0) {
      this._strangers.set(op, told);
      return;
    }
    const before = this._states.get(op) ?? null;
    this._states.set(op, state);
    if (gone) {
      this._states.delete(op);
      if (record && !record.isMine) {
        this.remove(record);
      }
      return;
    }
    if (!record) {
      const { direction, kind, path } = status;
      const start = { id: op, op, direction, kind, path, here: false };
      record = this.add(new TransferRecord(start));
    }
    if (record.isDriven) {
      this._events.onDriven(record, status, before);
    } else if (!(record.isMine && hasEnded(record.state))) {
      if (record.take(status) && record.isMine) {
        this.ended(record);
      }
    }
    this.changed();
  }

  private _records: readonly TransferRecord[] = [];
  /** Operations of this tab that are being made, and what is told meanwhile of those that it does not know. */
  private _making = 0;
  private readonly _strangers = new Map<string, TransferStatus>();
  /** What the server has told last of each operation. */
  private readonly _states = new Map<string, TransferStatus['state']>();
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _know: (known: ReadonlyMap<string, TransferStatus>) => void = () =>
    undefined;
  private readonly _known = new Promise<ReadonlyMap<string, TransferStatus>>(
    resolve => (this._know = resolve)
  );
}

/** The server calls it `paused` as well when nobody has a stream open: paused on purpose it says why. */
function plain(status: TransferStatus): TransferStatus {
  const { state, error } = status;
  if (state !== 'paused') {
    return status;
  }
  return error?.code === 'paused'
    ? { ...status, error: null }
    : { ...status, state: 'waiting' };
}
