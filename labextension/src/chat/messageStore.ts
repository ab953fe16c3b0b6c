/**
 * The messages of a room as they are now, out of events, pages and answers that come in any order. No I/O.
 */
import { ChatMessage, MessageDelta } from '../protocol/generated';

/** Deltas of one answer that are kept while what is before them is asked for. */
const MAX_WAITING = 2000;

/** What became of a delta: it is in the text, was there already, or something before it is missing. */
export type DeltaResult = 'applied' | 'known' | 'gap';

export class MessageStore {
  /** Oldest first. */
  get messages(): readonly ChatMessage[] {
    this._sorted ??= [...this._byId.values()].sort((a, b) => a.seq - b.seq);
    return this._sorted;
  }

  /** `seq` of the newest message; 0 if there is none. */
  get newest(): number {
    return this.messages[this.messages.length - 1]?.seq ?? 0;
  }

  /** `seq` of the oldest one that is here; null if there is none. */
  get oldest(): number | null {
    return this.messages[0]?.seq ?? null;
  }

  get(id: string): ChatMessage | undefined {
    return this._byId.get(id);
  }

  /** Take a state of a message; true if it is newer than what was here. */
  put(message: ChatMessage): boolean {
    const known = this._byId.get(message.id);
    if (known && !isNewer(message, known)) {
      return false;
    }
    this._byId.set(message.id, message);
    this._sorted = null;
    this._catchUp(message.id);
    return true;
  }

  /** Take a piece of an answer. A gap is told once, until the message has come. */
  apply(delta: MessageDelta): DeltaResult {
    const message = this._byId.get(delta.message);
    const waiting = this._waiting.get(delta.message);
    const length = message?.text.length ?? -1;
    if (!waiting && message && delta.at <= length) {
      return this._append(message, delta) ? 'applied' : 'known';
    }
    if (waiting) {
      if (waiting.length < MAX_WAITING) {
        waiting.push(delta);
      }
      return 'known';
    }
    this._waiting.set(delta.message, [delta]);
    return 'gap';
  }

  /** What was missing of a message cannot be had: ask again at the next gap. */
  giveUp(id: string): void {
    this._waiting.delete(id);
  }

  /** All is other than it was: these are the newest messages. What is older than they are is not known any more. */
  reset(messages: readonly ChatMessage[]): void {
    this._byId.clear();
    this._waiting.clear();
    this._sorted = null;
    messages.forEach(message => this._byId.set(message.id, message));
  }

  /** These are all that there are: of each, the newest state that is known. */
  replace(messages: readonly ChatMessage[]): void {
    this.reset(
      messages.map(message => {
        const known = this._byId.get(message.id);
        return known && !isNewer(message, known) ? known : message;
      })
    );
  }

  /** Forget what stands before a place: single messages between which others are missing. */
  dropBefore(seq: number): void {
    this._forget(this.messages.filter(message => message.seq < seq));
  }

  /** Forget the oldest ones, so that `count` are left; true if there were more. */
  trim(count: number): boolean {
    return this._forget(this.messages.slice(0, -count));
  }

  /** Forget the newest ones, so that `count` are left; true if there were more. */
  trimNewest(count: number): boolean {
    return this._forget(this.messages.slice(count));
  }

  /** Forget these; true if there are any. */
  private _forget(messages: readonly ChatMessage[]): boolean {
    messages.forEach(({ id }) => this._byId.delete(id));
    this._sorted = messages.length > 0 ? null : this._sorted;
    return messages.length > 0;
  }

  private _append(message: ChatMessage, { at, text }: MessageDelta): boolean {
    if (at !== message.text.length || message.answer?.state !== 'writing') {
      return false;
    }
    const grown = { ...message, text: message.text + text };
    this._byId.set(message.id, grown);
    this._sorted = null;
    return true;
  }

  /** Apply what came before the message did. What does not follow on is left for the next gap. */
  private _catchUp(id: string): void {
    const waiting = this._waiting.get(id);
    this._waiting.delete(id);
    for (const delta of waiting ?? []) {
      const message = this._byId.get(id);
      if (message) {
        this._append(message, delta);
      }
    }
  }

  private readonly _byId = new Map<string, ChatMessage>();
  private readonly _waiting = new Map<string, MessageDelta[]>();
  private _sorted: ChatMessage[] | null = null;
}

/** Whether a state of a message is newer: by its version; an answer under way has one version and grows. */
function isNewer(message: ChatMessage, known: ChatMessage): boolean {
  if (message.version !== known.version) {
    return message.version > known.version;
  }
  if (known.answer?.state !== 'writing') {
    return false;
  }
  return (
    message.answer?.state !== 'writing' ||
    message.text.length > known.text.length
  );
}
