/**
 * A server's rooms for tests of the chat: every topic and every answer is a test's.
 */
import { IDisposable } from '@lumino/disposable';

import {
  Answer,
  Author,
  ChatMessage,
  History,
  HistoryParams,
  RoomState
} from '../protocol/generated';
import { ConnectionState, ISubscriber, Since, TopicEvent } from '../tokens';
import { statusOf, StubConnections } from './stubs';

export const ADA: Author = {
  username: 'ada',
  display_name: 'Ada',
  assistant: false
};

/** A message with what matters to a test; its id and text are its `seq`. */
export function messageOf(
  seq: number,
  more: Partial<ChatMessage> = {}
): ChatMessage {
  return {
    id: `m${seq}`,
    room: 'general',
    author: ADA,
    text: `text ${seq}`,
    time: seq * 1000,
    seq,
    version: 1,
    edited: null,
    edited_by: '',
    deleted: false,
    reply_to: '',
    mentions: [],
    attachments: [],
    answer: null,
    ...more
  };
}

/** A room as the server has it, in which so much was said: it answers for `chat.history`. */
export class FakeRoom {
  constructor(
    private readonly _connections: ChatConnections,
    count: number
  ) {
    this.messages = Array.from({ length: count }, (_, n) => messageOf(n + 1));
  }

  messages: ChatMessage[];

  /** Somebody says something. */
  say(more: Partial<ChatMessage> = {}): void {
    const message = messageOf(this.messages.length + 1, more);
    this.messages.push(message);
    this._connections.happens('chat/general', 'message', message);
  }

  /** A message is changed; `told` says whether the page is told. */
  change(seq: number, more: Partial<ChatMessage>, told = true): void {
    const message = { ...this.messages[seq - 1]!, version: 2, ...more };
    this.messages[seq - 1] = message;
    if (told) {
      const data = { message };
      this._connections.happens('chat/general', 'message.changed', data);
    }
  }

  /** Answer all that is asked. */
  async serve(): Promise<void> {
    for (;;) {
      const [params] = this._connections.asked('chat.history');
      if (!params) {
        return;
      }
      await this._connections.answer('chat.history', this.page(params));
    }
  }

  page(params: unknown): History {
    const { before, after, limit = 50 } = params as HistoryParams;
    if (typeof after === 'number') {
      const later = this.messages.filter(({ seq }) => seq > after);
      return { messages: later.slice(0, limit), more: later.length > limit };
    }
    const older = this.messages.filter(({ seq }) => seq < (before ?? Infinity));
    const messages = older.slice(-limit);
    return { messages, more: (messages[0]?.seq ?? 1) > 1 };
  }
}

/** What makes a message an answer that is being written. */
export function answerOf(more: Partial<Answer> = {}): Answer {
  return {
    state: 'writing',
    to: 'm1',
    asked_by: 'ada',
    model: 'small',
    reason: '',
    error: '',
    retry_after_ms: null,
    usage: null,
    ...more
  };
}

/** A room with what matters to a test. */
export function roomOf(
  name: string,
  more: Partial<Omit<RoomState, 'room'>> & {
    room?: Partial<RoomState['room']>;
  } = {}
): RoomState {
  const room = {
    ...{ name, created: 1, created_by: 'ada', title: '', private: false },
    ...{ members: [], archived: false, ...more.room }
  };
  return { newest: 0, read: 0, moderator: false, ...more, room };
}

export class ChatConnections extends StubConnections {
  /** The topics that are followed, each as often as it is. */
  get topics(): string[] {
    return this._followers.map(({ topic }) => topic);
  }

  subscribe<T extends string>(
    topic: T,
    subscriber: ISubscriber<T>,
    since?: Since
  ): IDisposable {
    super.subscribe(topic, subscriber, since);
    const follower = { topic, subscriber: this.subscriber, isDisposed: false };
    this._followers.push(follower);
    return Object.assign(follower, {
      dispose: () => {
        this._followers = this._followers.filter(other => other !== follower);
      }
    });
  }

  /** Everybody who follows a topic. */
  followers(topic: string): ISubscriber<string>[] {
    return this._followers
      .filter(follower => follower.topic === topic)
      .map(({ subscriber }) => subscriber);
  }

  /** Something happens in a topic. */
  happens(topic: string, kind: string, data: unknown): void {
    const event = { kind, data, id: 'x', time: 0, offset: 1 };
    this.followers(topic).forEach(({ onEvent }) =>
      onEvent(event as unknown as TopicEvent<string>)
    );
  }

  /** All followers of a topic are up to date. */
  live(topic: string): void {
    this.followers(topic).forEach(subscriber => subscriber.onLive?.());
  }

  /** The parameters of the requests of a method that wait, oldest first. */
  asked(method: string): unknown[] {
    return this.requests
      .filter(request => request.method === method)
      .map(({ params }) => params);
  }

  /** Answer the oldest request of a method that waits. */
  async answer(method: string, result: unknown): Promise<void> {
    this._take(method).resolve(result);
    await turn();
  }

  /** Refuse it. */
  async refuse(method: string, error: Error): Promise<void> {
    this._take(method).reject(error);
    await turn();
  }

  /** The connection for messages becomes so. */
  becomes(state: ConnectionState): void {
    const status = statusOf('main', null, { state });
    this.worst.set('main', status);
    this.statusChanged.emit(status);
  }

  private _take(method: string) {
    const index = this.requests.findIndex(each => each.method === method);
    const [request] = this.requests.splice(index, index < 0 ? 0 : 1);
    if (!request) {
      throw new Error(`Nobody has asked for ${method}.`);
    }
    return request;
  }

  private _followers: { topic: string; subscriber: ISubscriber<string> }[] = [];
}

/** Let promises go on. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await Promise.resolve();
  }
}

/** A browser's storage. */
export class FakeKeep {
  readonly values = new Map<string, string>();
  full = false;

  get length(): number {
    return this.values.size;
  }

  key(index: number): string | null {
    return [...this.values.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.values.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    if (this.full) {
      throw new Error('It is full.');
    }
    this.values.set(key, value);
  }

  removeItem(key: string): void {
    this.values.delete(key);
  }
}
