/**
 * A stretch of a room's past: messages without a gap between them, away from the newest ones. It grows at both ends as
 * far as somebody reads, and forgets what they have left behind.
 */
import { ChatMessage, History, HistoryParams } from '../protocol/generated';
import { DeltaResult, MessageStore } from './messageStore';

/** Messages that are read on each side of the one that is looked at. */
export const AROUND = 25;
/** Messages that are read at an end. */
export const STEP = 50;
/** Messages of a stretch; beyond them the other end is forgotten. */
export const LONGEST = 300;
/** Messages at a time when all are read again. */
const AT_ONCE = 200;
/** Changes that may come while a page is read that may be without them. */
const MAX_EARLY = 200;

/** Reads a page of the room. */
export type ReadPage = (place: Omit<HistoryParams, 'room'>) => Promise<History>;

export class Past {
  /** It is empty until `open`. */
  constructor(private readonly _read: ReadPage) {}

  /** Oldest first. */
  get messages(): readonly ChatMessage[] {
    return this._store.messages;
  }

  /** Whether it has been read. */
  get isReady(): boolean {
    return this._store.newest > 0;
  }

  /** Whether the room has older messages. */
  get hasOlder(): boolean {
    return this._older;
  }

  /** `seq` of its newest message; 0 if there is none. */
  get newest(): number {
    return this._store.newest;
  }

  get(id: string): ChatMessage | undefined {
    return this._store.get(id);
  }

  /** Read what is around a place. */
  open(seq: number): Promise<boolean> {
    return this._alone(async () => {
      const [before, after] = await Promise.all([
        this._read({ before: seq + 1, limit: AROUND }),
        this._read({ after: seq, limit: AROUND })
      ]);
      this._store.reset([...before.messages, ...after.messages]);
      this._older = before.more;
      return this.isReady;
    });
  }

  /** The message at a place, or the next one to it. */
  at(seq: number): ChatMessage | undefined {
    const { messages } = this;
    return (
      messages.find(message => message.seq >= seq) ??
      messages[messages.length - 1]
    );
  }

  /** Read on at the old end; true if there is something new here. One page is read at a time. */
  loadOlder(): Promise<boolean> {
    return this._alone(async () => {
      const before = this._store.oldest;
      if (!this._older || before === null) {
        return false;
      }
      const page = await this._read({ before, limit: STEP });
      page.messages.forEach(message => this._store.put(message));
      this._older = page.more;
      this._store.trimNewest(LONGEST);
      return page.messages.length > 0;
    });
  }

  /** Read on at the new end. */
  loadNewer(): Promise<boolean> {
    return this._alone(async () => {
      if (!this.isReady) {
        return false;
      }
      const page = await this._read({ after: this.newest, limit: STEP });
      page.messages.forEach(message => this._store.put(message));
      this._older = this._store.trim(LONGEST) || this._older;
      return page.messages.length > 0;
    });
  }

  /** Changes may have been missed: read it all again, after what is being read. True if there is something new. */
  refresh(): Promise<boolean> {
    if (this._busy) {
      this._stale = true;
      return Promise.resolve(false);
    }
    return this._alone(() => this._readAgain());
  }

  /** Take a newer state of a message, if the message is here. */
  put(message: ChatMessage): boolean {
    if (this._store.get(message.id)) {
      return this._store.put(message);
    }
    if (this._busy && this._early.size < MAX_EARLY) {
      // It may belong to the page that is being read, and not stand in it.
      this._early.set(message.id, message);
    }
    return false;
  }

  /** Take a piece of an answer; null if the answer is not here. */
  apply(delta: Parameters<MessageStore['apply']>[0]): DeltaResult | null {
    return this._store.get(delta.message) ? this._store.apply(delta) : null;
  }

  /** What was missing of a message cannot be had. */
  giveUp(id: string): void {
    this._store.giveUp(id);
  }

  private async _readAgain(): Promise<boolean> {
    const { oldest, newest } = this._store;
    const read: ChatMessage[] = [];
    let after = (oldest ?? 1) - 1;
    for (let more = oldest !== null; more && after < newest;) {
      const page = await this._read({ after, limit: AT_ONCE });
      read.push(...page.messages.filter(({ seq }) => seq <= newest));
      after = page.messages[page.messages.length - 1]?.seq ?? newest;
      more = page.more;
    }
    this._store.replace(read);
    return true;
  }

  /** Do something unless something is being done, and then what has become necessary meanwhile. */
  private async _alone(work: () => Promise<boolean>): Promise<boolean> {
    if (this._busy) {
      return false;
    }
    this._busy = true;
    try {
      let isNew = await work();
      while (this._stale) {
        this._stale = false;
        isNew = (await this._readAgain()) || isNew;
      }
      return isNew;
    } finally {
      this._busy = false;
      const early = [...this._early.values()];
      this._early.clear();
      early.forEach(message => this.put(message));
    }
  }

  private readonly _store = new MessageStore();
  private readonly _early = new Map<string, ChatMessage>();
  private _older = false;
  private _busy = false;
  private _stale = false;
}
